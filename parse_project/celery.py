"""The Celery application: broker, chords, queues. The tasks are in apps/jobs/tasks.py."""

from __future__ import annotations

import os
import sys
from typing import Any

from celery import Celery
from kombu import Exchange, Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "parse_project.settings")

from django.conf import settings

from parse_project import broker
from parse_project.chords import backend_url


def make_app() -> Celery:
    broker.install()
    app = Celery("leafmill", amqp="apps.core.broker_connection:AMQP")
    app.conf.update(configuration())
    # Celery would close the database connection after each task, which costs more than a short task;
    # apps/jobs/worker.py keeps it as long as Django does.
    app.conf["CELERY_DB_REUSE_MAX"] = sys.maxsize
    app.steps["consumer"].add("parse_project.events:BufferedEvents")
    app.steps["consumer"].add("apps.core.worker_heartbeat:Heartbeat")
    app.autodiscover_tasks(["apps.jobs"])
    app.autodiscover_tasks(["apps.jobs"], related_name="worker")
    return app


def configuration() -> dict[str, Any]:
    rabbitmq = settings.CELERY_BROKER_URL.startswith("amqp")
    queue_arguments = {"x-queue-type": "quorum"} if rabbitmq else None
    # A publish fails after about a second. The row is the real queue entry, and rescue sends it again.
    transport: dict[str, Any] = {"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.1}
    transport |= (
        {"confirm_publish": True, "connect_timeout": 1}
        if rabbitmq
        else {
            "socket_connect_timeout": 1,
            "socket_timeout": 5,
            "socket_keepalive": True,
            # Rescue sends a lost message again within a minute, long before the broker would.
            "visibility_timeout": 12 * 3600,
            "queue_order_strategy": "round_robin",
        }
    )
    return {
        "broker_url": settings.CELERY_BROKER_URL,
        "broker_transport_options": transport,
        "broker_connection_timeout": 1,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "task_publish_retry": False,
        "result_backend": backend_url(settings.REDIS_URL),
        "redis_socket_connect_timeout": 1,
        "redis_socket_timeout": 5,
        "redis_retry_on_timeout": False,
        "result_backend_transport_options": {"retry_policy": {"max_retries": 1, "interval_start": 0, "timeout": 1.0}},
        "result_backend_always_retry": False,
        "result_expires": settings.MAX_JOB_SECONDS + 3600,
        "task_queues": [
            Queue(name, Exchange(name, type="direct"), routing_key=name, queue_arguments=queue_arguments)
            for name in settings.QUEUES
        ],
        "task_default_queue": "housekeeping",
        "task_create_missing_queues": False,
        "task_ignore_result": True,
        "task_acks_late": True,
        "task_reject_on_worker_lost": False,
        "worker_prefetch_multiplier": 1,
        "worker_consumer": "parse_project.consumer:Consumer",
        "worker_send_task_events": True,
        "task_send_sent_event": False,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "worker_hijack_root_logger": False,
        # Celery kills a pool process that has not started by then. Its 4 seconds are too short on a busy machine.
        "worker_proc_alive_timeout": 120.0,
        "worker_max_tasks_per_child": 5000,
        "worker_max_memory_per_child": 700_000,
        "task_serializer": "json",
        "accept_content": ["json"],
        "timezone": "UTC",
    }


app = make_app()
