"""Conversion of documents of older programs to modern ones, by LibreOffice in a confined process."""
