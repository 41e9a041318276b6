"""The section ``job_metadata`` of results."""

from __future__ import annotations

from typing import Any

from apps.jobs import queries
from apps.jobs.models import ParseJob


def job_metadata(job: ParseJob) -> dict[str, Any]:
    """Return what the clients read, and the warnings of the job."""
    return {
        "job_pages": job.page_count or 0,
        "job_auto_mode_triggered_pages": queries.auto_mode_pages(job.pk) if job.uses_models else 0,
        "job_is_cache_hit": job.uses_models and queries.is_cache_hit(job.pk),
        "credits_used": job.result_facts.get("credits"),
        "warnings": job.warnings,
    }
