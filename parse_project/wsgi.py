"""The WSGI application of the web process."""

import logging
import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "parse_project.settings")
_django = get_wsgi_application()

from apps.api.requests.unread_bodies import DrainUnreadBodies  # noqa: E402 (after the settings)
from apps.core import tracing  # noqa: E402

application = DrainUnreadBodies(_django)
tracing.start()
for _name, _reason in settings.WEAK_SETTINGS.items():
    logging.getLogger(__name__).warning("Accepted because of LEAFMILL_INSECURE: %s: %s", _name, _reason)
