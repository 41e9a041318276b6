"""Parse pages with models: functions of their arguments, without the database and Celery."""
