"""What the admin pages of rows share that services alone write."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.http import HttpRequest
from django.utils.functional import cached_property

MAX_COUNTED_ROWS = 10_000


class FirstRows(Paginator):  # type: ignore[type-arg]
    """Counts no further than ``MAX_COUNTED_ROWS``: rows behind these are found by filter and search."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        total: int = rows.order_by().values("pk")[:MAX_COUNTED_ROWS].count()
        return total


class FactsOnly(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows to read, of which there may be millions."""

    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = FirstRows

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
