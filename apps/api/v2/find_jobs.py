"""Find the job that a path names, and the jobs that a list asks for."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from django.db.models import QuerySet
from rest_framework.request import Request

from apps.accounts.models import Project
from apps.api.base import project_of
from apps.api.requests import query_parameters
from apps.api.v2.representations import STATUS
from apps.core.pagination import NEWEST_FIRST, PageOfRows
from apps.jobs import queries
from apps.jobs.errors import InvalidOption, JobNotFound
from apps.jobs.models import ID_PREFIXES, JobKind, ParseJob

_JOB_ID = re.compile(rf"(?:{'|'.join(ID_PREFIXES.values())})-[0-9a-f-]{{36}}")


def find_job(project: Project, job_id: str) -> ParseJob:
    """Return the project's job. Raise JobNotFound for an unknown id and a job of another project alike."""
    if not _JOB_ID.fullmatch(job_id):
        raise JobNotFound
    return queries.find_job(project=project, job_id=job_id)


def listed_jobs(
    request: Request,
    kind: JobKind = JobKind.PARSE,
    statuses: Mapping[str, str] = STATUS,
    unused_statuses: Collection[str] = (),
) -> QuerySet[ParseJob]:
    """Return the project's jobs of this kind that the query parameters select.

    ``statuses``: how the API names each state. ``unused_statuses``: names that clients know, and no job has. Raise
    InvalidOption for any other status.
    """
    status = query_parameters.text(request, "status")
    states = [state for state, name in statuses.items() if status and name.lower() == status.lower()]
    if status and not states and status not in unused_statuses:
        detail = f"The status is unknown. Send one of: {', '.join(dict.fromkeys(statuses.values()))}."
        raise InvalidOption(detail, location=("query", "status"), value=status)
    return queries.list_jobs(
        project=project_of(request),
        states=states if status else None,
        job_ids=query_parameters.values(request, "job_ids") or None,
        created_from=query_parameters.moment(request, "created_at_on_or_after"),
        created_until=query_parameters.moment(request, "created_at_on_or_before"),
        kind=kind,
    )


def page_of_jobs(request: Request, jobs: QuerySet[ParseJob]) -> PageOfRows[ParseJob]:
    """Return the page of these jobs that the query parameters ask for, newest first."""
    size, token = query_parameters.page_size(request), query_parameters.text(request, "page_token")
    return query_parameters.paginate(jobs, order=NEWEST_FIRST, size=size, token=token)
