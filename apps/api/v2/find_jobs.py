"""Find the job that a path names."""

from __future__ import annotations

import re

from apps.accounts.models import Project
from apps.jobs import queries
from apps.jobs.errors import JobNotFound
from apps.jobs.models import ID_PREFIXES, ParseJob

_JOB_ID = re.compile(rf"(?:{'|'.join(ID_PREFIXES.values())})-[0-9a-f-]{{36}}")


def find_job(project: Project, job_id: str) -> ParseJob:
    """Return the project's job. Raise JobNotFound for an unknown id and a job of another project alike."""
    if not _JOB_ID.fullmatch(job_id):
        raise JobNotFound
    return queries.find_job(project=project, job_id=job_id)
