"""A small disk for tests that fill it: a tmpfs in a mount namespace of its own, so that it needs no root.

Other processes reach it through /proc. It ends with the process that holds the namespace, which ends with this one.
"""

from __future__ import annotations

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

    def set_read_only(self, read_only: bool) -> None:
        _run(self._shell, f"mount -o remount,{'ro' if read_only else 'rw'} {self._mounted_at}")

    @property
    def _ballast(self) -> Path:
        return self.path / "ballast"


@contextmanager
def small_disk(folder: Path, *, kilobytes: int) -> Iterator[SmallDisk]:
    """Mount a disk of this size below ``folder`` for the block."""
    folder.mkdir()
    command = ("unshare", "--map-root-user", "--mount", "setpriv", "--pdeathsig", "TERM", "sh")
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
