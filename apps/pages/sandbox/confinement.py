"""Restrict a process before it reads untrusted bytes.

Each function applies one restriction and returns True if it took effect, because kernels, containers and accounts
permit different ones; docs/isolation.md lists them. They run in the reader process, its children and the OCR engine
process, never in a worker. Numbers of system calls and flags: Linux's ``prctl(2)``, ``unshare(2)``, ``landlock(7)``,
``capset(2)``.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import msgspec

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 1, 4, 36, 38
_CLONE_NEWNET, _CLONE_NEWUSER = 0x40000000, 0x10000000
_CAPABILITY_VERSION_3 = 0x20080522
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_RULE_PATH_BENEATH = 1
_EXECUTE, _READ_FILE, _READ_DIR = 1, 1 << 2, 1 << 3
_RIGHTS_TO_FILES = 1 << 0 | 1 << 1 | 1 << 2  # execute, write, read
_MAKE_DEVICES = 1 << 6 | 1 << 11  # character and block devices
_ALL_FILE_RIGHTS = 0x1FFF  # the thirteen rights of the first Landlock: read, write, make and remove
_MAKE_SOCKETS = 1 << 9
_CONNECT_AND_BIND_TCP = 3
_SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS = 3

NOBODY = 65534
_MAX_READER_THREADS = 1024


class Limits(msgspec.Struct, frozen=True, omit_defaults=True):
    """Limits of one child. Time limits are per page; a range gets the limit times its number of pages.

    ``answer_bytes`` limits the whole reply to one request; a quarter of it limits each page.
    ``max_pages``: the inspection refuses longer documents.
    """

    cpu_seconds: int = 20
    wall_seconds: float = 30.0
    memory_bytes: int = 1 << 30
    file_bytes: int = 256 << 20
    open_files: int = 64
    answer_bytes: int = 64 << 20
    max_pages: int = 2000


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def adopt_orphans() -> None:
    """Become the parent of every process below this one whose own parent ends, so that none is lost from sight."""
    if sys.platform == "linux":
        _libc().prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when the parent's thread that started it ends; exit now if it already has.

    Call it again after every change of user, which clears the setting.
    """
    if sys.platform == "linux":
        _libc().prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def forbid_new_privileges() -> bool:
    """Stop programs that this process starts from gaining rights by a set-user-id bit."""
    return sys.platform == "linux" and bool(_libc().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)


def let_the_reader_look() -> None:
    """Let a process of the same user read this one's memory, as the reader must to answer ``opened_files``.

    The kernel forbids it after a change of user.
    """
    _libc().prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)


def cut_network() -> bool:
    """Move into a network namespace without interfaces: as root directly, otherwise by a user namespace."""
    if sys.platform != "linux":
        return False
    flags = _CLONE_NEWNET if os.geteuid() == 0 else _CLONE_NEWNET | _CLONE_NEWUSER
    return bool(_libc().unshare(flags) == 0)


def drop_user(uid: int, gid: int) -> None:
    """Become user ``uid`` permanently. Raise OSError if that is not permitted."""
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


def drop_capabilities() -> bool:
    """Give up every capability, including those inside a fresh user namespace."""
    if sys.platform != "linux":
        return False
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    return bool(_libc().capset(header, (ctypes.c_uint32 * 6)()) == 0)


class MemoryInUse(NamedTuple):
    """Memory of a process in bytes: its address space, and the private writable part of it."""

    address_space: int
    private: int


def memory_in_use() -> MemoryInUse:
    """Return the memory of this process; zeros if the system does not report it."""
    try:
        fields = Path("/proc/self/statm").read_text().split()
    except OSError:
        return MemoryInUse(0, 0)
    return MemoryInUse(int(fields[0]) * resource.getpagesize(), int(fields[5]) * resource.getpagesize())


def limit_resources(limits: Limits, *, pages: int, in_use: MemoryInUse, own_user: bool) -> None:
    """Limit memory (beyond ``in_use``), CPU time, file sizes, open files, processes and core dumps of this process.

    PDFium reserves a gigabyte of addresses when it is loaded and fills it later. A limit on addresses does not notice
    that; the limit on private memory does (since Linux 4.7).
    """
    _limit(resource.RLIMIT_AS, in_use.address_space + limits.memory_bytes)
    _limit(resource.RLIMIT_DATA, in_use.private + limits.memory_bytes)
    _limit(resource.RLIMIT_FSIZE, limits.file_bytes)
    _limit(resource.RLIMIT_NOFILE, limits.open_files)
    _limit(resource.RLIMIT_CORE, 0)
    if own_user:
        # The kernel counts all threads of the user, so this needs a user that only readers have.
        _limit(resource.RLIMIT_NPROC, _MAX_READER_THREADS)
    total = limits.cpu_seconds * (pages + 1)
    _limit(resource.RLIMIT_CPU, limits.cpu_seconds, total)


