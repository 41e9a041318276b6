"""Stored bytes. Only this module builds storage keys; a key never contains text of users.

A storage that fails raises StorageUnavailable or StorageFull; a missing key raises FileNotFoundError.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage, default_storage, storages

from apps.documents.errors import DocumentMissing, StorageFull, StorageUnavailable

SPOOL_BYTES = 4 * 1024 * 1024
NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})


@contextmanager
def storage_errors() -> Iterator[None]:
    """Turn the errors of the folder or of the object store into StorageFull and StorageUnavailable.

    A missing key stays FileNotFoundError, unless the whole folder or bucket is missing.
    """
    storage: Any = storages["default"]  # FolderStorage or ObjectStorage
    try:
        yield
    except FileNotFoundError as error:
        if not storage.is_there():
            raise StorageUnavailable("The folder or bucket of the storage is missing. Mount or create it.") from error
        raise
    except storage.errors as error:
        raise (StorageFull if storage.is_full(error) else StorageUnavailable) from error


class FolderStorage(FileSystemStorage):
    """A folder that only its owner can read. A write replaces the file with the same key atomically."""

    errors = (OSError,)

    def is_there(self) -> bool:
        return Path(self.location).is_dir()

    @staticmethod
    def is_full(error: Exception) -> bool:
        """Return whether the disk, or the quota of its user, has no space left."""
        return isinstance(error, OSError) and error.errno in NO_SPACE

    def __init__(self, location: str) -> None:
        super().__init__(location=location, file_permissions_mode=0o600, directory_permissions_mode=0o700)

    def exists(self, name: str) -> bool:
        try:
            os.lstat(self.path(name))  # other errors than a missing file are raised: the disk may fail
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

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
        if not durable:
            return
        root = Path(self.location)
        for folder in path.parents:  # new folders need an fsync, too
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
            if folder == root:
                return


def probe(name: str) -> str:
    """Bytes of a test write, removed at once."""
    return f"probe-{name}"


def original(document_id: str) -> str:
    return f"documents/{document_id[:6]}/{document_id}/original"


def page_content(job_id: str, *, first: int, last: int, attempt: str) -> str:
    """Pages of a range, extracted by one attempt: a JSON line per page."""
    return f"{job_folder(job_id)}/pages/{first:06}-{last:06}.{attempt}.jsonl"


def converted_document(job_id: str, *, attempt: str) -> str:
    """The document of a job, converted by one attempt to a type that is read."""
    return f"{job_folder(job_id)}/converted.{attempt}"


def printed_document(job_id: str, *, attempt: str) -> str:
    """The office document of a job, printed to PDF by one attempt."""
    return f"{job_folder(job_id)}/printed.{attempt}"


def page_image(job_id: str, *, number: int, attempt: str) -> str:
    """The image of a page, rendered for OCR by one attempt."""
    return f"{job_folder(job_id)}/ocr/{number:06}.{attempt}.image"


def ocr_answer(job_id: str, *, number: int, attempt: str) -> str:
    """The result of OCR for the image of the same attempt."""
    return f"{job_folder(job_id)}/ocr/{number:06}.{attempt}.json"


def annotation(job_id: str, *, number: int, attempt: str) -> str:
    """A model's answer about a page, or about the whole document (0), by one attempt."""
    return f"{job_folder(job_id)}/annotations/{number:06}.{attempt}.json"


def page_answer(key: str) -> str:
    """A cached model result for a page."""
    return f"answers/{key[:2]}/{key}"


def result_folder(job_id: str, *, attempt: str) -> str:
    """The output of one attempt at assembly; two attempts never share a folder."""
    return f"{job_folder(job_id)}/result.{attempt}"


@storage_errors()
def write(key: str, content: bytes | BinaryIO, *, durable: bool = False) -> None:
    """Store the bytes under ``key`` atomically. ``durable``: they survive a power failure after the return."""
    storage = storages["default"]
    if isinstance(storage, FolderStorage):
        storage.write(key, content, durable=durable)
    else:  # an object store responds when the bytes are durable
        storage.save(key, ContentFile(content) if isinstance(content, bytes) else File(content))


