"""Parse a document with this process: reading, OCR, the document as a PDF, exports."""
