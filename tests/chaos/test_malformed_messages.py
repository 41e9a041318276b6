"""Messages that nobody can process, in the queues of a running service: they cost no worker and are counted."""

from __future__ import annotations

import pickle
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import kombu
import pytest

from tests.acceptance.backends import RABBITMQ
from tests.acceptance.running_service import PARSE_QUEUES, Backends, wait_for
from tests.chaos.corpus import write_corpus
from tests.chaos.rig import Rig
from tests.services import redis_client

TOKEN = "metrics-token"
TASK = {"task": "split_document", "id": "1", "lang": "py"}
# Body, content type, headers.
MESSAGES: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "bad JSON": (b'{"a":', "application/json", TASK),
    "no headers": (b"[]", "application/json", {}),
    "unknown task": (b"[[], {}, {}]", "application/json", TASK | {"task": "no_such_task"}),
    "wrong arguments": (b'[[1], {"x": 2}, {}]', "application/json", TASK),
    "not a list": (b"7", "application/json", TASK),
    "no id": (b'[[], {"step_id": 1, "fence": 1}, {}]', "application/json", {"task": "split_document"}),
    "pickle": (pickle.dumps([[], {}, {}]), "application/x-python-serialize", TASK),
    "another version": (b'[[], {"step_id": 1, "fence": 1, "new": {}}, {}]', "application/json", TASK),
    "text": (b"\xff\xfe", "text/plain", TASK),
}
RAW = (b"", b"no JSON", b"{}", b"[]", b'{"body": "!", "properties": {"body_encoding": "base64"}}', b"\xff")


def publish(backends: Backends, queue: str) -> None:
    """Put each message into the queue, and on Redis also entries that are no messages."""
    url = backends.environment["CELERY_BROKER_URL"]
    with kombu.Connection(url) as connection, connection.channel() as channel:
        send = partial(kombu.Producer(channel).publish, exchange="", routing_key=queue, content_encoding="utf-8")
        for body, content_type, headers in MESSAGES.values():
            send(body, content_type=content_type, headers=headers)
    if not url.startswith("amqp"):
        with redis_client(url) as client:
            client.lpush(queue, *RAW)


@pytest.mark.chaos
@pytest.mark.long
def test_malformed_messages_cost_no_worker(backends: Backends, tmp_path: Path) -> None:
    rig = Rig.make(backends, tmp_path / "service", METRICS_TOKEN=TOKEN)
    try:
        worker = rig.start_worker("parse")
        for queue in PARSE_QUEUES:
            publish(backends, queue)
        (tmp_path / "corpus").mkdir()
        job_id = rig.submit(write_corpus(tmp_path / "corpus", documents=1)[0])

        assert rig.service.wait(job_id, seconds=60) == "COMPLETED"
        assert worker.popen.poll() is None

        def put_aside() -> int:
            answer = httpx.get(f"{rig.service.url}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30)
            lines = [line for line in answer.text.splitlines() if line.startswith("leafmill_messages_put_aside_total")]
            return sum(int(float(line.rpartition(" ")[2])) for line in lines)

        raw = 0 if backends.name == RABBITMQ else len(RAW)
        # A message of a later version is no fault: its step does not exist here.
        expected = len(PARSE_QUEUES) * (len(MESSAGES) - 1 + raw)
        wait_for(lambda: put_aside() >= expected, f"{expected} messages are counted", seconds=30, pause=0.5)
        assert worker.popen.poll() is None
        assert b"Unrecoverable" not in worker.log.read_bytes()
    finally:
        rig.close()
