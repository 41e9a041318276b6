"""A replacement for ``apps.pages.reading.page_reading`` in a reader's child. It misbehaves as the document instructs.

The document is a text file: its first line is for the inspection, every other line is a page. A line is a verb of
``_VERBS`` and its argument. The result of a verb is the text of its page.
"""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import resource
import signal
import socket
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from apps.pages.model.blocks import Block, BlockType, Page, PageFailure
from apps.pages.model.document_facts import DocumentFacts
from apps.pages.model.errors import DamagedDocument, WrongPassword
from apps.pages.model.geometry import Box

_BOX = Box(0, 0, 1, 1)
_ZEROS = ctypes.create_string_buffer(256)


def inspect_document(path: str, *, password: str | None = None, max_pages: int, **_ignored: object) -> DocumentFacts:
    lines = _lines(path)
    _do(lines[0])
    if lines[0] == "password" and password != "sesame":
        raise WrongPassword
    return DocumentFacts(media_type="text/strange", page_count=len(lines) - 1)


def read_pages(
    path: str, page_numbers: Sequence[int], *, careful: bool, **_ignored: object
) -> Iterator[Page | PageFailure]:
    lines = _lines(path)
    for page_number in page_numbers:
        line = lines[page_number]
        text = _do(line.replace("fragile", "fine").replace("slow", "fine") if careful else line)
        claimed_number = page_number + 1000 if text == "LIE" else page_number
        yield Page(claimed_number, 10, 10, (Block(BlockType.PARAGRAPH, _BOX, text),))


def render_for_vision(path: str, page_number: int, **_ignored: object) -> bytes:
    """Do the page's line and return its result as the picture, decoded from hexadecimal if the verb is ``hex``."""
    text = _do(_lines(path)[page_number])
    return bytes.fromhex(text.removeprefix("HEX")) if text.startswith("HEX") else text.encode()


def _lines(path: str) -> list[str]:
    lines = Path(path).read_text(errors="replace").splitlines()
    if not lines or (lines[0] not in {"fine", "password"} and lines[0].split()[0] not in _VERBS):
        raise DamagedDocument
    return lines


def _do(line: str) -> str:
    verb, _, argument = line.partition(" ")
    try:
        return str(_VERBS[verb](argument))
    except OSError as error:
        return f"refused: {type(error).__name__} {error.errno}"


def spin(_argument: str) -> str:
    while True:
        pass


def work_for(seconds: str) -> str:
    until = time.process_time() + float(seconds)
    while time.process_time() < until:
        pass
    return f"worked for {seconds} s"


def fill_memory(_argument: str) -> list[bytearray]:
    held = []
    while True:
        held.append(bytearray(16 << 20))


def fill_memory_and_abort(_argument: str) -> str:
    held = []
    try:
        while True:
            held.append(bytearray(16 << 20))
    except MemoryError:
        os.abort()


def signal_self(name: str) -> str:
    ctypes.CDLL(None)["raise"](int(getattr(signal, name)))
    return "still here"


def send_raw(content: str) -> str:
    """Write to the worker directly, as code that took over the child could."""
    for file in _sockets():
        os.write(file, bytes.fromhex(content))
    time.sleep(60)
    return ""


def _sockets() -> list[int]:
    return [number for number in range(3, 64) if is_open(number) and stat.S_ISSOCK(os.fstat(number).st_mode)]


def fork(count: str) -> str:
    for _ in range(int(count)):
        if os.fork() == 0:
            os._exit(0)
    return "forked"


def connect(address: str) -> str:
    host, port = address.split(":")
    with socket.socket() as end:
        end.connect((host, int(port)))
    return "connected"


def send_udp(address: str) -> str:
    host, port = address.split(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.sendto(b"I was here", (host, int(port)))
    return "sent"


def connect_unix(path: str) -> str:
    with socket.socket(socket.AF_UNIX) as end:
        end.connect(path)
    return "connected"


def system_call(arguments: str) -> str:
    """Make a system call by its number; arguments are numbers, "@" is the address of 256 bytes of zeros."""
    numbers = [ctypes.addressof(_ZEROS) if part == "@" else int(part) for part in arguments.split()]
    libc = ctypes.CDLL(None, use_errno=True)
    result = libc.syscall(*(ctypes.c_long(number) for number in numbers))
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return f"returned {result}"


def set_owner(pid: str) -> str:
    """Have signals sent to another process whenever the socket gets data."""
    fcntl.fcntl(_sockets()[0], 8, int(pid))
    return "owned"


def is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def write_file(path: str) -> str:
    Path(path).write_text("I was here")
    return "written"


def raise_error(_argument: str) -> str:
    raise RuntimeError("a bug with a secret path in it")


_VERBS: dict[str, Callable[[str], object]] = {
    "fine": lambda text: text,
    "password": lambda text: text,
    "hang": lambda _: time.sleep(600),
    "slow": lambda _: time.sleep(600),
    "spin": spin,
    "work": work_for,
    "allowed": lambda _: resource.getrlimit(resource.RLIMIT_CPU)[0] - int(time.process_time()),
    "memory": fill_memory,
    "memory-abort": fill_memory_and_abort,
    "signal": signal_self,
    "fragile": lambda _: signal_self("SIGSEGV"),
    "raw": send_raw,
    "lie": lambda _: "LIE",
    "hex": lambda digits: f"HEX{digits}",
    "long": lambda size: "x" * int(size),
    "raise": raise_error,
    "environment": lambda _: "\n".join(f"{name}={value}" for name, value in os.environ.items()),
    "files": lambda _: [number for number in range(1024) if is_open(number)],
    "user": lambda _: os.getuid(),
    "fork": fork,
    "connect": connect,
    "write": write_file,
    "read": lambda path: Path(path).read_text(),
    "kill": lambda pid: os.kill(int(pid), signal.SIGKILL),
    "leave": lambda name: Path(name).write_text("left") and "left",
    "child": lambda _: os.getpid(),
    "call": system_call,
    "udp": send_udp,
    "unix": connect_unix,
    "limit": lambda pid: resource.prlimit(int(pid), resource.RLIMIT_NOFILE, (1, 1)),
    "owner": set_owner,
    "code": lambda _: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC) and "executable",
    "exec": lambda path: os.execv(path, [path]),
}
