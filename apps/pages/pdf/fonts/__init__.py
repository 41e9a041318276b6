"""What the fonts of a PDF say about their glyphs: names, maps to characters, and how wrong ones are mended."""
