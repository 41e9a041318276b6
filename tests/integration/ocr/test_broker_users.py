"""A broker user for OCR workers only: pages are recognized as before, and other tasks cannot be sent or read."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from amqp import Message
from amqp.exceptions import AccessRefused
from celery import Celery
from kombu import Connection, Exchange, Queue
from redis import Redis
from redis.exceptions import ResponseError

from ocr_worker import broker_user
from ocr_worker.celery import make_app
from tests import services
from tests.acceptance.running_service import ROOT, wait_for
from tests.rabbitmq import start_rabbitmq
from tests.services import Service

PASSWORD = "canary"


@contextmanager
def recognizing(url: str) -> Iterator[None]:
    """Run an OCR worker with this broker during the block."""
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environment |= {"CELERY_BROKER_URL": url, "OCR_WORKER": "1", "OCR_ENGINES": "null"}
    command = [sys.executable, "-m", "ocr_worker", "ocr_cpu"]
    with subprocess.Popen(command, env=environment, cwd=ROOT) as worker:
        try:
            yield
        finally:
            worker.terminate()


def accepts_a_page(app: Celery, waiting: Callable[[], list[Any]]) -> None:
    """Send a page to the OCR worker, and wait until its answer waits in the queue ``housekeeping``."""
    accept = app.signature("accept_ocr", queue="housekeeping")
    app.signature("recognize_page", args=[None], queue="ocr_cpu", link=accept).apply_async()
    wait_for(lambda: any("accept_ocr" in str(message) for message in waiting()), "the answer arrives", seconds=90)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Service]:
    """A Redis whose URL is that of the user for OCR workers; everything is allowed without a password."""
    acl = tmp_path / "users.acl"
    acl.write_text(f"user default on nopass ~* &* +@all\n{broker_user.redis_rule('ocr', PASSWORD)}\n", encoding="utf-8")
    server = services.start_redis(tmp_path)
    server.stop()
    server.command += ("--aclfile", str(acl))
    yield server.start()
    server.close()


def test_an_ocr_user_of_redis_recognizes_pages_and_sends_no_other_task(redis: Service) -> None:
    url = redis.url.replace("redis://", f"redis://ocr:{PASSWORD}@")
    with services.redis_client(redis.url) as everything, recognizing(url):
        app = make_app(redis.url)
        accepts_a_page(app, lambda: everything.lrange("housekeeping", 0, -1))
        assert app.control.ping(timeout=20, limit=1)
        assert {entry["object"] for entry in everything.acl_log()} == set()

    with Redis.from_url(url) as ocr:
        for forbidden in (
            lambda: ocr.lpush("llm", "{}"),
            lambda: ocr.lpush("parse_raw_file_job", "{}"),
            lambda: ocr.rpop("housekeeping"),
            lambda: ocr.hgetall("unacked"),
            lambda: ocr.publish("/0.celery.pidbox", "{}"),
            lambda: ocr.keys("*"),
            lambda: ocr.flushall(),
            lambda: ocr.config_get("*"),
            lambda: ocr.eval("return redis.call('LPUSH', 'llm', '{}')", 0),
        ):
            with pytest.raises(ResponseError, match=r"permission|can't run|access"):
                forbidden()
    with services.redis_client(redis.url) as everything:
        assert everything.llen("llm") == 0


@pytest.fixture
def rabbitmq(tmp_path: Path) -> Iterator[Service]:
    """A RabbitMQ with the user for OCR workers beside ``guest``, who may do everything."""
    server = start_rabbitmq(tmp_path)
    # Debian's rabbitmqctl in /usr/sbin becomes another user.
    environment = {**(server.environment or {}), "PATH": f"/usr/lib/rabbitmq/bin:{os.environ['PATH']}"}
    rights = shlex.split(broker_user.rabbitmq_rights().command("ocr"))
    try:
        for command in (["rabbitmqctl", "add_user", "ocr", PASSWORD], rights):
            done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120)
            assert done.returncode == 0, done.stderr
        yield server
    finally:
        server.close()


def test_an_ocr_user_of_rabbitmq_recognizes_pages_and_sends_no_other_task(rabbitmq: Service) -> None:
    everything = make_app(rabbitmq.url)
    for name in ("housekeeping", "llm", "ocr_cpu"):  # as the other workers do
        Queue(
            name,
            Exchange(name),
            name,
            queue_arguments={"x-queue-type": "quorum"},
            channel=everything.connection().default_channel,
        ).declare()
    url = rabbitmq.url.replace("guest:guest", f"ocr:{PASSWORD}")
    with everything.connection() as connection, recognizing(url):
        channel: Any = connection.channel()

        def answers() -> list[Any]:
            found = channel.basic_get("housekeeping", no_ack=True)
            return [] if found is None else [found.body, found.headers]

        accepts_a_page(everything, answers)
        assert everything.control.ping(timeout=20, limit=1)

        llm = Queue("llm", Exchange("llm"), "llm")
        for forbidden in (
            lambda channel: channel.basic_publish_confirm(Message("{}"), exchange="", routing_key="llm"),
            lambda channel: channel.basic_publish_confirm(Message("{}"), exchange="llm", routing_key="llm"),
            lambda channel: channel.basic_publish_confirm(Message("{}"), exchange="celery.pidbox"),
            lambda channel: channel.basic_publish_confirm(
                Message("{}"), exchange="celery_delayed_27", routing_key="llm"
            ),
            lambda channel: channel.basic_get("housekeeping"),
            lambda channel: channel.basic_get("llm"),
            lambda channel: channel.queue_purge("llm"),
            lambda channel: channel.queue_delete("housekeeping"),
            lambda channel: channel.queue_bind("ocr_cpu", "llm", "llm"),
            lambda channel: channel.queue_bind("llm", "ocr_cpu", "ocr_cpu"),
            lambda channel: llm(channel).declare(),
            lambda channel: channel.exchange_declare("amq.fanout2", "fanout"),
        ):
            with Connection(url) as own, pytest.raises(AccessRefused):
                forbidden(own.channel())
        assert channel.queue_declare("llm", passive=True).message_count == 0


def test_the_command_for_rabbitmq_is_printed() -> None:
    command = [sys.executable, "-m", "ocr_worker.broker_user", "ocr", "--rabbitmq", "--virtual-host", "leaf mill"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)

    rights = broker_user.rabbitmq_rights()
    assert shlex.split(done.stdout) == [
        *("rabbitmqctl", "set_permissions", "-p", "leaf mill", "ocr"),
        *(rights.configure, rights.write, rights.read),
    ]


def test_the_line_for_the_acl_file_is_printed() -> None:
    command = [sys.executable, "-m", "ocr_worker.broker_user", "ocr", "--database", "3"]
    done = subprocess.run(command, cwd=ROOT, input=PASSWORD, capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout.strip() == broker_user.redis_rule("ocr", PASSWORD, database=3)
    assert PASSWORD not in done.stdout
