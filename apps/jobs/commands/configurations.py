"""Saved configurations: options that requests name instead of sending them."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from apps.accounts.models import Project
from apps.jobs.errors import ConfigurationNotFound
from apps.jobs.models import SavedConfiguration


def save_configuration(*, project: Project, name: str, parameters: dict[str, Any]) -> SavedConfiguration:
    """Save options that the caller has validated. Several configurations may have one name."""
    now = timezone.now()
    return SavedConfiguration.objects.create(
        project=project, name=name, parameters=parameters, created_at=now, updated_at=now
    )


def change_configuration(
    *, configuration: SavedConfiguration, name: str | None, parameters: dict[str, Any] | None
) -> SavedConfiguration:
    """Replace the name and the options, if given. Jobs that were accepted before keep the options they have."""
    configuration.name = configuration.name if name is None else name
    configuration.parameters = configuration.parameters if parameters is None else parameters
    configuration.updated_at = timezone.now()
    configuration.save(update_fields=["name", "parameters", "updated_at"])
    return configuration


def find_configuration(*, project: Project, configuration_id: str) -> SavedConfiguration:
    """Return the project's configuration. Raise ConfigurationNotFound, also for one of another project."""
    found = SavedConfiguration.objects.filter(project=project, pk=configuration_id[:40]).first()
    if found is None or found.pk != configuration_id:
        raise ConfigurationNotFound
    return found


def list_configurations(
    *, project: Project, name: str | None = None, latest_only: bool = False
) -> QuerySet[SavedConfiguration]:
    """Return the project's configurations; ``latest_only``: the newest of each name."""
    rows = SavedConfiguration.objects.filter(project=project)
    if name is not None:
        rows = rows.filter(name=name)
    if latest_only:
        same = SavedConfiguration.objects.filter(project=project, name=OuterRef("name"))
        newer = Q(created_at__gt=OuterRef("created_at")) | Q(created_at=OuterRef("created_at"), pk__lt=OuterRef("pk"))
        rows = rows.filter(~Exists(same.filter(newer)))
    return rows
