"""Compute pods, quotas and money for a load, and simulate the autoscaler under it."""
