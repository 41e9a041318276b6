"""A small disk for tests that fill it: a tmpfs in a mount namespace of its own, so that it needs no root.

Other processes reach it through /proc. It ends with the process that holds the namespace, which ends with this one.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CHUNK = b"\0" * 65536


@dataclass
class SmallDisk:
    """A mounted disk. ``path`` is its folder as every process of this user can open it."""

    path: Path
    _shell: subprocess.Popen[str]
    _mounted_at: Path

    def fill(self) -> None:
        """Use up all space that is left."""
        with self._ballast.open("ab", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(CHUNK)
            except OSError:
                pass

    def free(self) -> None:
        self._ballast.unlink()

    @property
    def within(self) -> tuple[str, ...]:
        """The beginning of a command whose processes find the disk at ``mounted_at``.

        A process that changes its user, as those of root do, may not go through /proc.
        """
        return ("nsenter", f"--mount=/proc/{self._shell.pid}/ns/mnt") if os.geteuid() == 0 else ()

    @property
    def mounted_at(self) -> Path:
        return self._mounted_at if os.geteuid() == 0 else self.path

    def set_read_only(self, read_only: bool) -> None:
        _run(self._shell, f"mount -o remount,{'ro' if read_only else 'rw'} {self._mounted_at}")

    @property
    def _ballast(self) -> Path:
        return self.path / "ballast"


@contextmanager
def small_disk(folder: Path, *, kilobytes: int, many_users: bool = False) -> Iterator[SmallDisk]:
    """Mount a disk of this size below ``folder`` for the block.

    ``many_users``: processes of root may create files on it as other users. That needs a root that may mount.
    """
    folder.mkdir()
    as_root = () if many_users and os.geteuid() == 0 else ("--map-root-user",)
    command = ("unshare", *as_root, "--mount", "setpriv", "--pdeathsig", "TERM", "sh")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as shell:
        _run(shell, f"mount -t tmpfs -o size={kilobytes}k tmpfs {folder}")
        yield SmallDisk(Path(f"/proc/{shell.pid}/root{folder}"), shell, folder)
        assert shell.stdin is not None
        shell.stdin.close()


def _run(shell: subprocess.Popen[str], command: str) -> None:
    assert shell.stdin is not None
    assert shell.stdout is not None
    shell.stdin.write(f"{command} && echo done || echo failed\n")
    shell.stdin.flush()
    assert shell.stdout.readline() == "done\n", f"{command} failed"
