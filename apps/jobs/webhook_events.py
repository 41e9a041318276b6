"""Send the events of a job to its webhooks: rows in the transaction of the event, sent after its commit."""

from __future__ import annotations

from django.db import transaction

from apps.jobs import workflow
from apps.jobs.models import ParseJob
from apps.jobs.states import JobState
from apps.webhooks import services as webhooks

EVENT_OF_STATE = {
    JobState.PENDING: "parse.pending",
    JobState.RUNNING: "parse.running",
    JobState.SUCCEEDED: "parse.success",
    JobState.PARTIAL: "parse.partial_success",
    JobState.FAILED: "parse.error",
    JobState.CANCELLED: "parse.cancelled",
}


def record(job_id: str, state: JobState) -> None:
    """Record that the job is in this state now."""
    if not webhooks.has_webhooks(job_id):
        return
    job = ParseJob.objects.only("project_id", "error_code", "error_detail").get(pk=job_id)
    data = {"id": job_id, "job_id": job_id, "project_id": str(job.project_id), "state": state.value}
    if job.error_code:
        data |= {"error_code": job.error_code, "error_message": job.error_detail}
    if webhooks.record_event(job_id=job_id, event=EVENT_OF_STATE[state], data=data):
        transaction.on_commit(workflow.publish_webhook_delivery)
