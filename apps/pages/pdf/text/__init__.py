"""The characters of a page, from PDFium or the second reader, and the runs they form."""
