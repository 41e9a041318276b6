"""Users of the admin."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

JOBS = "/admin/jobs/parsejob/"


@pytest.fixture
def admin(transactional_db: None, django_user_model: Any) -> Client:
    person = django_user_model.objects.create_superuser("admin", password="secret")
    client = Client()
    client.force_login(person)
    return client


@pytest.fixture
def reader(transactional_db: None, django_user_model: Any) -> Client:
    """A user who may see jobs and has no other permission."""
    person = django_user_model.objects.create_user("reader", password="secret", is_staff=True)
    person.user_permissions.add(Permission.objects.get(codename="view_parsejob"))
    client = Client()
    client.force_login(person)
    return client
