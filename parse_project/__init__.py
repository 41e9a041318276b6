"""Wiring only: settings, URLs, Celery. Nothing here knows about pages."""
