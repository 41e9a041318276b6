"""The OCR service: page images in, lines with boxes out. No Django, no database, no secrets."""
