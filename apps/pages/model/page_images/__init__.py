"""The images of pages that a child sends: for OCR and for vision models."""
