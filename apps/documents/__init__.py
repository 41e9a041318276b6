"""Uploaded files and all bytes stored for them."""
