"""What a worker does beside its tasks: look for lost work from a timer, and notice a pool process that died.

Imported by the Celery application when a worker starts. The main process of a prefork pool forks whenever a pool
process dies, and SQLite does not survive a fork in the middle of a transaction: the copy of the connection damages the
log that both share. So the main process does not touch the database while it has a pool. The timer runs in the pool
processes, and what the main process has to say (a pool process died; the worker is there, or goes) reaches them through
a pipe. A pool of threads does the same within its one process.
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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
from django.db import DatabaseError, close_old_connections, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.dispatch import receiver

from apps.core import logs, tracing, worker_heartbeat
from apps.core.database_connections import close_shared, database_turn
from apps.jobs.commands import clean_up
from apps.jobs.scheduling import advance, claims, debounce, rescue, wake_up_timer, workers
from apps.jobs.stages import recognize
from apps.jobs.states import NEXT_STAGE, Stage
from apps.pages.sandbox import client
from apps.providers.calls.shared_gateway import shared_gateway, width_of

logger = logging.getLogger(__name__)

# Notes from the main process to whichever pool process reads them first: "here", "gone", "lost STEP FENCE". They are
# shorter than what a pipe writes and reads in one piece.
_notes_in, _notes_out = os.pipe()
os.set_blocking(_notes_in, False)
os.set_blocking(_notes_out, False)
_NOTE_BYTES = 64
OBJECTS_BETWEEN_COLLECTIONS = 50_000
# This worker; known before the pool is made, so that pool processes know it, too.
_me: workers.WorkerFacts | None = None
# Hundreds of threads that ask for the interpreter every 5 ms, as is Python's default, keep a core busy with asking.
SWITCH_SECONDS = 0.05


@worker_process_init.connect
def start_pool_process(**_: Any) -> None:
    """Start the reader of this pool process, so that the first document does not wait for it, and the two threads.

    Pages are many small values without cycles: looking for cycles among them as often as Python does by default is
    wasted, and what was imported before the fork need not be looked at again.
    """
    _collect_seldom()
    client.shared_reader().start()
    tracing.start(_queues())
    _start_threads()


@worker_process_shutdown.connect
def end_pool_process(**_: Any) -> None:
    """A pool process ends without the interpreter's own last things."""
    tracing.stop()


@worker_ready.connect
def start_main_process(sender: Any = None, **_: Any) -> None:
    """A worker whose pool is threads never forks: timer and notes have their threads in the one process there is."""
    if "prefork" not in type(sender.controller.pool).__module__:
        tracing.start(_queues())
        _start_threads()
    if any(settings.QUEUES[queue.name].page_parser for queue in sender.task_consumer.queues):
        wake_up_timer.start()
        debounce.start()
        sys.setswitchinterval(SWITCH_SECONDS)
        # Importing what calls models takes seconds: not while hundreds of threads wait for it.
        threading.Thread(target=_warm_up, name="warm-up", daemon=True).start()


def _queues() -> list[str]:
    """Those that this worker takes from."""
    return list(current_app.amqp.queues.consume_from)


def _warm_up() -> None:
    shared_gateway().warm_up()
    _collect_seldom()


def _collect_seldom() -> None:
    gc.freeze()
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS, 20, 20)


@task_prerun.connect
@task_postrun.connect
def keep_or_close_connections(**_: Any) -> None:
    """As between two requests: a connection is kept until it is old or broken."""
    close_old_connections()


@task_prerun.connect
def begin_log(kwargs: dict[str, Any] | None = None, **_: Any) -> None:
    """What Celery says of the task, too, names its job."""
    if kwargs and "job" in kwargs:
        logs.begin(**logs.job(kwargs["job"], kwargs.get("pages", "")))


@task_postrun.connect
def end_log(**_: Any) -> None:
    logs.begin()


@receiver(connection_created)
def do_not_wait_for_the_disk(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """What a worker commits may lose the last moments of a power cut, in order: the work is done again then.

    The commit that accepts a document is the web process's, and that one waits.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET synchronous_commit TO OFF")


@task_failure.connect
def note_lost_process(exception: BaseException | None = None, kwargs: dict[str, Any] | None = None, **_: Any) -> None:
    """The main process has seen a pool process die: its step need not wait for the lease to run out."""
    if not (isinstance(exception, WorkerLostError) and kwargs and "step_id" in kwargs):
        return
    if not _write_note(f"lost {kwargs['step_id']} {kwargs['fence']}"):
        logger.warning("Step %s of a lost process waits for its lease to run out", kwargs["step_id"])


# --- telling of this worker ---


@celeryd_after_setup.connect
def know_myself(instance: Any, **_: Any) -> None:
    global _me
    width = instance.concurrency
    queues = instance.app.amqp.queues.consume_from
    _me = workers.WorkerFacts(
        id=uuid.uuid4().hex,
        name=instance.hostname,
        host=socket.gethostname(),
        pid=os.getpid(),
        queues={name: width_of(name) if settings.QUEUES[name].page_parser else width for name in queues},
        width=width,
        version=settings.VERSION,
    )


@worker_heartbeat.alive.connect
def say_that_we_are_here(**_: Any) -> None:
    _write_note("here")


@worker_shutting_down.connect
def say_that_we_go(**_: Any) -> None:
    """Nothing more is taken from now on, though what is held may take a while."""
    _write_note("gone")


@worker_shutdown.connect
def leave(**_: Any) -> None:
    """The pool has ended, perhaps before it came to its last note; nothing is forked any more."""
    debounce.end()
    if _me is not None:
        with _log_failure("The last word of this worker"):
            workers.record_worker_stopped(_me.id)
    close_shared()


# --- the threads of a pool process ---


def _start_threads() -> None:
    for name, loop in (("rescue", _look_for_lost_work), ("notes", _read_notes)):
        threading.Thread(target=loop, name=name, daemon=True).start()


def _look_for_lost_work() -> None:
    while True:
        time.sleep(settings.RESCUE_SECONDS * random.uniform(0.9, 1.1))
        with _log_failure("The look for lost work"), database_turn():
            if rescue.rescue_jobs(accept_written_answer=recognize.accept_written_answer) is not None:
                clean_up.ask_for_clean_up()


def _read_notes() -> None:
    while True:
        select.select([_notes_in], [], [])
        try:
            note, *arguments = os.read(_notes_in, _NOTE_BYTES).decode().split()
        except BlockingIOError:
            continue  # another pool process was quicker
        with _log_failure("What the main process noted"), database_turn():
            _NOTES[note](*arguments)


def _here() -> None:
    if _me is not None:
        workers.record_worker(_me)


def _gone() -> None:
    if _me is not None:
        workers.record_worker_stopped(_me.id)


def _lost(step_id: str, fence: str) -> None:
    step = claims.reclaim_from_lost_worker(step_id=int(step_id), fence=int(fence))
    if step is not None and step.stage in NEXT_STAGE:
        advance.advance_if_done(job_id=step.job_id, stage=Stage(step.stage))


_NOTES: dict[str, Callable[..., None]] = {"here": _here, "gone": _gone, "lost": _lost}


def _write_note(note: str) -> bool:
    """False when nobody has read for long."""
    try:
        os.write(_notes_out, note.encode().ljust(_NOTE_BYTES))
    except BlockingIOError:
        return False
    return True


@contextmanager
def _log_failure(what: str) -> Iterator[None]:
    """A database that is away is a line in the log and no more; the connection is given back either way."""
    try:
        yield
    except DatabaseError as error:
        logger.warning("%s failed: %s", what, error)
    except Exception:
        logger.exception("%s failed", what)
    finally:
        connection.close()
