"""Start a program that is asked to stop when its starter dies: python launch.py PROGRAM [ARGUMENT...]

Run as a script in front of each member of the group, so that a supervisor that is killed outright leaves nobody behind.
It imports nothing of ours: it has to start in milliseconds.
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
    if os.getppid() != parent:  # it died between the two lines
        sys.exit(1)


if __name__ == "__main__":
    stop_with_parent()
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 (no shell is wanted)
