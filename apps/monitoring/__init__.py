"""Metrics for Prometheus and the operations page of the admin."""
