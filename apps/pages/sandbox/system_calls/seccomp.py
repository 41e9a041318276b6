"""The system calls that a child may use: an allow-list, measured with strace while the readers read a corpus.

A child reads open files, uses memory, and reads and writes its socket. It cannot start a process or a program, open a
socket, signal or limit another process, change a file, or make memory executable. Other calls fail with ENOSYS, as on
a kernel that lacks them, so that libraries fall back. Calls that only an attacker makes kill the child at once.

The filter is a program for the kernel's packet filter machine. An instruction has four fields: code, jump if true, jump
if false, value. Source: ``seccomp(2)``; numbers of calls: the kernel's tables for each processor.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Mapping
from typing import NamedTuple

_SECCOMP_SET_MODE_FILTER, _ALL_THREADS, _NEW_LISTENER = 1, 1, 8
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _NOTIFY, _KILL, _FAIL = 0x7FFF0000, 0x7FC00000, 0x80000000, 0x00050000
_CALL_NUMBER, _PROCESSOR, _ARGUMENTS = 0, 4, 16
_X32_CALLS = 0x40000000
_CLONE_THREAD, _PROT_EXEC = 0x10000, 4
# Not F_SETOWN and F_SETSIG: with them a file sends signals to any process of the user.
_FILE_COMMANDS = (0, 1, 2, 3, 4, 1030)  # F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC
_TERMINAL_QUESTIONS = (0x5401, 0x5421, 0x541B, 0x5450, 0x5451)  # TCGETS, FIONBIO, FIONREAD, FIONCLEX, FIOCLEX
_THREAD_NAMES = (15, 16)  # PR_SET_NAME, PR_GET_NAME

# Number on x86-64 and on 64-bit ARM; None where the processor has no such call.
_ALLOWED: Mapping[str, tuple[int | None, int | None]] = {
    "read": (0, 63), "write": (1, 64), "pread64": (17, 67), "readv": (19, 65), "writev": (20, 66),
    "preadv": (295, 69), "lseek": (8, 62), "close": (3, 57), "fstat": (5, 80), "stat": (4, None), "lstat": (6, None),
    "newfstatat": (262, 79), "statx": (332, 291), "access": (21, None), "faccessat": (269, 48),
    "faccessat2": (439, 439), "readlink": (89, None), "readlinkat": (267, 78), "getdents64": (217, 61),
    "getcwd": (79, 17), "statfs": (137, 43), "fstatfs": (138, 44), "fadvise64": (221, 223), "dup": (32, 23),
    "dup2": (33, None), "dup3": (292, 24), "poll": (7, None), "ppoll": (271, 73), "select": (23, None),
    "pselect6": (270, 72), "munmap": (11, 215), "brk": (12, 214), "mremap": (25, 216), "madvise": (28, 233),
    "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "sigaltstack": (131, 132),
    "sched_yield": (24, 124), "sched_getaffinity": (204, 123), "nanosleep": (35, 101), "clock_nanosleep": (230, 115),
    "clock_gettime": (228, 113), "clock_getres": (229, 114), "gettimeofday": (96, 169), "time": (201, None),
    "times": (100, 153), "getrusage": (98, 165), "getrlimit": (97, 163), "sysinfo": (99, 179), "uname": (63, 160),
    "getcpu": (309, 168), "getpid": (39, 172), "getppid": (110, 173), "gettid": (186, 178), "getuid": (102, 174),
    "geteuid": (107, 175), "getgid": (104, 176), "getegid": (108, 177), "getresuid": (118, 148),
    "getresgid": (120, 150), "sendto": (44, 206), "recvfrom": (45, 207), "shutdown": (48, 210),
    "getsockname": (51, 204), "getpeername": (52, 205), "getsockopt": (55, 209), "futex": (202, 98),
    "set_robust_list": (273, 99), "rseq": (334, 293), "membarrier": (324, 283), "getrandom": (318, 278),
    "restart_syscall": (219, 128), "exit": (60, 93), "exit_group": (231, 94),
}  # fmt: skip
# These are allowed for some values of one argument: its place, then the numbers of the call.
_OPEN: Mapping[str, tuple[int | None, int | None]] = {"open": (2, None), "openat": (257, 56)}
_CHECKED: Mapping[str, tuple[int, int, int]] = {
    "mmap": (2, 9, 222), "mprotect": (2, 10, 226), "clone": (0, 56, 220), "fcntl": (1, 72, 25), "ioctl": (1, 16, 29),
    "prctl": (0, 157, 167), "prlimit64": (0, 302, 261), "kill": (0, 62, 129), "tkill": (0, 200, 130),
    "tgkill": (0, 234, 131),
}  # fmt: skip
# Libraries probe these and expect a refusal.
_REFUSED: Mapping[str, tuple[int | None, int | None]] = {
    "execve": (59, 221), "fork": (57, None), "vfork": (58, None), "socket": (41, 198), "socketpair": (53, 199),
    "connect": (42, 203), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240), "unlink": (87, None),
    "unlinkat": (263, 35), "mkdir": (83, None), "mkdirat": (258, 34), "symlink": (88, None), "symlinkat": (266, 36),
    "rename": (82, None), "renameat": (264, 38), "renameat2": (316, 276), "chmod": (90, None), "fchmodat": (268, 53),
}  # fmt: skip
# No reader makes these. The newest calls have the same number on every processor; io_uring would bypass the filter.
_FATAL: Mapping[str, tuple[int | None, int | None]] = {
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "execveat": (322, 281),
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "chroot": (161, 51), "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218), "bpf": (321, 280),
    "perf_event_open": (298, 241), "userfaultfd": (323, 282), "init_module": (175, 105), "finit_module": (313, 273),
    "open_by_handle_at": (304, 265), "kexec_load": (246, 104), "pidfd_send_signal": (424, 424),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430), "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438), "process_madvise": (440, 440),
}  # fmt: skip
# What a program with files of its own may not do either: reach other programs, and change files by their paths.
_NOT_FOR_PROGRAMS: Mapping[str, tuple[int | None, int | None]] = {
    "connect": (42, 203), "sendmsg": (46, 211), "sendmmsg": (307, 269), "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240), "truncate": (76, 45), "chmod": (90, None), "fchmodat": (268, 53),
    "chown": (92, None), "lchown": (94, None), "fchownat": (260, 54), "setxattr": (188, 5), "lsetxattr": (189, 6),
    "removexattr": (197, 14), "lremovexattr": (198, 15), "utime": (132, None), "utimes": (235, None),
    "utimensat": (280, 88), "fchmodat2": (452, 452), "setrlimit": (160, 164), "setpriority": (141, 140),
}  # fmt: skip
_AF_UNIX, _CLONE3 = 1, 435
_STREAM_SOCKETS = (1, 0x801, 0x80001, 0x80801)  # SOCK_STREAM, SOCK_NONBLOCK, SOCK_CLOEXEC
_NEW_NAMESPACES = 0x7E020000  # the bits of CLONE_NEW...


class _Processor(NamedTuple):
    audit: int
    column: int
    seccomp: int


_PROCESSORS = {"x86_64": _Processor(0xC000003E, 0, 317), "aarch64": _Processor(0xC00000B7, 1, 277)}
_Line = tuple[int, int, int, int]


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


class SystemCallFilter:
    """Prepared once in the reader, installed in each child. ``is_known``: there are numbers for this processor.

    ``asks_to_open``: the reader opens each file that a child asks for, see ``opened_files``. ``for_engine``: it is for
    all threads of a process with OCR engines, which make memory executable.
    """

    def __init__(self, *, asks_to_open: bool, for_engine: bool = False) -> None:
        self._processor = _PROCESSORS.get(platform.machine()) if sys.platform == "linux" else None
        self._flags = _NEW_LISTENER if asks_to_open else _ALL_THREADS if for_engine else 0
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._start, self._end = (
            _around_own_signals(self._processor, asks=asks_to_open, makes_code=for_engine)
            if self._processor
            else ([], [])
        )

    @property
    def is_known(self) -> bool:
        return self._processor is not None

    def install(self) -> int | None:
        """Restrict this process permanently; return whether that worked: None if not, otherwise a descriptor.

        The descriptor gets the questions to open files; it is -1 if the filter asks none. Needs no_new_privs.
        """
        if self._processor is None:
            return None
        lines = [*self._start, *_own_signals(self._processor), *self._end]
        return _installed(self._libc, self._processor, lines, self._flags)


class ProgramFilter:
    """For a program that opens documents itself and needs more than a reader: it may start processes and write files.

    It may not open a socket of a network, connect to anything, signal other processes, make namespaces, or change the
    owner and rights of files that the kernel's rules for files do not cover. It holds for all threads.
    """

    def __init__(self) -> None:
        self._processor = _PROCESSORS.get(platform.machine()) if sys.platform == "linux" else None
        self._libc = ctypes.CDLL(None, use_errno=True)

    def install(self) -> bool:
        """Restrict this process and those it starts permanently; return False if it cannot. Needs no_new_privs."""
        if self._processor is None:
            return False
        column = self._processor.column
        lines = _beginning(self._processor)
        for table, result in ((_FATAL, _KILL), (_NOT_FOR_PROGRAMS, _FAIL | errno.EPERM)):
            for pair in table.values():
                if (number := pair[column]) is not None:
                    lines += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, result)]
        lines += [(_EQUAL, 0, 1, _CLONE3), (_RETURN, 0, 0, _FAIL | errno.ENOSYS)]  # libraries then use clone
        lines += _when_bit(_CHECKED["clone"], self._processor, _NEW_NAMESPACES, _FAIL | errno.EPERM, _ALLOW)
        lines += _streams_of_this_machine((41, 198)[column])
        place, *numbers = _CHECKED["prlimit64"]
        lines += _when_argument(numbers[column], place, (0,), _FAIL | errno.EPERM)
        lines += _own_signals(self._processor)
        lines.append((_RETURN, 0, 0, _ALLOW))
        return _installed(self._libc, self._processor, lines, _ALL_THREADS) is not None


def _installed(libc: ctypes.CDLL, processor: _Processor, lines: list[_Line], flags: int) -> int | None:
    """Install the program; return None if that failed, the descriptor with the questions, or -1 if there are none."""
    code = b"".join(struct.pack("HBBI", *line) for line in lines)
    held = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(lines), ctypes.addressof(held))
    found = int(libc.syscall(processor.seccomp, _SECCOMP_SET_MODE_FILTER, flags, ctypes.byref(program)))
    if flags & _NEW_LISTENER:
        return found if found >= 0 else None
    return -1 if found == 0 else None  # above 0: the number of a thread that could not be restricted


def _beginning(processor: _Processor) -> list[_Line]:
    """Refuse calls of another processor's table, and load the number of the call."""
    return [
        (_LOAD, 0, 0, _PROCESSOR),
        (_EQUAL, 1, 0, processor.audit),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _CALL_NUMBER),
        (_AT_LEAST, 0, 1, _X32_CALLS),
        (_RETURN, 0, 0, _KILL),
    ]


