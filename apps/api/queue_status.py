"""Open work by queue, for autoscalers: KEDA reads ``total_messages``."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from pydantic import BaseModel
from rest_framework.request import Request

from apps.accounts.bearer import sends_token
from apps.api.base import PublicView, json_response
from apps.api.request_errors import Unauthenticated
from apps.api.schema import PROBLEMS
from apps.jobs.scheduling import queue_status


class QueueStatusItem(BaseModel):
    """One queue. Unknown values are null."""

    name: str
    messages: int
    waiting: int
    in_flight: int
    consumers: int
    healthy: bool
    paused: bool
    oldest_age_seconds: float | None
    open_pages: int
    work_seconds: float | None
    estimated_seconds: float | None
    broker_messages: int | None


class QueueStatusResponse(BaseModel):
    status: str
    queue_prefix: str
    total_messages: int
    queues: list[QueueStatusItem]


class QueueStatusz(PublicView):
    """Open work by queue, counted from rows. If the database or the broker does not respond: 503, not zero."""

    refuses_unknown_parameters = True  # without its prefix a scaler would count all queues

    @extend_schema(
        operation_id="queue_status",
        tags=["service"],
        parameters=[OpenApiParameter("queue_prefix", str, description="only queues whose names begin with this")],
        responses={200: QueueStatusResponse, **PROBLEMS},
    )
    def get(self, request: Request) -> HttpResponse:
        if not sends_token(request, settings.QUEUE_STATUS_TOKEN):
            raise Unauthenticated(
                "The token is missing or not valid. Send the header Authorization: Bearer TOKEN with the value of "
                "QUEUE_STATUS_TOKEN. API keys are not accepted here."
            )
        prefix = request.GET.get("queue_prefix", "")
        queues = queue_status.queue_status(prefix)
        return json_response(
            QueueStatusResponse(
                status="ok",
                queue_prefix=prefix,
                total_messages=sum(queue.messages for queue in queues),
                queues=[
                    QueueStatusItem(
                        name=queue.name,
                        messages=queue.messages,
                        waiting=queue.waiting,
                        in_flight=queue.in_flight,
                        consumers=queue.consumers,
                        healthy=queue.healthy,
                        paused=queue.paused,
                        oldest_age_seconds=_rounded(queue.oldest_age_seconds),
                        open_pages=queue.open_pages,
                        work_seconds=_rounded(queue.work_seconds),
                        estimated_seconds=_rounded(queue.estimated_seconds),
                        broker_messages=queue.broker_messages,
                    )
                    for queue in queues
                ],
            )
        )


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
