"""Runs to lines: rows, hyphens, inline marks, right-to-left writing."""
