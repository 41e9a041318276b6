"""One object per process, made at first use."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class PerProcess(Generic[T]):
    """Call it to get the process's one object. ``make`` makes it at the first call.

    A forked child makes its own: threads do not follow a fork, and locks and sockets must not be shared. Define it at
    module level only, because it lives as long as the process.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: tuple[T] | None = None
        self._lock = threading.Lock()
        os.register_at_fork(after_in_child=self.reset)

    def __call__(self) -> T:
        if self._made is None:
            with self._lock:
                if self._made is None:
                    self._made = (self._make(),)
        return self._made[0]

    def peek(self) -> T | None:
        """Return the object if this process has made it already, else None."""
        return self._made[0] if self._made is not None else None

    def reset(self) -> None:
        """Forget the object; the next call makes a new one."""
        self._made = None
        self._lock = threading.Lock()
