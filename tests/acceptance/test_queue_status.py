"""The queue status for autoscalers, on every set of backends: it counts rows and does not depend on the broker."""

from __future__ import annotations

from typing import Any

import pytest

from apps.capacity.simulation.autoscaling import desired_replicas
from tests.acceptance.running_service import RunningService

PREFIX = "parse_raw_file_job"
OPEN = f"SELECT count(*) FROM jobs_step WHERE state IN ('pending', 'running') AND queue LIKE '{PREFIX}%'"
# Jobs of up to 500 ranges of 4 pages, as splitting creates them; each job sends as many messages as its window allows.
OPEN_WORK = """
from django.utils import timezone
from apps.accounts.services import default_project
from apps.jobs.models import ParseJob
from apps.jobs.scheduling.dispatch import dispatch_due
from apps.jobs.stages.extract import make_ranges
left, now = {messages}, timezone.now()
while left:
    ranges = min(left, 500)
    job = ParseJob.objects.create(
        project=default_project(), document_name="long.pdf", mode="fast", tier="fast", version="latest",
        state="running", stage="extract", created_at=now, updated_at=now, deadline_at=now + timezone.timedelta(hours=1),
    )
    make_ranges(job, range(1, 4 * ranges + 1))
    left -= ranges
dispatch_due()
"""
NO_WORK = "from apps.jobs.models import ParseJob; ParseJob.objects.all().delete()"


def status(service: RunningService) -> dict[str, Any]:
    with service.client() as client:
        answer = client.get("/api/queue-statusz", params={"queue_prefix": PREFIX})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def broker_messages(service: RunningService) -> int:
    return sum(queue["broker_messages"] for queue in status(service)["queues"])


@pytest.mark.parametrize(
    ("messages", "target", "minimum", "maximum", "pods"),
    [(130, 20, 3, 12, 7), (1_500, 20, 12, 120, 75), (20_000, 100, 96, 600, 200)],
    ids=["development", "staging", "production"],
)
def test_the_total_is_the_same_before_and_after_a_flush_of_the_broker(
    service: RunningService, messages: int, target: int, minimum: int, maximum: int, pods: int
) -> None:
    service.run_python(OPEN_WORK.format(messages=messages))
    try:
        assert service.number(OPEN) == messages
        assert 0 < broker_messages(service) < messages

        for _ in range(2):
            total = status(service)["total_messages"]
            assert total == messages
            assert desired_replicas(total, target=target, minimum=minimum, maximum=maximum, current=minimum) == pods
            service.backends.flush()
        assert broker_messages(service) == 0
    finally:
        service.run_python(NO_WORK)
        service.backends.flush()


def test_a_broker_that_is_down_gives_an_error_and_not_zero(service: RunningService) -> None:
    service.backends.stop_broker()
    try:
        with service.client() as client:
            answer = client.get("/api/queue-statusz", params={"queue_prefix": PREFIX})
        assert (answer.status_code, answer.json()["code"]) == (503, "broker_unavailable")
    finally:
        service.backends.start_broker()
    assert status(service)["total_messages"] == 0
