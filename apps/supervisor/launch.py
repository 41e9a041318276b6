"""Start a program that gets SIGTERM when its parent dies: python launch.py PROGRAM [ARGUMENT...]

It starts each member of the group, so that no process remains when supervisord is killed. It imports nothing of ours,
because it must start in milliseconds.
"""

from __future__ import annotations

import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # prctl(2); Linux only, elsewhere the next start ends what was left


def stop_with_parent() -> None:
    """Ask the kernel for SIGTERM when the parent ends; the request survives exec, not a fork."""
    if sys.platform != "linux":
        return
    import ctypes

    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # the parent died between the two lines
        sys.exit(1)


if __name__ == "__main__":
    stop_with_parent()
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 (no shell is wanted)
