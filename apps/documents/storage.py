"""Where bytes live; the only module that spells storage keys. No user text is ever part of a key."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage, default_storage, storages

SPOOL_BYTES = 4 * 1024 * 1024


class FolderStorage(FileSystemStorage):
    """A folder, readable by its owner alone. ``save`` replaces what has the same key, in one move."""

    def __init__(self, location: str) -> None:
        super().__init__(location=location, file_permissions_mode=0o600, directory_permissions_mode=0o700)

    def write(self, key: str, content: bytes | BinaryIO, *, durable: bool) -> None:
        path = Path(self.path(key))
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
                if isinstance(content, bytes):
                    out.write(content)
                else:
                    shutil.copyfileobj(content, out, 1024 * 1024)
                if durable:
                    out.flush()
                    os.fsync(out.fileno())
            draft.rename(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        if durable:
            self._fsync_folders(path.parent)

    def _fsync_folders(self, folder: Path) -> None:
        """The names on the way to the file are durable too; new folders are at most two levels deep."""
        root = Path(self.location).resolve()
        for level in [folder, *folder.parents]:
            handle = os.open(level, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
            if level == root:
                return


def probe(name: str) -> str:
    """Bytes that are written to see whether they can be, and removed at once."""
    return f"probe-{name}"


def original(document_id: str) -> str:
    return f"documents/{document_id[:6]}/{document_id}/original"


def page_content(job_id: str, *, first: int, last: int, attempt: str) -> str:
    """Pages of one range as one attempt read them: a JSON line per page."""
    return f"{job_folder(job_id)}/pages/{first:06}-{last:06}.{attempt}.jsonl"


def page_image(job_id: str, *, number: int, attempt: str) -> str:
    """A page as one attempt rendered it for OCR."""
    return f"{job_folder(job_id)}/ocr/{number:06}.{attempt}.image"


def ocr_answer(job_id: str, *, number: int, attempt: str) -> str:
    """What an OCR worker read on the image of the same attempt."""
    return f"{job_folder(job_id)}/ocr/{number:06}.{attempt}.json"


def page_answer(key: str) -> str:
    """A model's answer for a page, kept to be used again."""
    return f"answers/{key[:2]}/{key}"


def result_folder(job_id: str, *, attempt: str) -> str:
    """What one attempt at assembly wrote; two attempts never share a folder."""
    return f"{job_folder(job_id)}/result.{attempt}"


def write(key: str, content: bytes | BinaryIO, *, durable: bool = False) -> None:
    """Store the bytes under ``key``, whole or not at all. ``durable``: they survive a power cut once this returns."""
    storage = storages["default"]
    if isinstance(storage, FolderStorage):
        storage.write(key, content, durable=durable)
    else:  # an object store answers when the bytes are safe
        storage.save(key, ContentFile(content) if isinstance(content, bytes) else File(content))


@contextmanager
def open_for_writing(key: str) -> Iterator[BinaryIO]:
    """A file to write to; it appears under ``key``, whole, when the block ends without an error."""
    with tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES) as spool:
        yield spool  # type: ignore[misc]
        spool.seek(0)
        write(key, spool)  # type: ignore[arg-type]


def read(key: str) -> bytes:
    """The bytes under ``key``; FileNotFoundError when there are none."""
    with default_storage.open(key, "rb") as source:
        return bytes(source.read())


def open_for_reading(key: str) -> BinaryIO:
    return default_storage.open(key, "rb")  # type: ignore[return-value]


def size(key: str) -> int:
    return default_storage.size(key)


def exists(key: str) -> bool:
    return default_storage.exists(key)


def local_path(key: str) -> Path | None:
    """Where the bytes of ``key`` lie or will lie on this machine; None in an object store."""
    if isinstance(storages["default"], FileSystemStorage):
        return Path(default_storage.path(key))
    return None


def delete(key: str) -> None:
    """Remove the bytes under ``key``; no error when there are none."""
    default_storage.delete(key)


@contextmanager
def local_copy(key: str) -> Iterator[Path]:
    """A path on this machine with the bytes of ``key``: the file itself in a folder, else a copy for the time."""
    if isinstance(storages["default"], FileSystemStorage):
        yield Path(default_storage.path(key))
        return
    with tempfile.NamedTemporaryFile(prefix="leafmill-") as copy:
        with default_storage.open(key, "rb") as source:
            shutil.copyfileobj(source, copy, 1024 * 1024)
        copy.flush()
        yield Path(copy.name)


def local_original(document_id: str) -> AbstractContextManager[Path]:
    """``local_copy`` of a document as it was uploaded."""
    return local_copy(original(document_id))


def document_folder(document_id: str) -> str:
    """Everything that is kept of a document's own bytes."""
    return original(document_id).rpartition("/")[0]


def job_folder(job_id: str) -> str:
    """Everything that a job wrote."""
    return f"jobs/{job_id[:6]}/{job_id}"


def delete_below(key: str) -> None:
    """Remove the bytes under ``key`` and every key below it; what is not there, or goes meanwhile, is no error.

    Raises what the storage raises when something stays.
    """
    if not isinstance(storages["default"], FileSystemStorage):
        for found in _keys_below(key):
            default_storage.delete(found)
        default_storage.delete(key)
        return
    path = Path(default_storage.path(key))
    if path.is_dir():
        shutil.rmtree(path, onerror=_unless_it_is_gone)
    else:
        path.unlink(missing_ok=True)


def _unless_it_is_gone(_: object, __: str, failure: tuple[type[BaseException], BaseException, TracebackType]) -> None:
    if not isinstance(failure[1], FileNotFoundError):
        raise failure[1]


def size_below(key: str) -> int:
    """Bytes under every key below ``key``; 0 when there is none."""
    sizes = 0
    for found in _keys_below(key):
        with suppress(FileNotFoundError):  # it goes meanwhile
            sizes += default_storage.size(found)
    return sizes


def _keys_below(folder: str) -> Iterator[str]:
    try:
        folders, files = default_storage.listdir(folder)
    except FileNotFoundError:
        return
    yield from (f"{folder}/{name}" for name in files)
    for name in folders:
        yield from _keys_below(f"{folder}/{name}")
