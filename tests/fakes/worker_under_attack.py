"""A worker whose reader's child is taken over: it prints the result of each attempt to escape as JSON.

    python -m tests.fakes.worker_under_attack FOLDER [UNAVAILABLE...]

``FOLDER``: an empty one that belongs to this user. ``UNAVAILABLE``: see ``Reader``. The process has secrets, files and
listening sockets of its own, and reports whether somebody reached them.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import select
import socket
import sys
from pathlib import Path

from apps.pages.model.blocks import PageFailure
from apps.pages.sandbox.client import Limits, Reader

# Numbers on x86-64 and on 64-bit ARM.
_CALLS = {
    "tkill": (200, 130), "tgkill": (234, 131), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "setns": (308, 268), "mount": (165, 40),
    "unshare": (272, 97), "bpf": (321, 280), "keyctl": (250, 219), "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425), "pidfd_open": (434, 434), "pidfd_send_signal": (424, 424), "clone": (56, 220),
    "clone3": (435, 435), "prctl": (157, 167), "sched_setaffinity": (203, 122), "setpriority": (141, 140),
    "memfd_create": (319, 279), "openat2": (437, 437), "personality": (135, 92),
}  # fmt: skip
_KILL, _NEW_USER = 9, 0x10000000


def attempts(folder: Path, reader: int, tcp: int, udp: int) -> list[str]:
    """Return a line for ``strange_reading`` for each attempt."""
    worker = os.getpid()

    def call(name: str, *arguments: object) -> str:
        number = _CALLS[name][platform.machine() == "aarch64"]
        return " ".join(map(str, ("call", number, *arguments)))

    lines = [
        f"read {folder}/secret", f"read {folder}/public", "read /etc/passwd", "read ../secret", "read /dev/mem",
        f"read /usr/../{folder}/public", f"read /proc/{worker}/environ", f"read /proc/{worker}/mem",
        f"read /proc/{reader}/environ", f"read /proc/{reader}/mem", "read /proc/self/environ",
        f"read /proc/{worker}/root{folder}/public", f"read /proc/self/cwd/..{folder}/public",
        f"write {folder}/written", "write written", "write /dev/shm/leafmill-written", "write /tmp/leafmill-written",
        f"connect 127.0.0.1:{tcp}", f"udp 127.0.0.1:{udp}", f"unix {folder}/broker", "fork 1000", "exec /bin/true",
        f"owner {worker}", f"owner {reader}", "code", call("clone", _NEW_USER), call("clone3", "@", 88),
        call("prctl", 1, 0), call("prctl", 4, 1), call("memfd_create", "@", 0), call("openat2", -100, "@", "@", 24),
        call("personality", 0x0040000),
    ]  # fmt: skip
    for pid in (worker, reader, -1, 0):
        lines += [f"kill {pid}", call("tkill", pid, _KILL), call("tgkill", pid, pid, _KILL)]
    for pid in (worker, reader):
        lines += [
            call("rt_sigqueueinfo", pid, _KILL, "@"), call("rt_tgsigqueueinfo", pid, pid, _KILL, "@"), f"limit {pid}",
            call("setpriority", 0, pid, 19), call("sched_setaffinity", pid, 8, "@"), call("ptrace", 16, pid, 0, 0),
            call("process_vm_readv", pid, "@", 1, "@", 1, 0), call("pidfd_open", pid, 0),
        ]  # fmt: skip
    lines += [
        call("pidfd_send_signal", 5, _KILL, 0, 0), call("setns", 5, 0), call("mount", "@", "@", "@", 0, 0),
        call("unshare", _NEW_USER), call("bpf", 0, "@", 64), call("keyctl", 0, 0), call("userfaultfd", 0),
        call("io_uring_setup", 8, "@"),
    ]  # fmt: skip
    return lines


def main(arguments: list[str]) -> None:
    folder, unavailable = Path(arguments[0]), arguments[1:]
    for name, mode in (("secret", 0o600), ("public", 0o644)):
        (folder / name).write_text("canary-5c90")
        (folder / name).chmod(mode)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with (
        Reader(work="tests.fakes.strange_reading", unavailable=unavailable) as reader,
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_UNIX) as broker,
    ):
        udp.bind(("127.0.0.1", 0))
        broker.bind(f"{folder}/broker")
        broker.listen()
        escapes, first = reader.escapes(), reader.pid
        lines = attempts(folder, first or 0, tcp.getsockname()[1], udp.getsockname()[1])
        document = folder / "document.txt"
        document.write_text("\n".join(("fine", "fine before", *lines, "fine after")))
        numbers = range(1, len(lines) + 3)
        pages = reader.read_range(document, numbers, media_type="text/strange", limits=Limits(wall_seconds=20))
        results = [page.code if isinstance(page, PageFailure) else page.blocks[0].text for page in pages]
        reached = bool(select.select([tcp, udp, broker], [], [], 0)[0])
        report = {
            "escapes": escapes,
            "results": dict(zip(["before", *lines, "after"], results, strict=True)),
            "is_reached": reached,
            "has_same_reader": reader.pid == first,
            "has_same_limits": resource.getrlimit(resource.RLIMIT_NOFILE) == limits,
            "files": sorted(path.name for path in folder.iterdir()),
        }
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    main(sys.argv[1:])
