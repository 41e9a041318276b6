"""The working folder of a reader and its children, removed when they have ended."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

_PREFIX = "leafmill-reader-"


class Scratch:
    """A private folder for user ``user_id`` (0: ours). A file lock, released when we end, marks it as used."""

    def __init__(self, user_id: int) -> None:
        _sweep({os.geteuid(), user_id})
        while True:
            self.path = Path(tempfile.mkdtemp(prefix=_PREFIX))
            with suppress(FileNotFoundError):
                self._lock = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
                fcntl.flock(self._lock, fcntl.LOCK_SH)
                if self.path.exists():
                    break
                os.close(self._lock)  # another worker's sweep removed the folder before it was locked
        if user_id:
            os.chown(self.path, user_id, user_id)

    def remove(self) -> None:
        self.close()
        shutil.rmtree(self.path, ignore_errors=True)

    def close(self) -> None:
        """Close our lock; leave the folder to the process that made it."""
        os.close(self._lock)


def empty(folder: Path) -> None:
    """Remove the files that a child left, so that no child finds those of another."""
    for entry in list(os.scandir(folder)):
        with suppress(OSError):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                Path(entry.path).unlink()


def _sweep(owners: set[int]) -> None:
    """Remove the folders of workers that were killed before they could remove them."""
    for entry in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            folder = os.open(entry, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(folder).st_uid in owners:
                    shutil.rmtree(entry, ignore_errors=True)
            finally:
                os.close(folder)
