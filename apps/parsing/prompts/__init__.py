"""Prompts and the messages built from them."""
