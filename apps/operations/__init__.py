"""Keeping the service up: the supervised group of `make run`, the doctor, what a load takes."""
