"""Annotations and form fields of a PDF: their texts, links and drawings."""