def allow_cpu_for_another_page(cpu_seconds: int) -> None:
    """Raise the soft CPU limit, up to the hard one, so that each page has its own ``cpu_seconds``."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = int(usage.ru_utime + usage.ru_stime) + 1
    _soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (min(used + cpu_seconds, hard), hard))


def _limit(what: int, soft: int, hard: int | None = None) -> None:
    hard = soft if hard is None else hard
    _soft_now, hard_now = resource.getrlimit(what)
    if hard_now != resource.RLIM_INFINITY:
        hard = min(hard, hard_now)
    resource.setrlimit(what, (min(soft, hard), hard))


class FileAccess:
    """Landlock rules: read only the program's own files and one document, and write nothing.

    They also forbid TCP and signals to other processes, if the kernel supports that. The reader prepares them once
    (the paths are opened before the user changes) and each child applies them. ``writable``: folders and devices in
    which the process may do everything except running programs and creating devices; ``sockets``: folders in which it
    may create sockets; ``runs_programs``: it may run the programs that it may read.
    """

    def __init__(
        self,
        readable: Sequence[Path],
        *,
        writable: Sequence[Path] = (),
        sockets: Sequence[Path] = (),
        runs_programs: bool = False,
    ) -> None:
        self._version = landlock_version()
        self._readable = self._opened(readable)
        self._writable = self._opened(writable)
        self._sockets = self._opened(sockets)
        self._reading = _READ_FILE | _READ_DIR | (_EXECUTE if runs_programs else 0)

    def _opened(self, paths: Sequence[Path]) -> list[int]:
        paths = paths if self._version else ()
        return [os.open(path, os.O_PATH | os.O_CLOEXEC) for path in paths if path.exists()]

    @property
    def is_available(self) -> bool:
        return self._version > 0

    def restrict_process(self, document: int | None = None) -> bool:
        """Restrict this process permanently; return False if the kernel cannot. ``document``: its file descriptor."""
        network = _CONNECT_AND_BIND_TCP if self._version >= 4 else 0
        scoped = _SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS if self._version >= 6 else 0
        attributes = _Ruleset(_ALL_FILE_RIGHTS, network, scoped)
        size = 24 if self._version >= 6 else 16 if self._version >= 4 else 8
        ruleset = int(_libc().syscall(_CREATE_RULESET, ctypes.byref(attributes), size, 0))
        if ruleset < 0:
            return False
        for path in self._readable:
            _add_rule(ruleset, path, self._reading)
        for path in self._writable:
            _add_rule(ruleset, path, _ALL_FILE_RIGHTS & ~_MAKE_DEVICES & ~_EXECUTE)
        for path in self._sockets:
            _add_rule(ruleset, path, _MAKE_SOCKETS)
        if document is not None:
            _add_rule(ruleset, document, _READ_FILE)
        restricted = bool(_libc().syscall(_RESTRICT_SELF, ruleset, 0) == 0)
        os.close(ruleset)
        return restricted


def landlock_version() -> int:
    """Return the kernel's version of Landlock; 0 if it has none or Landlock is switched off."""
    return max(0, _libc().syscall(_CREATE_RULESET, None, 0, 1)) if sys.platform == "linux" else 0


def _add_rule(ruleset: int, parent: int, allowed: int) -> None:
    rule = _PathBeneath(allowed, parent)
    if _libc().syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, ctypes.byref(rule), 0) != 0:
        # The kernel refuses rights for folders on a path that is a file.
        rule = _PathBeneath(allowed & _RIGHTS_TO_FILES, parent)
        _libc().syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, ctypes.byref(rule), 0)


def program_paths() -> list[Path]:
    """Return the paths of Python, the libraries and our own code: all that a child may read beside its document."""
    ours = Path(__file__).resolve().parents[2]
    library_folders = [Path(entry).resolve() for entry in sys.path if entry and Path(entry).resolve() != ours.parent]
    system = ("/usr", "/lib", "/lib64", "/nix/store", "/etc/fonts", "/etc/ld.so.cache", "/dev/urandom", "/dev/random")
    return [ours, *library_folders, Path(sys.prefix), Path(sys.base_prefix), *map(Path, system)]
