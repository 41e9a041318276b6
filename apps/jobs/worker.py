"""What a worker process does beside its tasks: look for lost work from a timer, and notice a child that died.

Imported by the Celery application when a worker starts.
"""

from __future__ import annotations

import logging
import random
import threading
from typing import Any

from billiard.exceptions import WorkerLostError
from celery.signals import task_failure, worker_process_init, worker_ready, worker_shutting_down
from django.conf import settings
from django.db import DatabaseError, connection

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
