"""Columns hold what is written into them. SQLite does not check their length, PostgreSQL does."""

from __future__ import annotations

from django.db.models import CharField

from apps.jobs.models import ParseJob
from apps.jobs.workflow import QUEUE_OF_STAGE
from apps.pages.model.conversions import CONVERSIONS
from apps.pages.office import office_file


def length_of(name: str) -> int:
    field = ParseJob._meta.get_field(name)
    assert isinstance(field, CharField)
    assert field.max_length is not None
    return field.max_length


def test_the_type_of_every_document_that_is_read_fits() -> None:
    for name in ("media_type", "converted_type"):
        length = length_of(name)
        assert all(len(media_type) <= length for media_type in (*office_file._MODULES, *CONVERSIONS))


def test_the_names_of_stages_fit() -> None:
    length = length_of("stage")
    assert all(len(stage) <= length for stage in QUEUE_OF_STAGE)
