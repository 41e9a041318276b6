"""Lists in pages (keyset pagination): a token remains valid while rows are added and removed."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import MAXYEAR, datetime
from typing import Any, Generic, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Field, Model, Q, QuerySet

Row = TypeVar("Row", bound=Model)


class InvalidPageToken(ValueError):
    """The token does not come from a list with this order."""


@dataclass(frozen=True)
class PageOfRows(Generic[Row]):
    """One page of a list. ``next_token`` is None on the last page; ``total`` counts the rows of all pages."""

    rows: list[Row]
    next_token: str | None
    _all: QuerySet[Row]

    @property
    def total(self) -> int:
        return self._all.count()


@dataclass(frozen=True)
class SortOrder:
    """Sort by one field, then by id, so that the order is total."""

    field: str
    descending: bool

    @property
    def fields(self) -> tuple[str, str]:
        sign = "-" if self.descending else ""
        return f"{sign}{self.field}", f"{sign}id"

    def token_of(self, row: Model) -> str:
        """Return the token of the page that follows ``row``: the order, and the row's value and id."""
        value = getattr(row, self.field)
        text = value.isoformat() if isinstance(value, datetime) else str(value)
        raw = "\0".join((self.field, "d" if self.descending else "a", text, str(row.pk)))
        return base64.urlsafe_b64encode(raw.encode()).decode().rstrip("=")

    def rows_after(self, token: str, rows: QuerySet[Row]) -> QuerySet[Row]:
        """Return the rows that follow the token's row. Raise InvalidPageToken for a token of another order."""
        try:
            padded = token + "=" * (-len(token) % 4)
            field, direction, text, pk = base64.b64decode(padded, altchars=b"-_", validate=True).decode().split("\0")
            if field != self.field or (direction == "d") != self.descending:
                raise InvalidPageToken(token)
            value, last_id = _column_value(rows.model, field, text), _column_value(rows.model, "id", pk)
        except (binascii.Error, ValueError, ValidationError) as error:
            raise InvalidPageToken(token) from error
        if isinstance(value, datetime) and not (value.tzinfo and is_storable(value)):
            raise InvalidPageToken(token)
        compare = "lt" if self.descending else "gt"
        if self.field == "id":
            return rows.filter(**{f"id__{compare}": last_id})
        return rows.filter(
            Q(**{f"{self.field}__{compare}": value}) | Q(**{self.field: value, f"id__{compare}": last_id})
        )


NEWEST_FIRST = SortOrder("created_at", descending=True)


def paginate(rows: QuerySet[Row], *, order: SortOrder, size: int, token: str | None) -> PageOfRows[Row]:
    """Return at most ``size`` rows, from the row after the token's. Raise InvalidPageToken."""
    remaining = order.rows_after(token, rows) if token else rows
    found = list(remaining.order_by(*order.fields)[: size + 1])
    next_token = order.token_of(found[size - 1]) if len(found) > size else None
    return PageOfRows(found[:size], next_token, rows)


def is_storable(moment: datetime) -> bool:
    """Return whether the year is from 2 to 9998, so that no time zone moves it out of the range of databases."""
    return 1 < moment.year < MAXYEAR


def _column_value(model: type[Model], field: str, text: str) -> Any:
    column = model._meta.get_field(field)
    if not isinstance(column, Field):
        raise TypeError(field)
    return column.to_python(text)
