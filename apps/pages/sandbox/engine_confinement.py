"""The restrictions that a process with OCR engines puts on itself.

It differs from the child of a reader: it stays, its engines start threads and write code for their networks into memory
while they work, and some of them run a program for each page.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from apps.pages.sandbox import confinement, escapes
from apps.pages.sandbox.confinement import FileAccess, program_paths
from apps.pages.sandbox.system_calls.seccomp import ProgramFilter, SystemCallFilter

# Read by libraries that look for the number of cores.
_MACHINE = ("/proc/cpuinfo", "/proc/meminfo", "/proc/self", "/sys/devices/system", "/sys/bus/pci/devices")
_READABLE_BY_ALL = "/usr/bin/env"


class Needs(StrEnum):
    """What engines need beside files, memory and threads: nothing, programs that they start, or a GPU."""

    NOTHING = ""
    PROGRAMS = "programs"
    DEVICES = "devices"


class EngineConfinement:
    """Restricts this process before its engines are loaded, and once more when they are.

    ``escapes``: what an engine could do afterwards that it should not, as ``apps.pages.sandbox.escapes`` names it.
    """

    def __init__(self, needs: Needs, *, readable: Sequence[Path], user_id: int) -> None:
        self.escapes: frozenset[str] = frozenset(escapes.ESCAPES)
        self._needs = needs
        self._user_id = user_id
        self._files = FileAccess([*program_paths(), *map(Path, _MACHINE), *readable], writable=[Path(os.devnull)])
        self._calls: ProgramFilter | SystemCallFilter = (
            ProgramFilter() if needs is Needs.PROGRAMS else SystemCallFilter(asks_to_open=False, for_engine=True)
        )

    def measure(self) -> None:
        """Let a child try to escape. The process must not have threads yet."""
        found = escapes.measure(self._restrict_all, _READABLE_BY_ALL, lambda _until: None)
        if found is not None:
            self.escapes = found

    def _restrict_all(self) -> None:
        self.restrict_files()
        self.restrict_calls(os.getppid())

    def restrict_files(self) -> None:
        """Limit this process, and each thread that it starts, to reading the program's own files. It can write none.

        Engines that start programs or use a GPU keep access to all files.
        """
        confinement.forbid_new_privileges()
        if self._needs is Needs.NOTHING and self._files.is_available:
            self._files.restrict_process(None)

    def restrict_calls(self, parent: int) -> None:
        """Take network, user, rights and system calls away from all threads. The process ends when ``parent`` does."""
        confinement.cut_network()
        if self._user_id:
            confinement.drop_user(self._user_id, self._user_id)
        confinement.drop_capabilities()
        confinement.forbid_new_privileges()
        confinement.die_with_parent(parent)  # the change of user cleared it, and the filter forbids it
        if self._needs is not Needs.DEVICES:
            self._calls.install()
