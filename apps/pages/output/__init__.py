"""Blocks -> Markdown, text, JSON items, HTML, CSV."""
