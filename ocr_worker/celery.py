"""The OCR worker's own Celery application: a broker, two queues, no database, no result store.

    python -m celery -A ocr_worker.celery worker -Q ocr_cpu

``python -m ocr_worker ocr_cpu`` also sets the right pool and width.
"""

from __future__ import annotations

import os
import socket
import uuid
from typing import Any

from celery import Celery
from celery.signals import worker_shutdown
from kombu import Exchange, Queue

from apps import VERSION
from apps.core import worker_heartbeat
from ocr_worker.broker_user import OCR_UNACKED
from ocr_worker.settings import broker_url

OCR_CPU, OCR_GPU, HOUSEKEEPING = "ocr_cpu", "ocr_gpu", "housekeeping"


def make_app(broker_url: str) -> Celery:
    """Return the application for this broker: ``amqp://``, ``redis://`` or ``redis+socket://``."""
    rabbitmq = broker_url.startswith("amqp")
    arguments = {"x-queue-type": "quorum"} if rabbitmq else None
    amqp = "ocr_worker.rabbitmq:OcrAMQP" if rabbitmq else "apps.core.broker_connection:AMQP"
    app = Celery("ocr_worker", amqp=amqp)
    if rabbitmq:
        app.conf.worker_consumer = "ocr_worker.rabbitmq:OcrConsumer"
    app.conf.update(
        broker_url=broker_url,
        broker_transport_options=(
            {"confirm_publish": True}
            if rabbitmq
            else {
                "visibility_timeout": 12 * 3600,
                "socket_keepalive": True,
                "socket_connect_timeout": 5,
                # Keys of their own, so that a broker user of OCR workers needs no right to messages of others.
                "unacked_key": OCR_UNACKED,
                "unacked_index_key": f"{OCR_UNACKED}_index",
                "unacked_mutex_key": f"{OCR_UNACKED}_mutex",
            }
        ),
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        task_queues=[
            Queue(name, Exchange(name, type="direct"), routing_key=name, queue_arguments=arguments)
            for name in (OCR_CPU, OCR_GPU, HOUSEKEEPING)
        ],
        task_create_missing_queues=False,
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=False,
        worker_prefetch_multiplier=1,
        worker_proc_alive_timeout=120.0,  # Celery's 4 seconds are too short to start an engine on a busy machine
        worker_send_task_events=True,
        worker_hijack_root_logger=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        task_serializer="json",
        accept_content=["json"],
        timezone="UTC",
    )
    app.steps["consumer"].add("apps.core.worker_heartbeat:Heartbeat")
    app.autodiscover_tasks(["ocr_worker"])
    return app


app = make_app(broker_url())

_worker_id = uuid.uuid4().hex


@worker_heartbeat.alive.connect
def _report_presence(sender: Any, **_: Any) -> None:
    width = sender.controller.concurrency
    notify(
        "ocr_worker_here",
        worker_id=_worker_id,
        name=sender.hostname,
        host=socket.gethostname(),
        pid=os.getpid(),
        queues=dict.fromkeys(sender.app.amqp.queues.consume_from, width),
        width=width,
        version=VERSION,
    )


@worker_shutdown.connect
def _report_end(**_: Any) -> None:
    notify("ocr_worker_gone", worker_id=_worker_id)


def notify(task: str, **arguments: Any) -> None:
    """Send a task to the housekeeping workers, which have the database. Losing one is harmless: the next repeats it."""
    from kombu.exceptions import OperationalError

    try:
        app.send_task(task, kwargs=arguments, queue=HOUSEKEEPING, ignore_result=True, retry=False, expires=60)
    except (OperationalError, OSError):
        return
