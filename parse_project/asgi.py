"""The ASGI application of the web process (``apps/api/serving``)."""

from parse_project.wsgi import application as django_application  # isort: skip (sets up Django)

from apps.api.serving.application import ThreadedApplication

application = ThreadedApplication(django_application)
