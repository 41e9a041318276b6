"""The working folder of a reader and its children, which is gone when they are."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

_PREFIX = "leafmill-reader-"


class Scratch:
    """A private folder for user ``user_id`` (0: ours). A lock that ends with our process says that it is in use."""

    def __init__(self, user_id: int) -> None:
        _sweep({os.geteuid(), user_id})
        self.path, self._lock = _locked_folder()
        if user_id:
            os.chown(self.path, user_id, user_id)

    def remove(self) -> None:
        self.let_go()
        shutil.rmtree(self.path, ignore_errors=True)

    def let_go(self) -> None:
        """Close what we hold of it; the folder stays for the process that made it."""
        os.close(self._lock)


def _locked_folder() -> tuple[Path, int]:
    while True:
        path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        with suppress(FileNotFoundError):
            lock = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            fcntl.flock(lock, fcntl.LOCK_SH)
            if path.exists():
                return path, lock
            os.close(lock)  # another worker's sweep came between


def _sweep(owners: set[int]) -> None:
    """Remove the folders of workers that were killed before they could do it."""
    for entry in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            folder = os.open(entry, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(folder).st_uid in owners:
                    shutil.rmtree(entry, ignore_errors=True)
            finally:
                os.close(folder)