def _around_own_signals(processor: _Processor, *, asks: bool, makes_code: bool) -> tuple[list[_Line], list[_Line]]:
    """Return the program before and after the lines that depend on the process."""

    def numbers(table: Mapping[str, tuple[int | None, int | None]]) -> list[int]:
        return [number for pair in table.values() if (number := pair[processor.column]) is not None]

    def checked(name: str, values: tuple[int, ...], result: int) -> list[_Line]:
        place, *found = _CHECKED[name]
        return _when_argument(found[processor.column], place, values, result)

    start = _beginning(processor)
    open_result = _NOTIFY if asks else _ALLOW
    results = ((_ALLOWED, _ALLOW), (_OPEN, open_result), (_REFUSED, _FAIL | errno.EPERM), (_FATAL, _KILL))
    for table, result in results:
        for number in numbers(table):
            start += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, result)]
    if asks:  # to hand the descriptor of the filter to the reader
        sendmsg = (46, 211)[processor.column]
        start += [(_EQUAL, 0, 1, sendmsg), (_RETURN, 0, 0, _ALLOW)]
    executable = _ALLOW if makes_code else _FAIL | errno.EPERM
    for name in ("mmap", "mprotect"):
        start += _when_bit(_CHECKED[name], processor, _PROT_EXEC, executable, _ALLOW)
    start += _when_bit(_CHECKED["clone"], processor, _CLONE_THREAD, _ALLOW, _FAIL | errno.EPERM)
    start += checked("fcntl", _FILE_COMMANDS, _FAIL | errno.EPERM)
    start += checked("ioctl", _TERMINAL_QUESTIONS, _FAIL | errno.ENOTTY)
    start += checked("prctl", _THREAD_NAMES, _FAIL | errno.EPERM)
    start += checked("prlimit64", (0,), _FAIL | errno.EPERM)
    return start, [(_RETURN, 0, 0, _FAIL | errno.ENOSYS)]


