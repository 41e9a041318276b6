"""Turn blocks into Markdown, text, JSON items, HTML and CSV."""
