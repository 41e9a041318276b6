"""Columns hold what is written into them. SQLite does not check their length, PostgreSQL does."""

from __future__ import annotations

from django.db.models import CharField

from apps.jobs.models import ParseJob
from apps.pages.office import office_file


def length_of(name: str) -> int:
    field = ParseJob._meta.get_field(name)
    assert isinstance(field, CharField)
    assert field.max_length is not None
    return field.max_length


def test_the_type_of_every_document_that_is_read_fits() -> None:
    length = length_of("media_type")
    assert all(len(media_type) <= length for media_type in office_file._MODULES)
