"""Typed query parameters, and lists in pages."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from django.db.models import Model, QuerySet
from django.utils.dateparse import parse_date, parse_datetime
from rest_framework.request import Request

from apps.api.request_errors import InvalidOptions, OptionProblem, printable
from apps.core import pagination
from apps.core.pagination import PageOfRows, SortOrder
from apps.jobs.errors import InvalidOption

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 1000
MAX_VALUES = 1000
MAX_VALUE_CHARS = 1000
MAX_LISTED = 10
ACCEPTED_EVERYWHERE = frozenset({"project_id", "organization_id"})
"""LlamaParse's clients send these everywhere. A key belongs to one project, and a wrong ``project_id`` is not found."""
Row = TypeVar("Row", bound=Model)
Value = TypeVar("Value", bound=str)


def check_names(request: Request, known: Collection[str]) -> None:
    """Raise InvalidOptions if the query has other names than ``known`` and ``ACCEPTED_EVERYWHERE``."""
    unknown = [name for name in request.GET if name not in known and name not in ACCEPTED_EVERYWHERE]
    if unknown:
        instead = f"Send only: {', '.join(known)}." if known else "This address has none."
        raise InvalidOptions(
            [
                OptionProblem(
                    "extra_forbidden",
                    ("query", printable(name)),
                    f"The query parameter {printable(name)!r} is not known here. {instead}",
                )
                for name in unknown[:MAX_LISTED]
            ]
        )


def text(request: Request, name: str) -> str | None:
    """Return the parameter, or None if it is absent or empty. Raise InvalidOption if no database can compare it."""
    value = request.GET.get(name) or None
    if value is not None and ("\x00" in value or len(value) > MAX_VALUE_CHARS):
        raise _invalid(name, f"Send at most {MAX_VALUE_CHARS} characters, without NUL.", None)
    return value


def values(request: Request, name: str) -> list[str]:
    """Return the values of a list parameter: repeated, or separated by commas."""
    found = [part.strip() for value in request.GET.getlist(name) for part in value.split(",") if part.strip()]
    if len(found) > MAX_VALUES or any("\x00" in value for value in found):
        raise _invalid(name, f"Send at most {MAX_VALUES} values, without NUL.", None)
    return found


def integer(
    request: Request, name: str, default: int, *, minimum: int, maximum: int, refuses_more: bool = False
) -> int:
    """Return the number, at most ``maximum``. Raise InvalidOption if it is below ``minimum`` or not a number.

    ``refuses_more``: raise it also for a number above ``maximum``.
    """
    raw = request.GET.get(name)
    if not raw:
        return default
    if (
        not (raw.isascii() and raw.isdigit() and len(raw) < 100)
        or int(raw) < minimum
        or (refuses_more and int(raw) > maximum)
    ):
        raise _invalid(name, f"The value is not valid. Send a whole number from {minimum} to {maximum}.", raw)
    return min(int(raw), maximum)


def choice(request: Request, name: str, values: Sequence[Value]) -> Value:
    """Return one of the values, the first if the parameter is absent. Raise InvalidOption for any other text."""
    raw = (request.GET.get(name) or values[0]).lower()
    for value in values:
        if value == raw:
            return value
    raise _invalid(name, f"The value is not valid. Send one of: {', '.join(values)}.", raw[:MAX_VALUE_CHARS])


def page_size(request: Request, default: int = DEFAULT_PAGE_SIZE) -> int:
    """Return ``page_size``, at most MAX_PAGE_SIZE."""
    return integer(request, "page_size", default, minimum=1, maximum=MAX_PAGE_SIZE)


def moment(request: Request, name: str) -> datetime | None:
    """Return the time of an ISO 8601 text: in UTC if it has no time zone, midnight if it is only a date."""
    raw = request.GET.get(name)
    if not raw:
        return None
    try:
        found = parse_datetime(raw.replace(" ", "+")) or parse_datetime(raw)  # a bare + in a query means a space
        day = None if found else parse_date(raw)
    except ValueError:
        found = day = None
    if day is not None:
        found = datetime(day.year, day.month, day.day, tzinfo=UTC)
    if found is None or not pagination.is_storable(found):
        raise _invalid(name, "The time is not valid. Send ISO 8601, such as 2026-11-21T12:00:00Z.", raw)
    # PostgreSQL refuses offsets of 16 hours and more.
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def paginate(rows: QuerySet[Row], *, order: SortOrder, size: int, token: str | None) -> PageOfRows[Row]:
    """Return one page of the list. Raise InvalidOption for a ``page_token`` of another list."""
    try:
        return pagination.paginate(rows, order=order, size=size, token=token)
    except pagination.InvalidPageToken as error:
        detail = "The token does not belong to this list. Start again without page_token."
        raise _invalid("page_token", detail, None) from error


def _invalid(name: str, detail: str, value: str | None) -> InvalidOption:
    return InvalidOption(detail, location=("query", name), value=value)
