"""Seal secrets that are stored in the database."""
