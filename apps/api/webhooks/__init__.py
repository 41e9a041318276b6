"""Webhooks over HTTP: those that a request names, and saved ones."""
