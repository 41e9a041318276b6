"""Totals that metrics tell of: what was counted once stays counted, whatever becomes of the rows."""

from __future__ import annotations

from django.db import models


class Tally(models.Model):
    """One running total; ``name`` holds what is counted and its labels, separated by bars."""

    name = models.CharField(primary_key=True, max_length=200)
    value = models.FloatField(default=0)

    class Meta:
        verbose_name_plural = "tallies"

    def __str__(self) -> str:
        return f"{self.name}: {self.value:g}"


class TallyMark(models.Model):
    """How far the rows of one kind have been counted: up to this id or moment, but for those that were open then."""

    kind = models.CharField(primary_key=True, max_length=20)
    last_id = models.BigIntegerField(default=0)
    last_at = models.DateTimeField(null=True)
    open_ids = models.JSONField(default=list)

    def __str__(self) -> str:
        return f"{self.kind} up to {self.last_at or self.last_id}"