def _own_signals(processor: _Processor) -> list[_Line]:
    """Allow signals to this process alone, for abort()."""
    lines: list[_Line] = []
    for name in ("kill", "tkill", "tgkill"):
        place, *numbers = _CHECKED[name]
        lines += _when_argument(numbers[processor.column], place, (os.getpid(),), _FAIL | errno.EPERM)
    return lines


def _when_argument(number: int, place: int, values: tuple[int, ...], otherwise: int) -> list[_Line]:
    """Allow the call if its argument, of 32 bits, is one of ``values``."""
    lines: list[_Line] = [(_LOAD, 0, 0, _ARGUMENTS + 8 * place)]
    for value in values:
        lines += [(_EQUAL, 0, 1, value), (_RETURN, 0, 0, _ALLOW)]
    lines.append((_RETURN, 0, 0, otherwise))
    return [(_EQUAL, 0, len(lines), number), *lines]


def _streams_of_this_machine(number: int) -> list[_Line]:
    """Allow the call ``socket`` for streams between processes of this machine. To connect one is another call."""
    refused = _FAIL | errno.EAFNOSUPPORT
    lines: list[_Line] = [(_LOAD, 0, 0, _ARGUMENTS), (_EQUAL, 1, 0, _AF_UNIX), (_RETURN, 0, 0, refused)]
    types = _when_argument(number, 1, _STREAM_SOCKETS, refused)
    lines += types[1:]
    return [(_EQUAL, 0, len(lines), number), *lines]


def _when_bit(call: tuple[int, int, int], processor: _Processor, bit: int, yes: int, no: int) -> list[_Line]:
    place, *numbers = call
    return [
        (_EQUAL, 0, 4, numbers[processor.column]),
        (_LOAD, 0, 0, _ARGUMENTS + 8 * place),
        (_ANY_BIT, 0, 1, bit),
        (_RETURN, 0, 0, yes),
        (_RETURN, 0, 0, no),
    ]
