"""The command line, ``manage.py parse``. It needs no Django and no database."""
