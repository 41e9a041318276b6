"""Base classes of read-only admin pages, for rows that only services write."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.http import HttpRequest
from django.utils.functional import cached_property

MAX_COUNTED_ROWS = 10_000


class FirstRowsPaginator(Paginator):  # type: ignore[type-arg]
    """A paginator that counts at most ``MAX_COUNTED_ROWS``; filters and search find the rows beyond."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        total: int = rows.order_by().values("pk")[:MAX_COUNTED_ROWS].count()
        return total


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """A read-only admin page that stays fast with millions of rows."""

    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = FirstRowsPaginator

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
