"""A filter on system calls: a child cannot start a program, fork a process or open a socket.

Threads stay possible (a text extractor runs one); the memory of their stacks limits their number. The filter is a
program for the kernel's packet filter machine. An instruction has four fields: code, jump if true, jump if false,
value. Source: ``seccomp(2)``; numbers of calls: the kernel's tables for each processor.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
import sys
from collections.abc import Mapping

_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _FAIL = 0x7FFF0000, 0x80000000, 0x00050000
_CALL_NUMBER, _PROCESSOR, _FIRST_ARGUMENT = 0, 4, 16
_CLONE_THREAD = 0x10000
_X32_CALLS = 0x40000000

_DENIED_EVERYWHERE = ("execve", "execveat", "ptrace", "process_vm_readv", "process_vm_writev", "kill", "socket",
                      "unshare", "setns", "mount", "keyctl", "add_key", "request_key", "bpf", "perf_event_open",
                      "userfaultfd")  # fmt: skip
# The newest calls have the same number on every processor. io_uring would bypass this filter.
_SAME_EVERYWHERE = {"pidfd_send_signal": 424, "io_uring_setup": 425, "clone3": 435}
_CALLS: Mapping[str, tuple[int, Mapping[str, int]]] = {
    "x86_64": (
        0xC000003E,
        dict(zip(_DENIED_EVERYWHERE, (59, 322, 101, 310, 311, 62, 41, 272, 308, 165, 250, 248, 249, 321, 298, 323),
                 strict=True)) | {"fork": 57, "vfork": 58, "clone": 56},
    ),
    "aarch64": (
        0xC00000B7,
        dict(zip(_DENIED_EVERYWHERE, (221, 281, 117, 270, 271, 129, 198, 97, 268, 40, 219, 217, 218, 280, 241, 282),
                 strict=True)) | {"clone": 220},
    ),
}  # fmt: skip


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


class SystemCallFilter:
    """Assembled once in the reader, installed in each child."""

    def __init__(self) -> None:
        known = _CALLS.get(platform.machine()) if sys.platform == "linux" else None
        self._bytes = ctypes.create_string_buffer(_program(*known)) if known else None

    def install(self) -> bool:
        """Restrict this process permanently; return False on an unknown system or processor. Needs no_new_privs."""
        if self._bytes is None:
            return False
        program = _Program(len(self._bytes) // 8, ctypes.addressof(self._bytes))
        libc = ctypes.CDLL(None)
        return bool(libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0) == 0)


def _program(processor: int, calls: Mapping[str, int]) -> bytes:
    numbers = {**calls, **_SAME_EVERYWHERE}
    clone, clone3 = numbers.pop("clone"), numbers.pop("clone3")
    refuse = _FAIL | errno.EPERM
    lines = [
        (_LOAD, 0, 0, _PROCESSOR),
        (_EQUAL, 1, 0, processor),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _CALL_NUMBER),
        (_AT_LEAST, 0, 1, _X32_CALLS),
        (_RETURN, 0, 0, refuse),
        # A filter cannot read the flags of clone3, which are in memory. The C library falls back to clone.
        (_EQUAL, 0, 1, clone3),
        (_RETURN, 0, 0, _FAIL | errno.ENOSYS),
    ]
    for number in numbers.values():
        lines += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, refuse)]
    lines += [
        (_EQUAL, 0, 3, clone),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_ANY_BIT, 1, 0, _CLONE_THREAD),
        (_RETURN, 0, 0, refuse),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("HBBI", *line) for line in lines)
