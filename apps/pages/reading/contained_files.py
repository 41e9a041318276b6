"""The files inside a document: a ZIP archive, or a message, PDF, office file or electronic invoice with other files.

Runs only inside the sandboxed child. Nothing inside these files is unpacked in turn.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from apps.pages.model.document_facts import MAX_HEADER_OFFSET_BYTES, ContainedFile
from apps.pages.model.errors import (
    DamagedDocument,
    EmptyFile,
    EncryptedDocument,
    ParseError,
    TooManyElements,
    UnsupportedDocument,
    WrongPassword,
)
from apps.pages.model.media_types import PDF, printed_type_of
from apps.pages.model.office_options import AS_USUAL
from apps.pages.model.text.safe_text import clean
from apps.pages.office import media_types, packages
from apps.pages.office.archive import MAX_ENTRY_BYTES, Archive
from apps.pages.office.invoices import invoice
from apps.pages.office.mail import mail_file
from apps.pages.pdf.structure import attachments
from apps.pages.reading.inspection import may_be_read

MAX_NAME_CHARACTERS = 1_000
_HIDDEN_NAMES = frozenset(("thumbs.db", "desktop.ini"))
_PACKED = (b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!", b"BZh", b"\xfd7zXZ")
Found = tuple[ContainedFile, bytes]


def contained_files(path: str, *, password: str | None = None) -> Iterator[Found]:
    """Yield the files inside a document, each with its content, or with the code why it cannot be parsed.

    Raise DocumentError, and UnsupportedDocument for a document of a kind that has no files inside.
    """
    with open(path, "rb") as file:  # noqa: PTH123 (the path may be a descriptor)
        head = file.read(MAX_HEADER_OFFSET_BYTES + 4)
    if not head:
        raise EmptyFile
    for name, content in _contents(path, head, password):
        name = clean(" ".join(name.split()))[:MAX_NAME_CHARACTERS] or "document"
        try:
            if isinstance(content, ParseError):
                raise content
            _check(name, content)
        except ParseError as error:
            yield ContainedFile(name, code=error.code, detail=error.detail), b""
        else:
            yield ContainedFile(name, len(content)), content


def _contents(path: str, head: bytes, password: str | None) -> Iterator[tuple[str, bytes | ParseError]]:
    media_type = printed_type_of(head)
    if media_type == PDF:
        yield from _in_pdf(path, password)
    elif head.startswith(_PACKED[:2]):
        yield from _in_archive(Archive(path, password))
    elif media_type or not media_types.may_be_structured(head):
        raise UnsupportedDocument("This kind of file has no files inside. Send a ZIP archive, a message or a PDF.")
    else:
        yield from _in_structure(path, media_types.media_type_of(path, head, AS_USUAL, password))


def _in_structure(path: str, media_type: str) -> Iterator[tuple[str, bytes | ParseError]]:
    if mail_file.is_message(media_type):
        try:
            mail = mail_file.read(path, media_type, AS_USUAL)
        except RecursionError:
            raise TooManyElements("The parts of the message are nested too deeply. Save its attachments.") from None
        for file in mail.files:
            if file.message is not None:
                yield file.name, UnsupportedDocument("An attached message is part of its message. Parse that one.")
            else:
                yield file.name, file.content or EmptyFile()
    elif media_type == "application/xml":
        for attached, content in invoice.files_of(path):
            yield attached.name, content or DamagedDocument()
    else:
        raise UnsupportedDocument("This kind of file has no files inside. Send a ZIP archive, a message or a PDF.")


def _in_archive(archive: Archive) -> Iterator[tuple[str, bytes | ParseError]]:
    """Yield the entries of an archive; of an office file only the files embedded in it."""
    try:
        packages.type_of_parts(archive)
    except UnsupportedDocument:
        is_office_file = False
    else:
        is_office_file = True
    for entry in archive.entries():
        if is_office_file and "/embeddings/" not in entry.filename:
            continue
        if _is_hidden(entry.filename):
            yield entry.filename, UnsupportedDocument("This is a hidden file of a computer's system, no document.")
            continue
        try:
            with archive.opened_entry(entry) as part:
                content: bytes | ParseError = part.read()
        except EncryptedDocument:
            content = EncryptedDocument("The file is encrypted in its archive. Unpack it and send it alone.")
        except ParseError as error:
            content = error
        yield entry.filename, content


def _in_pdf(path: str, password: str | None) -> Iterator[tuple[str, bytes | ParseError]]:
    import pikepdf

    try:
        pdf = pikepdf.open(path, password=password or "", suppress_warnings=True)
    except pikepdf.PasswordError as error:
        raise (EncryptedDocument if password is None else WrongPassword) from error
    except Exception as error:  # damaged in a way that only a reader without attachments repairs
        raise DamagedDocument from error
    with pdf:
        for facts, stream in attachments.read_attachments(pdf):
            try:
                content: bytes | ParseError = attachments.content_of(stream, MAX_ENTRY_BYTES)
            except ParseError as error:
                content = error
            yield facts.name, content


def _is_hidden(name: str) -> bool:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return bool(parts) and (
        "__MACOSX" in parts
        or any(part.startswith(".") and part.strip(".") for part in parts)
        or parts[-1].lower() in _HIDDEN_NAMES
    )


def _check(name: str, content: bytes) -> None:
    """Raise EmptyFile or UnsupportedDocument if the content is certainly no document that is read."""
    if not content:
        raise EmptyFile
    if content.startswith(_PACKED[:2]):
        try:
            packages.type_of_archive(content)
        except UnsupportedDocument:
            raise UnsupportedDocument("Archives inside of archives are not unpacked. Send them one by one.") from None
    elif content.startswith(_PACKED):
        raise UnsupportedDocument("Archives inside of archives are not unpacked. Send them one by one.")
    elif not may_be_read(content[: MAX_HEADER_OFFSET_BYTES + 4]):
        raise UnsupportedDocument
