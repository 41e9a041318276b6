"""Faults in real processes: failpoints, a TCP proxy, kill storms, what must hold after each, and what was measured."""
