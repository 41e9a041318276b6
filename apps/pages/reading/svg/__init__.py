"""Vector pictures (SVG)."""
