"""Limits of the kernel for the connections of this process."""

from __future__ import annotations

import os
import resource
import socket
import sys
from contextlib import suppress
from pathlib import Path

from django.conf import settings


def allow_many_connections() -> None:
    """Raise the limit of open files to the highest allowed one; shells usually set 1,024, one for each connection."""
    _, highest = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest, highest))


def drop_stalled_readers() -> None:
    """Let the kernel end connections whose client takes nothing for RESPONSE_IDLE_SECONDS.

    The server has no such limit: it would keep the connection, and what is left of the response, for as long as the
    client likes. Accepted connections inherit the option from the sockets that listen. Linux counts the time of a
    closed window, too.
    """
    if sys.platform != "linux":
        return
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError), socket.socket(fileno=os.dup(int(descriptor.name))) as candidate:
            if candidate.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                milliseconds = int(settings.RESPONSE_IDLE_SECONDS * 1000)
                candidate.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
