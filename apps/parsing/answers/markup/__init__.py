"""Markdown, HTML and LaTeX of an answer -> drafts with spans."""
