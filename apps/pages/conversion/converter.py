"""Convert a document to a type that is read. The caller's process opens neither the document nor the result.

A keeper process (``keeper``) runs LibreOffice in a folder of this conversion alone, with a fresh profile, without a
network, as the user of readers, and kills all of it at the end. See docs/isolation.md.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from apps.pages.conversion.order import OUT, PROFILE, SOURCE, TEMPORARY, Order, Outcome
from apps.pages.conversion.profile import write_profile
from apps.pages.model.conversions import Conversion
from apps.pages.model.errors import (
    ConversionFailed,
    ConversionTimeout,
    ConverterCrashed,
    ConverterMissing,
    DamagedDocument,
    EncryptedDocument,
    ParseError,
    ReaderNotConfined,
    Stopped,
    UnplannedError,
    UnsupportedEncryption,
    WrongPassword,
)
from apps.pages.sandbox.process import reader_user
from apps.pages.sandbox.scratch import Scratch
from parse_project import env

PACKAGES = "libreoffice-writer-nogui libreoffice-calc-nogui libreoffice-impress-nogui libreoffice-draw-nogui"
"""The Debian packages that convert every type of ``CONVERSIONS``."""
OFF, AUTO = "off", "auto"
_ROOT = Path(__file__).resolve().parents[3]
_STOP_CHECK_SECONDS = 0.15
# The time that the keeper needs beside that of the conversion: to start, and to kill what it started.
_KEEPER_SECONDS = 20.0
_MAX_OUTCOME_BYTES = 1 << 16
_ERRORS: dict[str, type[ParseError]] = {
    error.code: error
    for error in (
        ConversionFailed,
        ConversionTimeout,
        ConverterMissing,
        DamagedDocument,
        EncryptedDocument,
        ReaderNotConfined,
        UnsupportedEncryption,
        WrongPassword,
    )
}


@dataclass(frozen=True)
class ConverterLimits:
    """Limits of one conversion; ``memory_bytes`` of all its processes together, ``file_bytes`` of each file."""

    wall_seconds: float = 120.0
    memory_bytes: int = 2 << 30
    file_bytes: int = 512 << 20


def find_program(setting: str) -> Path | None:
    """Return the path of LibreOffice; None if this machine has none, or ``setting`` switches it off.

    ``setting``: the value of CONVERTER: "auto", "off", or a path.
    """
    if setting == OFF:
        return None
    found = next(filter(None, map(shutil.which, ("soffice", "libreoffice"))), None) if setting == AUTO else setting
    if not found or not os.access(found, os.X_OK):
        return None
    program = Path(found).resolve()
    # ``soffice`` is a script that starts another process, which starts this program.
    binary = program.with_name("soffice.bin")
    return binary if binary.exists() else program


def missing_here() -> ConverterMissing:
    """Return the error of a machine, or an installation, that cannot convert."""
    return ConverterMissing(
        "Documents of this kind are converted by LibreOffice, which this installation does not have. Send the document "
        f"as docx, pptx, xlsx or PDF, or install it (Debian, Ubuntu: sudo apt-get install {PACKAGES})."
    )


@contextlib.contextmanager
def converted(
    document: Path,
    conversion: Conversion,
    *,
    program: Path,
    password: str | None = None,
    limits: ConverterLimits,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[Path]:
    """Return the path of the converted document, which is removed after the block.

    Raise the DocumentErrors of a conversion and of a password, ConverterCrashed, ReaderNotConfined, OSError, and
    Stopped within about 0.2 s after ``should_stop`` returns True.
    """
    user_id = reader_user()
    scratch = Scratch(user_id)
    try:
        _fill(scratch.path, document, conversion, user_id)
        target = conversion.target
        order = Order(
            program=str(program),
            folder=str(scratch.path),
            suffix=conversion.suffix,
            target_suffix=target.suffix,
            filter=target.filter,
            user_id=user_id,
            wall_seconds=limits.wall_seconds,
            memory_bytes=limits.memory_bytes,
            file_bytes=limits.file_bytes,
            must_confine=env.is_confinement_required(),
            password=password,
        )
        _raise_error_of(_kept(order, should_stop))
        yield _checked(scratch.path / OUT / f"document.{target.suffix}", limits)
    finally:
        scratch.remove()


def _fill(folder: Path, document: Path, conversion: Conversion, user_id: int) -> None:
    for name in (SOURCE, OUT, TEMPORARY):
        (folder / name).mkdir()
    write_profile(folder / PROFILE)
    shutil.copyfile(document, folder / SOURCE / f"document.{conversion.suffix}")
    if user_id:
        for path in folder.rglob("*"):
            os.chown(path, user_id, user_id)


def _kept(order: Order, should_stop: Callable[[], bool]) -> Outcome:
    """Run a keeper with this order. Raise Stopped, UnplannedError."""
    keeper = subprocess.Popen(
        [sys.executable, "-s", "-P", "-m", "apps.pages.conversion.keeper"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(_ROOT)},
        cwd="/",
        start_new_session=True,  # Ctrl-C is for us
    )
    assert keeper.stdin is not None
    assert keeper.stdout is not None
    try:
        with contextlib.suppress(BrokenPipeError):
            keeper.stdin.write(msgspec.json.encode(order) + b"\n")
            keeper.stdin.flush()
        until = time.monotonic() + order.wall_seconds + _KEEPER_SECONDS
        while not select.select([keeper.stdout], [], [], _STOP_CHECK_SECONDS)[0]:
            if should_stop():
                raise Stopped
            if time.monotonic() > until:
                raise UnplannedError("The process that watches a conversion does not answer; see its log.")
        reply = os.read(keeper.stdout.fileno(), _MAX_OUTCOME_BYTES)
    finally:
        keeper.stdin.close()  # it ends what it runs, then itself
        try:
            keeper.wait(timeout=_KEEPER_SECONDS)
        except subprocess.TimeoutExpired:
            keeper.kill()
            keeper.wait()
        keeper.stdout.close()
    try:
        return msgspec.json.decode(reply, type=Outcome)
    except msgspec.DecodeError as error:
        raise UnplannedError("The process that watches a conversion could not run; its log has the reason.") from error


def _raise_error_of(outcome: Outcome) -> None:
    if outcome.crashed:
        raise ConverterCrashed(outcome.detail)
    if outcome.code:
        raise _ERRORS.get(outcome.code, UnplannedError)(outcome.detail)


def _checked(path: Path, limits: ConverterLimits) -> Path:
    """Return the path if it is a plain file of an allowed size: the program may have been taken over."""
    try:
        facts = path.lstat()
    except OSError as error:
        raise ConversionFailed from error
    if not stat.S_ISREG(facts.st_mode) or facts.st_nlink != 1 or not 0 < facts.st_size <= limits.file_bytes:
        raise ConversionFailed
    return path
