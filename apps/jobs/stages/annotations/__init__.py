"""Annotations of parsed documents: ask a model, find the places of its values, write the result."""
