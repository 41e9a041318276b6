"""Send the events of a job to its webhooks: rows in the transaction of the event, sent after its commit."""

from __future__ import annotations

from django.db import transaction

from apps.jobs import workflow
from apps.jobs.models import JobKind, ParseJob
from apps.jobs.states import JobState
from apps.webhooks import services as webhooks

EVENT_OF_STATE = {
    JobState.PENDING: "pending",
    JobState.RUNNING: "running",
    JobState.SUCCEEDED: "success",
    JobState.PARTIAL: "partial_success",
    JobState.FAILED: "error",
    JobState.CANCELLED: "cancelled",
}
_OF_SPLIT = {JobState.RUNNING: "processing", JobState.PARTIAL: "success"}


def event_of(kind: str, state: JobState) -> str:
    """Return the name of the event that a job of this kind is in this state now."""
    own = _OF_SPLIT if kind == JobKind.SPLIT else {}
    return f"{kind}.{own.get(state) or EVENT_OF_STATE[state]}"


def record(job_id: str, state: JobState) -> None:
    """Record that the job is in this state now."""
    if not webhooks.has_webhooks(job_id):
        return
    job = ParseJob.objects.only("project_id", "kind", "error_code", "error_detail").get(pk=job_id)
    data = {"id": job_id, "job_id": job_id, "project_id": str(job.project_id), "state": state.value}
    if job.error_code:
        data |= {"error_code": job.error_code, "error_message": job.error_detail}
    if webhooks.record_event(job_id=job_id, event=event_of(job.kind, state), data=data):
        transaction.on_commit(workflow.publish_webhook_delivery)
