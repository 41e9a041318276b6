"""How a document and its pages are parsed: functions of their arguments; no models, no Celery."""
