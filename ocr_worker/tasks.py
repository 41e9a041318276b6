"""``recognize_page``: the one task of an OCR worker. It never raises for what a page does: a code goes on instead."""

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
from ocr_worker.celery import tell
from ocr_worker.engine import EngineProcess, OcrRequest
from ocr_worker.settings import settings

logger = logging.getLogger(__name__)


class _Engines(threading.local):
    process: EngineProcess | None = None


_engines = _Engines()


def _engine() -> EngineProcess:
    """The engine process of this pool process or thread; started by the first page, since it takes 0.7 GB."""
    if _engines.process is None:
        _engines.process = EngineProcess(settings())
    return _engines.process


@worker_process_shutdown.connect
def _end_engines(**_: Any) -> None:
    _engine().close()


@shared_task(name="recognize_page")
def recognize_page(order: dict[str, Any] | None) -> dict[str, Any] | None:
    """Read the page image that ``order`` names and leave the answer where it says; ids, a code and times go on."""
    if order is None:
        return None
    outcome = {"step_id": order["step_id"], "fence": order["fence"], "code": "", "detail": ""}
    begun = time.time()
    try:
        with _alive(order):
            image = transfer.fetch(order["image"])
            how = OcrRequest(tuple(order.get("languages") or ()), bool(order.get("high_resolution")))
            transfer.deliver(order["answer"], _engine().recognize(image, how))
    except ParseError as error:
        logger.warning("Page %s of %s: %s: %s", order.get("page"), order.get("job"), error.code, error.detail)
        outcome |= {"code": error.code, "detail": error.detail}
    return outcome | {"worked": [begun, time.time(), _name()]}


@contextmanager
def _alive(order: dict[str, Any]) -> Iterator[None]:
    """Say at once and then every few seconds that this page is being worked on: its lease is renewed by it."""
    done = threading.Event()

    def say() -> None:
        while True:
            tell(
                "ocr_alive",
                step_id=order["step_id"],
                fence=order["fence"],
                job=order.get("job", ""),
                pages=str(order.get("page", "")),
                worker=_name(),
            )
            if done.wait(order["alive_every_seconds"]):
                return

    thread = threading.Thread(target=say, name="alive", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()


def _name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"
