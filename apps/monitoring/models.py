"""Running totals for the metrics. They never fall, even when the counted rows are deleted."""

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
    """The id or moment up to which rows of a kind are counted. ``open_ids`` had not ended; they are counted later."""

    kind = models.CharField(primary_key=True, max_length=20)
    last_id = models.BigIntegerField(default=0)
    last_at = models.DateTimeField(null=True)
    open_ids = models.JSONField(default=list)

    def __str__(self) -> str:
        return f"{self.kind} up to {self.last_at or self.last_id}"
