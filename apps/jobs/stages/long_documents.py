"""How many long documents one worker splits or assembles at once (PDF_JOB_QUEUE_CONCURRENCY).

The processes of a worker share its slots as locked files named after the worker's main process. The kernel gives a
lock back when its holder dies, so a killed process keeps no slot.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

LONG_DOCUMENT_PAGES = 16


@contextmanager
def slot(*, pages: int) -> Iterator[bool]:
    """Hold a slot while the block runs; False when the worker is busy with enough long documents already."""
    if pages <= LONG_DOCUMENT_PAGES:
        yield True
        return
    for number in range(settings.PDF_JOB_QUEUE_CONCURRENCY):
        handle = os.open(_folder() / f"{os.getppid()}.{number}", os.O_RDWR | os.O_CREAT, 0o600)
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


def _folder() -> Path:
    folder = Path(tempfile.gettempdir()) / f"leafmill-slots-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder
