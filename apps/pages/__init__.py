"""What a page is and how it is read. Plain Python: no Django, no Celery, no network."""
