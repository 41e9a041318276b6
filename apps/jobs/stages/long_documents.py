"""Limit how many long documents one worker splits or assembles at once (PDF_JOB_QUEUE_CONCURRENCY).

The processes of a worker share its slots as locked files named after the worker's main process. The kernel releases a
lock when its holder dies, so a killed process keeps no slot.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from apps.pages.model.page_numbers.ranges import DEFAULT_RANGE_PAGES


@contextmanager
def slot(*, pages: int) -> Iterator[bool]:
    """Hold a slot while the block runs. Yield False if no slot is free; a short document needs none."""
    if pages <= DEFAULT_RANGE_PAGES:
        yield True
        return
    folder = Path(tempfile.gettempdir()) / f"leafmill-slots-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    for number in range(settings.PDF_JOB_QUEUE_CONCURRENCY):
        handle = os.open(folder / f"{os.getppid()}.{number}", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            continue
        try:
            yield True
        finally:
            os.close(handle)
        return
    yield False
