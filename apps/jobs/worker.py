"""What a worker does beside its tasks: look for lost work from a timer, and notice a pool process that died.

Imported by the Celery application when a worker starts. The main process of a prefork pool forks whenever a pool
process dies, and SQLite does not survive a fork in the middle of a transaction: the copy of the connection damages the
log that both share. So the main process never touches the database. The timer runs in the pool processes, and what the
main process knows of a dead one reaches them through a pipe.
"""

from __future__ import annotations

import gc
import logging
import os
import random
import select
import sys
import threading
from typing import Any

from billiard.exceptions import WorkerLostError
from celery.signals import (
    task_failure,
    task_postrun,
    task_prerun,
    worker_process_init,
    worker_ready,
)
from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from apps import logs
from apps.jobs import services
from apps.jobs.services import alarm
from apps.jobs.states import NEXT_STAGE, Stage
from apps.pages import isolation
from apps.providers.shared import shared_gateway
from apps.providers.turns import database_turn

logger = logging.getLogger(__name__)

# Notes of one line, "STEP FENCE", from the main process to whichever pool process reads them first. Lines are shorter
# than what a pipe writes and reads in one piece.
_notes_in, _notes_out = os.pipe()
os.set_blocking(_notes_in, False)
os.set_blocking(_notes_out, False)
_NOTE_BYTES = 64
OBJECTS_BETWEEN_COLLECTIONS = 50_000
# Hundreds of threads that ask for the interpreter every 5 ms, as is Python's default, keep a core busy with asking.
SWITCH_SECONDS = 0.05


@worker_process_init.connect
def start_pool_process(**_: Any) -> None:
    """Start the reader of this pool process, so that the first document does not wait for it, and the timer.

    Pages are many small values without cycles: looking for cycles among them as often as Python does by default is
    wasted, and what was imported before the fork need not be looked at again.
    """
    _collect_seldom()
    isolation.shared_reader().start()
    _start_timer()


@worker_ready.connect
def start_main_process(sender: Any = None, **_: Any) -> None:
    """A worker whose pool is threads never forks: its timer runs in the one process it has."""
    if "prefork" not in type(sender.controller.pool).__module__:
        _start_timer()
    if any(settings.QUEUES[queue.name].page_parser for queue in sender.task_consumer.queues):
        alarm.start()
        sys.setswitchinterval(SWITCH_SECONDS)
        # Importing what calls models takes seconds: not while hundreds of threads wait for it.
        threading.Thread(target=_warm_up, name="warm-up", daemon=True).start()


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


@connection_created.connect
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
    if isinstance(exception, WorkerLostError) and kwargs and "step_id" in kwargs:
        note = f"{kwargs['step_id']} {kwargs['fence']}".encode().ljust(_NOTE_BYTES)
        try:
            os.write(_notes_out, note)
        except BlockingIOError:
            logger.warning("Step %s of a lost process waits for its lease to run out", kwargs["step_id"])


def _start_timer() -> None:
    threading.Thread(target=_look_for_lost_work, name="rescue", daemon=True).start()


def _look_for_lost_work() -> None:
    while True:
        pause = settings.RESCUE_SECONDS * random.uniform(0.9, 1.1)
        try:
            if select.select([_notes_in], [], [], pause)[0]:
                _give_up_noted_step()
            else:
                with database_turn():
                    if services.rescue_jobs() is not None:
                        services.ask_for_clean_up()
        except DatabaseError as error:
            logger.warning("The look for lost work failed (%s); the next one follows", error)
        except Exception:
            logger.exception("The look for lost work failed; the next one follows")
        finally:
            connection.close()


def _give_up_noted_step() -> None:
    try:
        step_id, fence = os.read(_notes_in, _NOTE_BYTES).split()
    except BlockingIOError:
        return  # another pool process was quicker
    step = services.lose_worker(step_id=int(step_id), fence=int(fence))
    if step is not None and step.stage in NEXT_STAGE:
        services.move_on(job_id=step.job_id, stage=Stage(step.stage))
