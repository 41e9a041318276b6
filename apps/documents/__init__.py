"""Uploaded files and every byte kept about them."""
