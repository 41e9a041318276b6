"""Presentations: a page for each slide."""
