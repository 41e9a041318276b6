"""Checks before the start: data folder usable, service not running yet, ports free."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from pathlib import Path
from typing import IO

from apps.supervisor.errors import CannotStart

FOLDERS = ("logs", "run", "static", "storage", "valkey")


def prepare_data_folder(folder: Path) -> None:
    """Create the data folder and its subfolders, readable by this user only."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        for name in FOLDERS:
            (folder / name).mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise CannotStart(
            f"The data folder {folder} cannot be used ({error.strerror}). Set LEAFMILL_DATA to a folder of your own."
        ) from error


def lock_data_folder(folder: Path) -> IO[str]:
    """Lock the data folder while the returned file is open. Raise ``CannotStart`` if another process has the lock."""
    lock = (folder / "run" / "lock").open("a+", encoding="ascii")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        holder = lock.read().strip() or "unknown"
        lock.close()
        raise CannotStart(
            f"Leafmill already runs on the data folder {folder} (process {holder}). "
            "Stop it first, or set LEAFMILL_DATA to another folder."
        ) from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def refuse_taken_port(*, host: str, port: int, variable: str) -> None:
    """Raise ``CannotStart`` if the port cannot be opened."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except (OSError, OverflowError) as error:
            code = getattr(error, "errno", None)
            if code == errno.EADDRINUSE:
                sentence = f"Port {port} on {host} is taken by another program. Stop it, or set {variable}={port + 1}."
            elif code == errno.EACCES:
                sentence = f"Port {port} needs rights that this user lacks. Choose one above 1023: {variable}=8000"
            else:
                sentence = f"Cannot listen on {host} port {port} ({error}). Change HOST or {variable}."
            raise CannotStart(sentence) from error
