"""The messages between a worker and the keeper of one conversion: an order, and a line of outcome."""

from __future__ import annotations

import msgspec

SOURCE, OUT, TEMPORARY, PROFILE = "source", "out", "tmp", "profile"
"""The folders of one conversion, below its own."""


class Order(msgspec.Struct, frozen=True, omit_defaults=True):
    """A conversion. ``folder`` holds the document, as ``document.SUFFIX`` in ``SOURCE``.

    ``program``: the path of LibreOffice. ``user_id``: becomes the user of the process; 0: no change. ``memory_bytes``:
    of all its processes together; ``file_bytes``: of each file that they write. ``must_confine``: refuse to run if a
    restriction is not available here.
    """

    program: str
    folder: str
    suffix: str
    target_suffix: str
    filter: str
    user_id: int
    wall_seconds: float
    memory_bytes: int
    file_bytes: int
    must_confine: bool = False
    password: str | None = None


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """The end of a conversion. ``code``: the public code of an error; empty: the file is in ``OUT``.

    ``crashed``: the program ended by a signal, so another attempt may succeed.
    """

    code: str = ""
    detail: str = ""
    crashed: bool = False
