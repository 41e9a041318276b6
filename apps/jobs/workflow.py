"""The only module with the names of Celery tasks and with Celery's canvas.

Messages contain ids and fences, never content. Work on pages is published as a chord, called a *window*: its members
are ranges or pages, and its body calls ``dispatch_due`` for more. Nothing depends on the body: the worker that ends the
last step of a stage advances the job. Results are ignored, also those of the members: the chord counts without them,
and a process that waits for results has a connection that does not survive a restart of Redis.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from django.conf import settings

from apps.jobs.errors import BrokerUnavailable
from apps.jobs.models import Step
from apps.jobs.states import Stage

if TYPE_CHECKING:
    from celery import Celery
    from celery.canvas import Signature

logger = logging.getLogger(__name__)

SPLIT_DOCUMENT = "split_document"
CONVERT_DOCUMENT = "convert_document"
EXTRACT_PAGES = "extract_pages"
PLAN_PAGES = "plan_pages"
ROUTE_PAGES = "route_pages"
RENDER_PAGE = "render_page"
RECOGNIZE_PAGE = "recognize_page"
ACCEPT_OCR = "accept_ocr"
OCR_ALIVE = "ocr_alive"
OCR_WORKER_HERE, OCR_WORKER_GONE = "ocr_worker_here", "ocr_worker_gone"
PARSE_PAGE_WITH = {
    "llm": "parse_page_with_llm",
    "lvm": "parse_page_with_lvm",
    "agent": "parse_page_with_agent",
}
ANNOTATE_PAGES = "annotate_pages"
ASSEMBLE_DOCUMENT = "assemble_document"
CLOSE_WINDOW = "close_window"
CLEAN_UP = "clean_up"
DELIVER_WEBHOOKS = "deliver_webhooks"

PARSE_QUEUE = "parse_raw_file_job"
CONVERT_QUEUE = "convert"
PAGES_QUEUE = "parse_raw_file_job_pages"
OCR_CPU_QUEUE, OCR_GPU_QUEUE = "ocr_cpu", "ocr_gpu"
ANNOTATION_QUEUE = "llm"
HOUSEKEEPING_QUEUE = "housekeeping"

BROKER_TIMEOUT_SECONDS = 5
WEBHOOK_MESSAGE_SECONDS = 60.0
# A message for a model queue contains several pages: claims, and what Celery does per message, cost less CPU together.
# It has a small part of a worker's width, because a worker waits until it has threads for all pages of a message.
MAX_PAGES_PER_MESSAGE = 16
MESSAGES_PER_WIDTH = 16

TASK_OF_STAGE = {
    Stage.SPLIT: SPLIT_DOCUMENT,
    Stage.CONVERT: CONVERT_DOCUMENT,
    Stage.EXTRACT: EXTRACT_PAGES,
    Stage.PLAN: PLAN_PAGES,
    Stage.RECOGNIZE: RENDER_PAGE,
    Stage.ROUTE: ROUTE_PAGES,
    Stage.ANNOTATE: ANNOTATE_PAGES,
    Stage.ASSEMBLE: ASSEMBLE_DOCUMENT,
}
QUEUE_OF_STAGE = {
    Stage.SPLIT: PARSE_QUEUE,
    Stage.CONVERT: CONVERT_QUEUE,
    Stage.EXTRACT: PAGES_QUEUE,
    Stage.PLAN: PARSE_QUEUE,
    Stage.ROUTE: PARSE_QUEUE,
    Stage.ANNOTATE: ANNOTATION_QUEUE,
    Stage.ASSEMBLE: PARSE_QUEUE,
}
"""A step of OCR is in one of ``OCR_QUEUES``, a step of a model in the queue of its parser."""
OCR_QUEUES = (OCR_CPU_QUEUE, OCR_GPU_QUEUE)
MODEL_QUEUES = tuple(PARSE_PAGE_WITH)
PAGE_BY_PAGE = frozenset({Stage.RECOGNIZE, Stage.MODEL, Stage.ANNOTATE})
"""Stages with one message per page. Until the messages are sent, a row holds many pages."""
QUEUES_OF_PAGE_STAGE = {
    Stage.EXTRACT: (PAGES_QUEUE,),
    Stage.RECOGNIZE: OCR_QUEUES,
    Stage.MODEL: MODEL_QUEUES,
    Stage.ANNOTATE: (ANNOTATION_QUEUE,),
}


@dataclass(frozen=True)
class Message:
    """The contents of a step's message; ``pages`` and ``job`` are for people who read Flower.

    ``others``: ids and fences of further steps, if it is the message of several pages.
    """

    step_id: int
    fence: int
    stage: Stage
    queue: str
    job: str
    pages: str
    others: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, step: Step) -> Message:
        return cls(step.pk, step.fence, Stage(step.stage), step.queue, step.job_id, step.pages)


def publish_step(message: Message) -> bool:
    """Publish one message. Log it and return False if the broker does not accept it."""
    return _publish(lambda: signature_of(message).apply_async(), f"{message.stage} of {message.job}")


def publish_window(messages: Sequence[Message]) -> bool:
    """Publish steps of one job and stage as one chord. Return False if the broker does not accept it."""
    from celery import chord

    job = messages[0].job
    body = _app().signature(CLOSE_WINDOW, kwargs={"job": job}, queue=PARSE_QUEUE, immutable=True, ignore_result=True)
    header = [signature_of(message) for message in merge_pages(messages)]
    return _publish(lambda: chord(header, body).apply_async(), f"a window of {len(messages)} steps of {job}")


def merge_pages(messages: Sequence[Message]) -> Sequence[Message]:
    """Return messages with several pages each if they are for a model, otherwise the same messages."""
    if messages[0].stage not in (Stage.MODEL, Stage.ANNOTATE):
        return messages
    size = max(1, min(MAX_PAGES_PER_MESSAGE, settings.QUEUES[messages[0].queue].width // MESSAGES_PER_WIDTH))
    groups = [messages[start : start + size] for start in range(0, len(messages), size)]
    return [
        replace(
            group[0],
            pages=",".join(message.pages for message in group),
            others=tuple((message.step_id, message.fence) for message in group[1:]),
        )
        for group in groups
    ]


def publish_clean_up(*, expires_seconds: float) -> bool:
    """Publish a round of housekeeping, which removes expired jobs. The message expires after ``expires_seconds``."""
    task = _app().signature(CLEAN_UP, queue=HOUSEKEEPING_QUEUE, immutable=True, ignore_result=True)
    return _publish(lambda: task.apply_async(expires=expires_seconds), "a round of housekeeping")


def publish_webhook_delivery() -> bool:
    """Publish a round of sending webhooks. If the message is lost, the rescue timer of a worker publishes another."""
    task = _app().signature(DELIVER_WEBHOOKS, queue=HOUSEKEEPING_QUEUE, immutable=True, ignore_result=True)
    return _publish(lambda: task.apply_async(expires=WEBHOOK_MESSAGE_SECONDS), "a round of webhooks")


@dataclass(frozen=True)
class BrokerQueue:
    """A queue in the broker: its waiting messages and, where the broker knows it, its consumers."""

    messages: int
    consumers: int | None


def broker_queues(queues: Collection[str]) -> dict[str, BrokerQueue]:
    """Return the broker's queues. Redis does not know consumers. Raise BrokerUnavailable if it does not answer."""
    from amqp.exceptions import AMQPError
    from kombu.exceptions import OperationalError
    from redis.exceptions import RedisError

    on_rabbitmq = settings.CELERY_BROKER_URL.startswith("amqp")
    timeouts = {"read_timeout": BROKER_TIMEOUT_SECONDS} if on_rabbitmq else {}
    try:
        with _app().connection_for_read(transport_options=timeouts) as connection:
            connection.ensure_connection(max_retries=1, timeout=1)
            return _rabbitmq_queues(connection, queues) if on_rabbitmq else _redis_queues(connection, queues)
    except (OperationalError, AMQPError, RedisError, OSError) as error:
        raise BrokerUnavailable from error


