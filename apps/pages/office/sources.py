"""Where the bytes of a document are: in a file, or in another document."""

from __future__ import annotations

import io
from typing import IO

Source = str | bytes
"""The path of a file, which may be a descriptor; or the content of a file that is inside another one."""


def bytes_of(source: Source) -> bytes:
    if isinstance(source, bytes):
        return source
    with open(source, "rb") as file:  # noqa: PTH123
        return file.read()


def opened(source: Source) -> IO[bytes]:
    return io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb")  # noqa: PTH123
