"""Keeping the service up: the supervised group of `make run`, health and metrics."""
