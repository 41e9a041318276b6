"""Send due webhooks, in one worker at a time, so that receivers that hang occupy one housekeeping thread at most."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec

from apps.documents.errors import StorageUnavailable
from apps.jobs import queries, workflow
from apps.jobs.errors import ResultMissing
from apps.jobs.models import ParseJob
from apps.jobs.scheduling.leader_lock import acquire_leader_lock, release_leader_lock, renew_leader_lock
from apps.webhooks import delivery

LOCK = "deliver_webhooks"
LOCKED_FOR = timedelta(seconds=30)  # longer than a request; renewed about once a second
BETWEEN_REQUESTS = timedelta(seconds=5)
MAX_RESULT_BYTES = 16 * 1024 * 1024


def request_delivery() -> None:
    """Start sending in a worker if something is due, at most every few seconds for all callers together."""
    if delivery.has_due() and acquire_leader_lock("request_webhooks", duration=BETWEEN_REQUESTS):
        workflow.publish_webhook_delivery()


def deliver_webhooks() -> int:
    """Send what is due. Return the number of attempts, 0 if another worker is sending."""
    if not acquire_leader_lock(LOCK, duration=LOCKED_FOR):
        return 0

    def renew() -> bool:
        renew_leader_lock(LOCK, duration=LOCKED_FOR)
        return True

    try:
        return delivery.deliver_due(read_result=result_of, keep_going=renew)
    finally:
        release_leader_lock(LOCK)


def result_of(job_id: str) -> bytes:
    """Return the body of LlamaParse's first form: text, Markdown, both page by page, and the names of pictures.

    Raises LookupError if there is no result, ValueError if it is too large, OSError.
    """
    job = ParseJob.objects.filter(pk=job_id).first()
    if job is None:
        raise LookupError("The job was deleted before its result was sent.")
    if not job.result_folder:
        body = {"status": "ERROR", "error_code": job.error_code, "error_message": job.error_detail}
        return msgspec.json.encode({"job_id": job_id, **body})
    text, markdown = _read(job, "text.txt").decode(), _read(job, "markdown.md").decode()
    texts, markdowns = _pages(job, "text.json"), _pages(job, "markdown.json")
    pages = [
        {"page": page["page_number"], "text": page.get("text", ""), "md": markdowns.get(number, {}).get("markdown", "")}
        for number, page in texts.items()
    ]
    return msgspec.json.encode({"job_id": job_id, "txt": text, "md": markdown, "json": pages, "images": []})


def _pages(job: ParseJob, name: str) -> dict[int, dict[str, Any]]:
    return {page["page_number"]: page for page in msgspec.json.decode(_read(job, name) or b'{"pages":[]}')["pages"]}


def _read(job: ParseJob, name: str) -> bytes:
    try:
        source = queries.open_result(job, name)
    except StorageUnavailable as error:
        raise OSError(error.detail) from error
    except ResultMissing as error:
        raise LookupError(error.detail) from error
    if source is None:
        return b""
    with source:
        content = source.read(MAX_RESULT_BYTES + 1)
    if len(content) > MAX_RESULT_BYTES:
        raise ValueError("The result is too large for a webhook. Use webhook_configurations, whose body is short.")
    return content
