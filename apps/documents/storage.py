"""Where bytes live; the only module that spells storage keys. No user text is ever part of a key."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
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
    return f"{_job(job_id)}/pages/{first:06}-{last:06}.{attempt}.jsonl"


def page_image(job_id: str, *, number: int, attempt: str) -> str:
    """A page as one attempt rendered it for OCR."""
    return f"{_job(job_id)}/ocr/{number:06}.{attempt}.image"


def ocr_answer(job_id: str, *, number: int, attempt: str) -> str:
    """What an OCR worker read on the image of the same attempt."""
    return f"{_job(job_id)}/ocr/{number:06}.{attempt}.json"


def page_answer(key: str) -> str:
    """A model's answer for a page, kept to be used again."""
    return f"answers/{key[:2]}/{key}"


def result_folder(job_id: str, *, attempt: str) -> str:
    """What one attempt at assembly wrote; two attempts never share a folder."""
    return f"{_job(job_id)}/result.{attempt}"


def _job(job_id: str) -> str:
    return f"jobs/{job_id[:6]}/{job_id}"


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


def delete_document(document_id: str) -> None:
    _delete_tree(original(document_id).rpartition("/")[0])


def delete_job(job_id: str) -> None:
    _delete_tree(_job(job_id))


def _delete_tree(prefix: str) -> None:
    """Remove every key below ``prefix``; what is not there is no error."""
    if isinstance(storages["default"], FileSystemStorage):
        shutil.rmtree(default_storage.path(prefix), ignore_errors=True)
        return
    folders, files = default_storage.listdir(prefix)
    for name in files:
        default_storage.delete(f"{prefix}/{name}")
    for name in folders:
        _delete_tree(f"{prefix}/{name}")
