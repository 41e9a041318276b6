"""Django as a WSGI application, for ``parse_project/asgi.py`` and for other servers behind a proxy that buffers."""

import logging
import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "parse_project.settings")
application = get_wsgi_application()

from apps.core import tracing  # noqa: E402 (after the settings)

tracing.start()
for _name, _reason in settings.WEAK_SETTINGS.items():
    logging.getLogger(__name__).warning("Accepted because of LEAFMILL_INSECURE: %s: %s", _name, _reason)
