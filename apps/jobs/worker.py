"""What a worker process does beside its tasks: look for lost work from a timer, and notice a child that died.

Imported by the Celery application when a worker starts.
"""

from __future__ import annotations

import logging
import random
import threading
from typing import Any

from billiard.exceptions import WorkerLostError
from celery.signals import (
    task_failure,
    task_postrun,
    task_prerun,
    worker_process_init,
    worker_ready,
    worker_shutting_down,
)
from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from apps.jobs import services
from apps.pages import isolation

logger = logging.getLogger(__name__)

_stopping = threading.Event()


@worker_ready.connect
def start_rescue_timer(**_: Any) -> None:
    """A thread of the worker's main process; of all workers one looks at a time."""
    threading.Thread(target=_look_for_lost_work, name="rescue", daemon=True).start()


@worker_shutting_down.connect
def stop_rescue_timer(**_: Any) -> None:
    _stopping.set()


@worker_process_init.connect
def warm_up(**_: Any) -> None:
    """Start the reader of this pool process, so that the first document does not wait for it."""
    isolation.shared_reader().start()


@task_prerun.connect
@task_postrun.connect
def keep_or_close_connections(**_: Any) -> None:
    """As between two requests: a connection is kept until it is old or broken."""
    close_old_connections()


@connection_created.connect
def do_not_wait_for_the_disk(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """What a worker commits may lose the last moments of a power cut, in order: the work is done again then.

    The commit that accepts a document is the web process's, and that one waits.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET synchronous_commit TO OFF")


@task_failure.connect
def give_up_lost_child(exception: BaseException | None = None, kwargs: dict[str, Any] | None = None, **_: Any) -> None:
    """The main process has seen a pool process die: its step need not wait for the lease to run out."""
    if not isinstance(exception, WorkerLostError) or not kwargs or "step_id" not in kwargs:
        return
    threading.Thread(target=_give_up, args=(kwargs["step_id"], kwargs["fence"]), daemon=True).start()


def _give_up(step_id: int, fence: int) -> None:
    try:
        job_id = services.lose_worker(step_id=step_id, fence=fence)
        if job_id is not None:
            services.move_on(job_id=job_id)
    except DatabaseError as error:
        logger.warning("Step %s of a lost process waits for its lease to run out (%s)", step_id, error)
    finally:
        connection.close()


def _look_for_lost_work() -> None:
    while not _stopping.wait(settings.RESCUE_SECONDS * random.uniform(0.9, 1.1)):
        try:
            services.rescue_jobs()
        except DatabaseError as error:
            logger.warning("The look for lost work failed (%s); the next one follows", error)
        except Exception:
            logger.exception("The look for lost work failed; the next one follows")
        finally:
            connection.close()
