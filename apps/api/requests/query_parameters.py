"""Query parameters, typed, and lists in pages whose tokens stay true while things are added and removed."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, datetime
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Field, Model, Q, QuerySet
from django.utils.dateparse import parse_date, parse_datetime
from rest_framework.request import Request

from apps.jobs.errors import InvalidOption

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 1000
MAX_VALUES = 1000
MAX_VALUE_CHARS = 1000
Row = TypeVar("Row", bound=Model)


def text(request: Request, name: str) -> str | None:
    """The parameter; None when it is absent or empty. InvalidOption for one that no database can compare."""
    value = request.GET.get(name) or None
    if value is not None and ("\x00" in value or len(value) > MAX_VALUE_CHARS):
        raise _invalid(name, "This text cannot be searched for.", None)
    return value


def values(request: Request, name: str) -> list[str]:
    """A list parameter: repeated, or separated by commas."""
    found = [part.strip() for value in request.GET.getlist(name) for part in value.split(",") if part.strip()]
    if len(found) > MAX_VALUES or any("\x00" in value for value in found):
        raise _invalid(name, f"At most {MAX_VALUES} values can be named.", None)
    return found


def integer(request: Request, name: str, default: int, *, minimum: int, maximum: int) -> int:
    """The number; too large a one counts as ``maximum``."""
    raw = request.GET.get(name)
    if not raw:
        return default
    if not (raw.isascii() and raw.isdigit() and len(raw) < 10) or int(raw) < minimum:
        raise _invalid(name, f"A whole number from {minimum} to {maximum} is expected.", raw)
    return min(int(raw), maximum)


def moment(request: Request, name: str) -> datetime | None:
    """ISO 8601; UTC when no zone is said, midnight when only a day is."""
    raw = request.GET.get(name)
    if not raw:
        return None
    try:
        found = parse_datetime(raw.replace(" ", "+")) or parse_datetime(raw)  # a bare + of a query means a space
        day = None if found else parse_date(raw)
    except ValueError:
        found = day = None
    if day is not None:
        found = datetime(day.year, day.month, day.day, tzinfo=UTC)
    if found is None or not _in_calendar(found):
        raise _invalid(name, "A moment in ISO 8601 is expected, such as 2026-11-21T12:00:00Z.", raw)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _in_calendar(moment: datetime) -> bool:
    """Whether the moment has a year from 2 to 9998, so that no time zone moves it out of what databases know."""
    return 1 < moment.year < MAXYEAR


def _invalid(name: str, detail: str, value: str | None) -> InvalidOption:
    return InvalidOption(detail, location=("query", name), value=value)


@dataclass(frozen=True)
class SortOrder:
    """One field, then the id so that the order is total."""

    field: str
    descending: bool

    @property
    def fields(self) -> tuple[str, str]:
        sign = "-" if self.descending else ""
        return f"{sign}{self.field}", f"{sign}id"


NEWEST_FIRST = SortOrder("created_at", descending=True)


def paginate(rows: QuerySet[Row], *, order: SortOrder, size: int, token: str | None) -> tuple[list[Row], str | None]:
    """One page of the rows and the token of the next, None at the end. The token holds the last row's place."""
    if token:
        rows = rows.filter(_after(order, *_read_token(token, order, rows.model)))
    found = list(rows.order_by(*order.fields)[: size + 1])
    if len(found) <= size:
        return found, None
    last = found[size - 1]
    return found[:size], _token(order, getattr(last, order.field), str(last.pk))


def _after(order: SortOrder, value: Any, pk: str) -> Q:
    compare = "lt" if order.descending else "gt"
    if order.field == "id":
        return Q(**{f"id__{compare}": pk})
    return Q(**{f"{order.field}__{compare}": value}) | Q(**{order.field: value, f"id__{compare}": pk})


def _token(order: SortOrder, value: Any, pk: str) -> str:
    spelled = value.isoformat() if isinstance(value, datetime) else str(value)
    raw = "\0".join((order.field, "d" if order.descending else "a", spelled, pk))
    return base64.urlsafe_b64encode(raw.encode()).decode().rstrip("=")


def _read_token(token: str, order: SortOrder, model: type[Model]) -> tuple[Any, Any]:
    """The last row's value and id. Tokens are for the list they came from; anything else is refused, not guessed at."""
    try:
        padded = token + "=" * (-len(token) % 4)
        field, direction, value, pk = base64.b64decode(padded, altchars=b"-_", validate=True).decode().split("\0")
        if field != order.field or (direction == "d") != order.descending:
            raise ValueError(token)
        place = _as_kept(model, field, value)
        if isinstance(place, datetime) and not (place.tzinfo and _in_calendar(place)):
            raise ValueError(token)
        return place, _as_kept(model, "id", pk)
    except (binascii.Error, ValueError, ValidationError) as error:
        raise _invalid("page_token", "The token is not one of this list. Begin again without it.", None) from error


def _as_kept(model: type[Model], field: str, text: str) -> Any:
    column = model._meta.get_field(field)
    if not isinstance(column, Field):
        raise TypeError(field)
    return column.to_python(text)
