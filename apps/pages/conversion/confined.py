"""The program's side of a conversion: restrict this process for good, then become LibreOffice."""

from __future__ import annotations

import codecs
import importlib
import io
import os
import resource
import tempfile
from pathlib import Path

from apps.pages.conversion.order import OUT, PROFILE, SOURCE, TEMPORARY, Order
from apps.pages.model.errors import ReaderNotConfined
from apps.pages.office import encryption, open_document_encryption
from apps.pages.sandbox import confinement
from apps.pages.sandbox.confinement import FileAccess
from apps.pages.sandbox.system_calls.seccomp import ProgramFilter

_READABLE = (
    *(
        "/usr",
        "/bin",
        "/lib",
        "/lib64",
        "/opt",
        "/nix/store",
        "/etc/libreoffice",
        "/var/lib/libreoffice",
        "/var/spool/libreoffice",
    ),
    *("/etc/fonts", "/var/cache/fontconfig", "/etc/locale.alias", "/etc/alternatives", "/etc/ld.so.cache"),
    *("/etc/localtime", "/etc/passwd", "/etc/nsswitch.conf", "/dev/urandom", "/dev/random"),
    *("/sys/devices/system/cpu", "/proc/version", "/proc/cpuinfo", "/proc/meminfo", "/proc/filesystems"),
)
# LibreOffice does not start without a socket here, by which a second LibreOffice would find it.
SOCKETS, SOCKET_NAMES = Path("/tmp"), "OSL_PIPE_*_SingleOfficeIPC_*"  # noqa: S108
_MAX_OPEN_FILES = 1024
_ENCRYPTED_SUMMARY, _DECRYPTED_SUMMARY = "EncryptedSummary".encode("utf-16-le"), "DecryptedSummary".encode("utf-16-le")
_MAX_PROCESSES = 1024


class Confinement:
    """Prepared before the fork, because the folders may be closed to the user that the program runs as."""

    def __init__(self, order: Order) -> None:
        self._order = order
        program = Path(order.program).resolve()
        installation = program.parent.parent if program.name == "soffice.bin" else program
        readable = [*map(Path, _READABLE), installation, *confinement.program_paths()]
        writable = [Path(order.folder), Path("/dev/null")]
        self._files = FileAccess(readable, writable=writable, sockets=[SOCKETS], runs_programs=True)
        self._calls = ProgramFilter()

    def restrict(self, keeper: int) -> None:
        """Restrict this process. Raise ReaderNotConfined if a restriction is required and not available here."""
        order = self._order
        has_own_network = confinement.cut_network()
        if order.user_id:
            confinement.drop_user(order.user_id, order.user_id)
        confinement.drop_capabilities()
        confinement.forbid_new_privileges()
        confinement.die_with_parent(keeper)
        restricts_files = self._files.is_available and self._files.restrict_process()
        _limit_resources(order)
        restricts_calls = self._calls.install()
        if order.must_confine and not (restricts_files and restricts_calls):
            missing = " and ".join(
                name for name, works in (("files", restricts_files), ("system calls", restricts_calls)) if not works
            )
            raise ReaderNotConfined(
                f"LibreOffice cannot be confined here ({missing}), so it converts nothing. See docs/isolation.md."
            )
        if not (has_own_network or restricts_calls):
            os.write(2, b"LibreOffice runs without a network namespace and without a filter of system calls\n")


def _limit_resources(order: Order) -> None:
    limits = {
        resource.RLIMIT_DATA: order.memory_bytes,
        resource.RLIMIT_FSIZE: order.file_bytes,
        resource.RLIMIT_NOFILE: _MAX_OPEN_FILES,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_CPU: int(2 * order.wall_seconds) + 1,
    }
    if order.user_id:  # the kernel counts all processes of a user
        limits[resource.RLIMIT_NPROC] = _MAX_PROCESSES
    for what, value in limits.items():
        hard = resource.getrlimit(what)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(what, (value, value))


def become_converter(order: Order) -> None:
    """Decrypt the document if it is encrypted, then replace this process by the program. Raise ParseError, OSError."""
    folder = Path(order.folder)
    source = folder / SOURCE / f"document.{order.suffix}"
    tempfile.tempdir = str(folder / TEMPORARY)  # the library that decrypts writes a temporary file
    if order.password is not None and encryption.needs_password(str(source)):
        content = encryption.decrypted(io.BytesIO(source.read_bytes()), order.password).read()
        # LibreOffice refuses a presentation that has this stream, also one that is decrypted.
        source.write_bytes(content.replace(_ENCRYPTED_SUMMARY, _DECRYPTED_SUMMARY))
    elif order.password is not None:
        source.write_bytes(open_document_encryption.decrypted_file(source.read_bytes(), order.password))
    os.chdir(folder)
    os.umask(0o077)
    devnull = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(devnull, descriptor)
    os.execve(order.program, _arguments(order, source), _environment(folder))  # noqa: S606


def _arguments(order: Order, source: Path) -> list[str]:
    folder = Path(order.folder)
    return [
        order.program,
        *("--headless", "--norestore", "--nologo", "--nodefault", "--nofirststartwizard", "--nolockcheck"),
        f"-env:UserInstallation={(folder / PROFILE).as_uri()}",
        *("--convert-to", f"{order.target_suffix}:{order.filter}", "--outdir", str(folder / OUT), str(source)),
    ]


def _environment(folder: Path) -> dict[str, str]:
    return {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": str(folder / TEMPORARY),
        "TMPDIR": str(folder / TEMPORARY),
        "SAL_USE_VCLPLUGIN": "svp",
        "SAL_DISABLE_OPENCL": "1",
    }


def load_decryption() -> None:
    """Import what decrypts files now: the modules may be closed to the user that the program runs as."""
    formats = (f"msoffcrypto.format.{name}" for name in ("doc97", "ppt97", "xls97", "ooxml"))
    for name in ("msoffcrypto", *formats, "xml.dom.expatbuilder", *open_document_encryption.MODULES):
        importlib.import_module(name)
    for encoding in ("utf-16-le", "utf-16", "latin-1", "cp1252", "cp437", "ascii"):
        codecs.lookup(encoding)
