"""/api/v2/parse/{job_id}/events: the progress of a job as server-sent events, which browsers read with EventSource.

Each stream holds a thread of the web process. So there are few at once, each for a minute at most; a client connects
again with ``Last-Event-ID``, as EventSource does by itself, and gets only what has changed. Beyond these few a stream
is one event long, and the client asks again after a pause.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from pydantic import BaseModel
from rest_framework.request import Request

from apps.api import delivery
from apps.api.base import ApiView, project_of, to_json
from apps.api.error_responses import describe_error
from apps.api.requests.scopes import READS
from apps.api.schema import PROBLEMS, query
from apps.api.v2 import long_poll
from apps.api.v2.find_jobs import find_job
from apps.api.v2.representations import STATUS, ApiStatus, represent_job
from apps.jobs.errors import JobNotFound
from apps.jobs.models import ParseJob
from apps.jobs.progress import progress_of

MAX_STREAM_SECONDS = 60.0
HEARTBEAT_SECONDS = 10.0
PAUSE_SECONDS = 0.5
RETRY_MILLISECONDS = 500
RETRY_WITHOUT_PLACE_MILLISECONDS = 3000
EVENT_STREAM = "text/event-stream"


_EVENT = {
    "type": "object",
    "properties": {
        "event": {"type": "string", "enum": ["progress", "end", "deleted"]},
        "id": {"type": "string"},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
}


class PageProgress(BaseModel):
    total: int | None
    done: int
    succeeded: int
    failed: int


class ProgressEvent(BaseModel):
    """The data of an event ``progress``. ``queue_position`` is null once the job has begun."""

    job_id: str
    status: ApiStatus
    state: str
    stage: str
    pages: PageProgress
    queue_position: int | None
    estimated_seconds: float | None


@dataclass(frozen=True)
class Event:
    """``id`` changes when what the event says has changed, apart from the time that is left."""

    name: str
    id: str
    data: bytes

    def encoded(self) -> bytes:
        return b"event: %s\nid: %s\ndata: %s\n\n" % (self.name.encode(), self.id.encode(), self.data)


class ParseEvents(ApiView):
    refuses_unknown_parameters = True
    scopes = READS

    http_method_names = ["get"]  # noqa: RUF012

    @extend_schema(
        operation_id="get_parse_events",
        tags=["parse"],
        parameters=[
            OpenApiParameter("Last-Event-ID", {"type": "string", "maxLength": 100}, OpenApiParameter.HEADER),
            *query(),
        ],
        responses={
            (200, EVENT_STREAM): OpenApiResponse(_EVENT, "Events progress, and end as the last one"),
            204: OpenApiResponse(None, "The client has had the last event"),
            **PROBLEMS,
        },
    )
    def get(self, request: Request, job_id: str) -> HttpResponseBase:
        """Send the progress of a job as server-sent events, until it ends or for a minute.

        ``progress`` has the status, the stage, the pages, the place in the queue and the seconds left; ``end`` is the
        last event and has the job, as ``GET /api/v2/parse/{job_id}`` returns it.
        """
        job = find_job(project_of(request), job_id)
        last_id = request.META.get("HTTP_LAST_EVENT_ID", "")
        if job.has_ended and last_id == event_of(job).id:
            return HttpResponse(status=204)
        response = StreamingHttpResponse(_stream(job, last_id), content_type=f"{EVENT_STREAM}; charset=utf-8")
        response["X-Accel-Buffering"] = "no"  # nginx would collect the events
        return delivery.private(response)


def event_of(job: ParseJob) -> Event:
    """Return what a client has to know about the job now."""
    if job.has_ended:
        return _event("end", (job.pk, job.state, job.updated_at), to_json(represent_job(job)))
    progress = progress_of(job)
    left = progress.seconds_left
    event = ProgressEvent(
        job_id=job.pk,
        status=STATUS[job.state],
        state=job.state,
        stage=job.stage,
        pages=PageProgress(
            total=progress.pages_total,
            done=progress.pages_done,
            succeeded=progress.pages_succeeded,
            failed=progress.pages_failed,
        ),
        queue_position=progress.queue_position,
        estimated_seconds=None if left is None else round(left, 1),
    )
    return _event("progress", event.model_dump(exclude={"estimated_seconds"}), to_json(event))


def _event(name: str, facts: object, data: bytes) -> Event:
    return Event(name, hashlib.sha256(repr(facts).encode()).hexdigest()[:16], data)


def _stream(job: ParseJob, last_id: str) -> Iterator[bytes]:
    with long_poll.waiting_slot() as may_wait:
        yield b"retry: %d\n\n" % (RETRY_MILLISECONDS if may_wait else RETRY_WITHOUT_PLACE_MILLISECONDS)
        until = time.monotonic() + MAX_STREAM_SECONDS
        sent_at = 0.0
        while True:
            event = event_of(job)
            if event.id != last_id:
                yield event.encoded()
                last_id, sent_at = event.id, time.monotonic()
            elif time.monotonic() - sent_at > HEARTBEAT_SECONDS:
                yield b": the job goes on\n\n"
                sent_at = time.monotonic()
            if job.has_ended or not may_wait or time.monotonic() > until:
                return
            time.sleep(PAUSE_SECONDS)
            found = ParseJob.objects.filter(pk=job.pk).first()
            if found is None:
                gone = JobNotFound()
                yield Event("deleted", "", msgspec.json.encode(describe_error(gone.code, gone.detail))).encoded()
                return
            job = found
