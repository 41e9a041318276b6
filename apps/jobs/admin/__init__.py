"""Jobs in the Django admin: rows to read, and actions that call commands."""

from __future__ import annotations

from apps.jobs.admin import batches, configurations, jobs, pauses, projects, step_rows, workers

__all__ = ["batches", "configurations", "jobs", "pauses", "projects", "step_rows", "workers"]
