"""Untrusted documents are read in child processes that can be killed."""
