"""Texts of word processors: docx, odt, rtf."""
