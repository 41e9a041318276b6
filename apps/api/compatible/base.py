"""The base class of the views: keys in the headers of other services, and requests that wait for their result."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from django.conf import settings
from rest_framework.request import Request

from apps.api.authentication import ApiKeyAuthentication
from apps.api.base import ApiView, caller_of
from apps.api.request_errors import Unavailable
from apps.api.requests.uploads import Upload
from apps.api.v2 import long_poll
from apps.api.v2.files import store
from apps.api.v2.parse import HEAD_BYTES, check_type
from apps.documents.models import Document
from apps.documents.services import clean_name
from apps.jobs.commands.submit import JobRequest, submit_job
from apps.jobs.models import ParseJob
from apps.jobs.queries import find_repeated_job
from apps.jobs.states import JobState
from apps.pages.model.errors import ParseError


class TooManyWaiting(Unavailable):
    """Too many requests are waiting for their results. Try again in a moment."""

    code = "too_many_waiting"


class WaitEnded(Unavailable):
    """The document takes longer than a request may wait. Send the same request again to go on waiting."""

    code = "wait_ended"


class JobFailed(ParseError):
    """The document could not be parsed. It has the code and the detail of the job's error."""

    def __init__(self, job: ParseJob) -> None:
        super().__init__(job.error_detail or "The job was cancelled.")
        self.code = job.error_code or "cancelled"


class KeyInOtherHeaders(ApiKeyAuthentication):
    """Take the key from ``Authorization``, ``X-Api-Key`` or ``unstructured-api-key``, with or without ``Bearer``."""

    def sent_key(self, request: Request) -> str:
        for header in ("HTTP_X_API_KEY", "HTTP_UNSTRUCTURED_API_KEY"):
            if sent := str(request.META.get(header, "")).strip():
                scheme, space, key = sent.partition(" ")
                return key.strip() if space and scheme.lower() == "bearer" else sent
        return super().sent_key(request)


class CompatibleView(ApiView):
    """A view of another service's API, whose clients may send parameters of that service."""

    authentication_classes = (KeyInOtherHeaders,)


def submit(request: Request, source: Upload | Document, accepted: JobRequest) -> ParseJob:
    """Create a job for this document, whose type is checked first. Raise EmptyFile or UnsupportedDocument."""
    caller = caller_of(request)
    if isinstance(source, Upload):
        check_type(source.content.read(HEAD_BYTES))
        source.content.seek(0)
        source = store(caller.project, source)
    return submit_job(project=caller.project, document=source, request=accepted, api_key=caller.api_key)


def submit_and_wait(request: Request, source: Upload | Document, accepted: JobRequest) -> ParseJob:
    """Return the ended job for this document.

    Clients of other services send a request again when it took too long. Such a request joins the job that the first
    one created. Raise TooManyWaiting, before anything is created, WaitEnded, and the errors of ``submit``.
    """
    with long_poll.waiting_slot() as may_wait:
        if not may_wait:
            raise TooManyWaiting
        job = _job_of_earlier_request(request, source, accepted) or submit(request, source, accepted)
        if isinstance(source, Upload):
            source.content.close()  # it is stored, and the wait may be long
        job = long_poll.poll_until_end(job, seconds=settings.SYNC_WAIT_SECONDS)
    if not job.has_ended:
        raise WaitEnded(
            f"The document takes longer than {settings.SYNC_WAIT_SECONDS} seconds; its job goes on. Send the same "
            f"request again to go on waiting, or fetch it: GET /api/v2/parse/{job.pk}?expand=markdown_full."
        )
    return job


def check_succeeded(job: ParseJob) -> None:
    """Raise JobFailed if an ended job has no result."""
    if job.state in (JobState.FAILED, JobState.CANCELLED):
        raise JobFailed(job)


def _job_of_earlier_request(request: Request, source: Upload | Document, accepted: JobRequest) -> ParseJob | None:
    if accepted.password is not None:
        return None
    if isinstance(source, Upload):
        name, sha256 = clean_name(source.name), hashlib.file_digest(source.content, "sha256").hexdigest()  # type: ignore[arg-type]
        source.content.seek(0)
    else:
        name, sha256 = source.name, source.sha256
    return find_repeated_job(
        project=caller_of(request).project,
        name=name,
        sha256=sha256,
        tier=accepted.tier,
        target_pages=accepted.target_pages,
        max_pages=accepted.max_pages,
        options=accepted.options.stored(),
        waited=timedelta(seconds=settings.SYNC_WAIT_SECONDS),
    )
