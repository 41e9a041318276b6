"""The WSGI application of the web process."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "parse_project.settings")
application = get_wsgi_application()

from apps.core import tracing  # noqa: E402 (after the settings)

tracing.start()