def _rabbitmq_queues(connection: Any, queues: Collection[str]) -> dict[str, BrokerQueue]:
    """Query RabbitMQ by passive declarations. A queue that does not exist yet is empty."""
    from amqp.exceptions import NotFound

    found = {}
    channel = connection.channel()
    for queue in queues:
        try:
            declared = channel.queue_declare(queue=queue, passive=True)
        except NotFound:  # closes the channel
            found[queue] = BrokerQueue(0, 0)
            channel = connection.channel()
        else:
            found[queue] = BrokerQueue(declared.message_count, declared.consumer_count)
    return found


def _redis_queues(connection: Any, queues: Collection[str]) -> dict[str, BrokerQueue]:
    """Query Redis in one pipeline for the lengths of the lists in which kombu stores a queue, one per priority."""
    with connection.channel() as channel:
        priorities = ["", *(f"{channel.sep}{step}" for step in channel.priority_steps if step)]
        pipe = channel.client.pipeline(transaction=False)
        for queue in queues:
            for priority in priorities:
                pipe.llen(f"{queue}{priority}")
        lengths = iter(pipe.execute())
    return {queue: BrokerQueue(sum(next(lengths) for _ in priorities), None) for queue in queues}


def queue_length(queue: str) -> int | None:
    """Return the number of messages in the broker's queue, or None if the broker does not answer."""
    try:
        return broker_queues([queue])[queue].messages
    except BrokerUnavailable:
        return None


def signature_of(message: Message) -> Signature[Any]:
    """Return the step's Celery signature: one task, or for OCR a chain of three: render, recognize, accept."""
    if message.stage is Stage.MODEL:
        return _task(message, PARSE_PAGE_WITH[message.queue], message.queue)
    if message.stage is not Stage.RECOGNIZE:
        return _task(message, TASK_OF_STAGE[message.stage], QUEUE_OF_STAGE[message.stage])
    from celery import chain

    return chain(
        _task(message, RENDER_PAGE, PAGES_QUEUE),
        _app().signature(RECOGNIZE_PAGE, queue=message.queue, ignore_result=True, **_shown(message)),
        _app().signature(ACCEPT_OCR, queue=HOUSEKEEPING_QUEUE, ignore_result=True, **_shown(message)),
    )


def _shown(message: Message) -> dict[str, str]:
    """Return what Flower shows instead of arguments that hold signed links."""
    return {"argsrepr": "()", "kwargsrepr": repr(_arguments(message))}


def _arguments(message: Message) -> dict[str, Any]:
    arguments = {"step_id": message.step_id, "fence": message.fence, "job": message.job, "pages": message.pages}
    return arguments | ({"others": message.others} if message.others else {})


def _task(message: Message, name: str, queue: str) -> Signature[Any]:
    return _app().signature(
        name,
        kwargs=_arguments(message),
        queue=queue,
        immutable=True,
        ignore_result=True,
    )


def _publish(publish: Callable[[], object], subject: str) -> bool:
    """Call ``publish``. Log it and return False if the broker does not accept ``subject``."""
    from kombu.exceptions import OperationalError
    from redis.exceptions import RedisError

    try:
        publish()
    except (OperationalError, RedisError, OSError) as error:
        logger.warning("The broker did not accept %s (%s); it will be sent later from the database", subject, error)
        return False
    return True


@cache
def _app() -> Celery:
    app: Celery = import_module(settings.CELERY_APP).app
    return app
