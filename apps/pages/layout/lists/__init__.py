"""List items, code blocks, contents lists and line numbers."""
