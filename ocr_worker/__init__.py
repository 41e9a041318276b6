"""The OCR service, still to come: page images in, lines with boxes out. No Django, no database, no secrets."""
