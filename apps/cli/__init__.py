"""The command ``manage.py parse``. It needs neither Django nor a database."""