@contextmanager
def open_for_writing(key: str) -> Iterator[BinaryIO]:
    """Return a file to write to. It is stored under ``key`` atomically when the block ends without an error."""
    with tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES) as spool:
        yield spool  # type: ignore[misc]
        spool.seek(0)
        write(key, spool)  # type: ignore[arg-type]


@storage_errors()
def read(key: str) -> bytes:
    """Return the bytes under ``key``. Raise FileNotFoundError if there are none."""
    with default_storage.open(key, "rb") as source:
        return bytes(source.read())


@storage_errors()
def open_for_reading(key: str) -> BinaryIO:
    """Open the bytes under ``key``. Raise FileNotFoundError if there are none."""
    source = default_storage.open(key, "rb")
    source.read(0)  # an object store fetches the whole object now, so that its errors are raised here
    return source  # type: ignore[return-value]


def open_original(document_id: str) -> BinaryIO:
    """Open an uploaded document. Raise DocumentMissing if its bytes are gone."""
    return open_document(original(document_id))


def open_document(key: str) -> BinaryIO:
    """Open a document. Raise DocumentMissing if its bytes are gone."""
    try:
        return open_for_reading(key)
    except FileNotFoundError as error:
        raise DocumentMissing from error


@storage_errors()
def size(key: str) -> int:
    return default_storage.size(key)


@storage_errors()
def exists(key: str) -> bool:
    return default_storage.exists(key)


def local_path(key: str) -> Path | None:
    """Return the path of ``key`` on this machine, existing or not; None in an object store."""
    if isinstance(storages["default"], FileSystemStorage):
        return Path(default_storage.path(key))
    return None


@storage_errors()
def delete(key: str) -> None:
    """Remove the bytes under ``key``, if there are any."""
    default_storage.delete(key)


@contextmanager
def local_original(document_id: str) -> Iterator[Path]:
    """Return a path on this machine with the bytes of an uploaded document, as ``local_file`` does."""
    with local_file(original(document_id)) as path:
        yield path


@contextmanager
def local_file(key: str) -> Iterator[Path]:
    """Return a path on this machine with the bytes of a document: the stored file, or a temporary copy.

    Raise DocumentMissing if the bytes are gone.
    """
    if (path := local_path(key)) is not None:
        try:
            size(key)
        except FileNotFoundError as error:
            raise DocumentMissing from error
        yield path
        return
    with tempfile.NamedTemporaryFile(prefix="leafmill-") as copy:
        with open_document(key) as source:
            shutil.copyfileobj(source, copy, 1024 * 1024)
        copy.flush()
        yield Path(copy.name)


def document_folder(document_id: str) -> str:
    """The folder of a document's own bytes."""
    return original(document_id).rpartition("/")[0]


def job_folder(job_id: str) -> str:
    """The folder of everything that a job writes."""
    return f"jobs/{job_id[:6]}/{job_id}"


@storage_errors()
def delete_below(key: str) -> None:
    """Remove the bytes under ``key`` and every key below it. Keys that are missing or vanish meanwhile are no error.

    Raise the error of the storage if a key could not be removed.
    """

    def ignore_missing(_: object, __: str, failure: tuple[type[BaseException], BaseException, TracebackType]) -> None:
        if not isinstance(failure[1], FileNotFoundError):
            raise failure[1]

    if not isinstance(storages["default"], FileSystemStorage):
        for found in _keys_below(key):
            default_storage.delete(found)
        default_storage.delete(key)
        return
    path = Path(default_storage.path(key))
    if path.is_dir():
        shutil.rmtree(path, onerror=ignore_missing)
    else:
        path.unlink(missing_ok=True)


@storage_errors()
def size_below(key: str) -> int:
    """Return the total size in bytes of all keys below ``key``."""
    sizes = 0
    for found in _keys_below(key):
        with suppress(FileNotFoundError):  # removed meanwhile
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
