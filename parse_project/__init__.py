"""Wiring only: settings, URLs, Celery. Nothing here knows what a page is."""
