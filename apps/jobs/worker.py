"""Work of a worker besides its tasks: rescue lost work on a timer, report itself and its dead pool processes.

The Celery application imports this module when a worker starts. The main process of a prefork pool forks whenever a
pool process dies, and SQLite does not survive a fork in the middle of a transaction: the copy of the connection damages
the write-ahead log that both share. So the main process does not use the database while it has a pool. The timer runs
in the pool processes, and the main process sends them its events (the worker is alive, it stops, a pool process died)
through a pipe. A pool of threads does the same within its one process.
"""

from __future__ import annotations

import gc
import logging
import os
import random
import select
import socket
import sys
import threading
import time
import uuid
from typing import Any

from billiard.exceptions import WorkerLostError
from celery import current_app
from celery.signals import (
    celeryd_after_setup,
    task_failure,
    task_postrun,
    task_prerun,
    worker_process_init,
    worker_process_shutdown,
    worker_ready,
    worker_shutdown,
    worker_shutting_down,
)
from django.conf import settings
from django.db import DatabaseError, close_old_connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.dispatch import receiver

from apps.core import grouped_writes, logs, tracing, worker_heartbeat
from apps.core.background_thread import log_failure
from apps.core.database_connections import borrowed_connection, close_idle_connections, commit_asynchronously
from apps.jobs import workflow
from apps.jobs.commands import clean_up, deliver_webhooks
from apps.jobs.scheduling import advance, claims, debounce, rescue, wake_up_timer, workers
from apps.jobs.stages import recognize
from apps.jobs.stages.model_calls import batches
from apps.jobs.stages.model_calls.page_threads import page_threads
from apps.jobs.states import NEXT_STAGE, Stage
from apps.pages.sandbox import client
from apps.providers.calls.process_gateway import process_gateway, width_of

logger = logging.getLogger(__name__)

# Events from the main process: "here", "gone", "lost STEP FENCE". The first pool process that reads one handles it. All
# have the same length, short enough for a pipe to write and read one in one piece.
_events_in, _events_out = os.pipe()
os.set_blocking(_events_in, False)
os.set_blocking(_events_out, False)
_EVENT_BYTES = 64
OBJECTS_BETWEEN_COLLECTIONS = 50_000
# Set before the pool is forked, so that pool processes have it, too.
_this_worker: workers.WorkerFacts | None = None
# What a document that takes over a reader of this process could still do; None until the reader has measured it.
_reader_escapes: tuple[str, ...] | None = None
# With Python's default of 5 ms, hundreds of threads keep a core busy with requests for the interpreter lock.
SWITCH_SECONDS = 0.05


@worker_process_init.connect
def start_pool_process(**_: Any) -> None:
    """Start the threads of this pool process, and its reader, so that the first document need not wait for it."""
    _collect_rarely()
    if _queues() != [workflow.CONVERT_QUEUE]:  # it reads no document itself
        client.shared_reader().start()
        threading.Thread(target=_measure_confinement, name="confinement", daemon=True).start()
    tracing.start(_queues())
    _start_threads()


@worker_process_shutdown.connect
def end_pool_process(**_: Any) -> None:
    """Flush traces: the interpreter's exit handlers do not run in a pool process."""
    tracing.stop()


@worker_ready.connect
def start_main_process(sender: Any = None, **_: Any) -> None:
    """Start the threads in this process if the pool consists of threads; such a worker never forks."""
    if "prefork" not in type(sender.controller.pool).__module__:
        tracing.start(_queues())
        _start_threads()
    if any(settings.QUEUES[queue.name].page_parser for queue in sender.task_consumer.queues):
        wake_up_timer.start()
        debounce.start()
        grouped_writes.start()
        sys.setswitchinterval(SWITCH_SECONDS)

        def warm_up() -> None:
            process_gateway().warm_up()
            _collect_rarely()

        # Importing the provider client takes seconds: do it before hundreds of threads wait for it.
        threading.Thread(target=warm_up, name="warm-up", daemon=True).start()
        threading.Thread(target=_look_after_batches, name="batches", daemon=True).start()


def _queues() -> list[str]:
    """Return the queues that this worker consumes."""
    return list(current_app.amqp.queues.consume_from)


def _collect_rarely() -> None:
    """Let the garbage collector run less often, and never over what was imported so far.

    Pages are many small values without cycles, so Python's default wastes time on them.
    """
    gc.freeze()
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS, 20, 20)


@task_prerun.connect
@task_postrun.connect
def keep_or_close_connections(**_: Any) -> None:
    """Close connections that are too old or broken, as Django does between two requests."""
    close_old_connections()


@task_prerun.connect
def begin_log(kwargs: dict[str, Any] | None = None, **_: Any) -> None:
    """Add the job to log lines of the task, Celery's own lines included."""
    if kwargs and "job" in kwargs:
        logs.begin(**logs.job(kwargs["job"], kwargs.get("pages", "")))


