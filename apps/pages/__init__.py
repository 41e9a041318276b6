"""Pages of documents: their model, and reading them. Plain Python: no Django, no Celery, no network."""
