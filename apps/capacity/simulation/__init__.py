"""Simulate the autoscaler, the queues and the quotas under a load."""