@task_postrun.connect
def end_log(**_: Any) -> None:
    logs.begin()


@receiver(connection_created)
def do_not_wait_for_the_disk(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Let PostgreSQL commit asynchronously in workers: after a power cut the last moments of work are repeated.

    The web process accepts documents, and its commits do wait; so does the ledger before a call is sent.
    """
    commit_asynchronously(connection)


@task_failure.connect
def report_lost_process(exception: BaseException | None = None, kwargs: dict[str, Any] | None = None, **_: Any) -> None:
    """Let the step of a dead pool process be reclaimed at once, before its lease expires."""
    if not (isinstance(exception, WorkerLostError) and kwargs and "step_id" in kwargs):
        return
    if not _send_event(f"lost {kwargs['step_id']} {kwargs['fence']}"):
        logger.warning("Step %s of a lost process is reclaimed only when its lease expires", kwargs["step_id"])


# --- this worker's row ---


@celeryd_after_setup.connect
def collect_worker_facts(instance: Any, **_: Any) -> None:
    global _this_worker
    width = instance.concurrency
    queues = instance.app.amqp.queues.consume_from
    if model_queues := [name for name in queues if settings.QUEUES[name].page_parser]:
        page_threads().start(model_queues)
    _this_worker = workers.WorkerFacts(
        id=uuid.uuid4().hex,
        name=instance.hostname,
        host=socket.gethostname(),
        pid=os.getpid(),
        queues={name: width_of(name) if settings.QUEUES[name].page_parser else width for name in queues},
        width=width,
        version=settings.VERSION,
    )


@worker_heartbeat.alive.connect
def report_alive(**_: Any) -> None:
    _send_event("here")


@worker_shutting_down.connect
def report_stopping(**_: Any) -> None:
    """Report that this worker accepts no new messages. Its running tasks may still take a while."""
    _send_event("gone")


@worker_shutdown.connect
def leave(**_: Any) -> None:
    """Wait for the pages of models, then record the end of this worker: the pool may not have read the last event.

    The main process may use the database now, because nothing is forked any more.
    """
    page_threads().finish()
    debounce.end()
    if _this_worker is not None:
        with log_failure("Recording the end of this worker"):
            workers.record_worker_stopped(_this_worker.id)
    close_idle_connections()


# --- the threads of a pool process ---


def _start_threads() -> None:
    for name, loop in (("rescue", _rescue_on_a_timer), ("events", _handle_events)):
        threading.Thread(target=loop, name=name, daemon=True).start()


def _rescue_on_a_timer() -> None:
    reclaims_from = 0.0  # by the monotonic clock
    while True:
        time.sleep(settings.RESCUE_SECONDS * random.uniform(0.9, 1.1))
        with log_failure("Rescuing lost work"), borrowed_connection():
            try:
                found = rescue.rescue_jobs(
                    accept_written_answer=recognize.accept_written_answer, reclaims=time.monotonic() >= reclaims_from
                )
            except DatabaseError:  # leases expire while the database is away
                reclaims_from = time.monotonic() + settings.LEASE.total_seconds() / 2
                raise
            if found is not None:
                clean_up.request_clean_up()
                deliver_webhooks.request_delivery()


def _measure_confinement() -> None:
    global _reader_escapes
    with log_failure("Starting a reader"):
        _reader_escapes = client.shared_reader().escapes()
        if not _reader_escapes:
            logger.info(
                "Readers are confined: a document that takes over its reader reaches nothing but its own result"
            )


def _look_after_batches() -> None:
    while True:
        time.sleep(batches.INTERVAL_SECONDS * random.uniform(0.9, 1.1))
        with log_failure("Looking after batches"), borrowed_connection():
            batches.look_after_batches()


def _handle_events() -> None:
    while True:
        select.select([_events_in], [], [])
        try:
            event, *arguments = os.read(_events_in, _EVENT_BYTES).decode().split()
        except BlockingIOError:
            continue  # another pool process was quicker
        with log_failure(f"Handling the event {event!r} of the main process"), borrowed_connection():
            match event, arguments:
                case "here", [] if _this_worker is not None:
                    workers.record_worker(_this_worker, _reader_escapes)
                case "gone", [] if _this_worker is not None:
                    workers.record_worker_stopped(_this_worker.id)
                case "lost", [step_id, fence]:
                    step = claims.reclaim_from_lost_worker(step_id=int(step_id), fence=int(fence))
                    if step is not None and step.stage in NEXT_STAGE:
                        advance.advance_if_done(job_id=step.job_id, stage=Stage(step.stage))


def _send_event(event: str) -> bool:
    """Send an event to the pool processes. Return False if the pipe is full because no process reads it."""
    try:
        os.write(_events_out, event.encode().ljust(_EVENT_BYTES))
    except BlockingIOError:
        return False
    return True
