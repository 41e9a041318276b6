"""``recognize_page``: the only task of an OCR worker. For a failed page it returns an error code."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery import shared_task
from celery.signals import worker_process_shutdown

from apps.pages.model.errors import ParseError
from ocr_worker import transfer
from ocr_worker.celery import notify
from ocr_worker.engine import EngineProcess, OcrRequest
from ocr_worker.settings import settings

logger = logging.getLogger(__name__)


class _Engines(threading.local):
    process: EngineProcess | None = None


_engines = _Engines()


def _engine() -> EngineProcess:
    """Return the engine process of this pool process or thread. The first page starts it, because it needs 0.7 GB."""
    if _engines.process is None:
        _engines.process = EngineProcess(settings())
    return _engines.process


@worker_process_shutdown.connect
def _end_engines(**_: Any) -> None:
    _engine().close()


@shared_task(name="recognize_page")
def recognize_page(order: dict[str, Any] | None) -> dict[str, Any] | None:
    """Read the page image at ``order["image"]`` and store the recognition at ``order["answer"]``.

    ``order``: the request that the task ``render_page`` returned; None if no OCR is to follow. Return ids, an error
    code and times for the task ``accept_ocr``.
    """
    if order is None:
        return None
    outcome = {"step_id": order["step_id"], "fence": order["fence"], "code": "", "detail": ""}
    started = time.time()
    try:
        with _keep_lease(order):
            image = transfer.fetch(order["image"])
            transfer.deliver(order["answer"], _engine().recognize(image, OcrRequest.of_order(order)))
    except ParseError as error:
        logger.warning("Page %s of %s: %s: %s", order.get("page"), order.get("job"), error.code, error.detail)
        outcome |= {"code": error.code, "detail": error.detail}
    return outcome | {"worked": [started, time.time(), _name()]}


@contextmanager
def _keep_lease(request: dict[str, Any]) -> Iterator[None]:
    """Renew the lease: report at once, and then every ``alive_every_seconds``, that work on the page continues."""
    done = threading.Event()

    def report() -> None:
        while True:
            notify(
                "ocr_alive",
                step_id=request["step_id"],
                fence=request["fence"],
                job=request.get("job", ""),
                pages=str(request.get("page", "")),
                worker=_name(),
            )
            if done.wait(request["alive_every_seconds"]):
                return

    thread = threading.Thread(target=report, name="alive", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()


def _name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"
