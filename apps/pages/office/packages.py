"""Find the type of an office file that is an archive: Open XML, OpenDocument, EPUB; or a compound file."""

from __future__ import annotations

import re
import struct
from typing import NamedTuple

from apps.pages.model.conversions import conversion_of
from apps.pages.model.errors import DamagedDocument, UnsupportedDocument, UnsupportedEncryption
from apps.pages.office import older_files, open_document_encryption
from apps.pages.office.archive import Archive
from apps.pages.office.sources import Source, bytes_of

_OPEN_XML = "application/vnd.openxmlformats-officedocument."
# The type of the main part, without its end -> the type of the file.
_MAIN_PARTS = {
    _OPEN_XML + "wordprocessingml.document": _OPEN_XML + "wordprocessingml.document",
    _OPEN_XML + "wordprocessingml.template": _OPEN_XML + "wordprocessingml.template",
    "application/vnd.ms-word.document.macroEnabled": "application/vnd.ms-word.document.macroEnabled.12",
    "application/vnd.ms-word.template.macroEnabledTemplate": "application/vnd.ms-word.template.macroEnabled.12",
    _OPEN_XML + "spreadsheetml.sheet": _OPEN_XML + "spreadsheetml.sheet",
    _OPEN_XML + "spreadsheetml.template": _OPEN_XML + "spreadsheetml.template",
    "application/vnd.ms-excel.sheet.macroEnabled": "application/vnd.ms-excel.sheet.macroEnabled.12",
    "application/vnd.ms-excel.template.macroEnabled": "application/vnd.ms-excel.template.macroEnabled.12",
    "application/vnd.ms-excel.addin.macroEnabled": "application/vnd.ms-excel.addin.macroEnabled.12",
    "application/vnd.ms-excel.sheet.binary.macroEnabled": "application/vnd.ms-excel.sheet.binary.macroEnabled.12",
    _OPEN_XML + "presentationml.presentation": _OPEN_XML + "presentationml.presentation",
    _OPEN_XML + "presentationml.template": _OPEN_XML + "presentationml.template",
    _OPEN_XML + "presentationml.slideshow": _OPEN_XML + "presentationml.slideshow",
    "application/vnd.ms-powerpoint.presentation.macroEnabled": (
        "application/vnd.ms-powerpoint.presentation.macroEnabled.12"
    ),
    "application/vnd.ms-powerpoint.template.macroEnabled": "application/vnd.ms-powerpoint.template.macroEnabled.12",
    "application/vnd.ms-powerpoint.slideshow.macroEnabled": "application/vnd.ms-powerpoint.slideshow.macroEnabled.12",
    "application/vnd.ms-visio.drawing": "application/vnd.ms-visio.drawing",
    "application/vnd.ms-visio.template": "application/vnd.ms-visio.template",
    "application/vnd.ms-visio.drawing.macroEnabled": "application/vnd.ms-visio.drawing.macroEnabled.12",
    "application/vnd.ms-visio.template.macroEnabled": "application/vnd.ms-visio.template.macroEnabled.12",
}
OPEN_XML_WORKBOOKS = tuple(
    media_type
    for media_type in _MAIN_PARTS.values()
    if ("excel" in media_type or "spreadsheetml" in media_type) and "binary" not in media_type
)
_OPEN_DOCUMENT = "application/vnd.oasis.opendocument."
OPEN_DOCUMENT_TEXTS = (f"{_OPEN_DOCUMENT}text", f"{_OPEN_DOCUMENT}text-template")
OPEN_DOCUMENT_WORKBOOKS = (f"{_OPEN_DOCUMENT}spreadsheet", f"{_OPEN_DOCUMENT}spreadsheet-template")
OPEN_DOCUMENT_PRESENTATIONS = (f"{_OPEN_DOCUMENT}presentation", f"{_OPEN_DOCUMENT}presentation-template")
OPEN_XML_TEXTS = tuple(
    media_type for media_type in _MAIN_PARTS.values() if "ms-word" in media_type or "wordprocessingml" in media_type
)
OPEN_XML_PRESENTATIONS = tuple(
    media_type for media_type in _MAIN_PARTS.values() if "powerpoint" in media_type or "presentationml" in media_type
)
_CONTENT_TYPE = re.compile(r"[Cc]ontentType\s*=\s*[\"']([^\"']+?)\.main(?:\+xml)?[\"']")
# Names of streams and folders in a compound file, in small letters.
_STREAMS = {
    "worddocument": "application/msword",
    "workbook": "application/vnd.ms-excel",
    "book": "application/vnd.ms-excel",
    "powerpoint document": "application/vnd.ms-powerpoint",
    "__properties_version1.0": "application/vnd.ms-outlook",
    "visiodocument": "application/vnd.visio",
    "quill": "application/x-mspublisher",
    "matost": "application/vnd.ms-works",
}
_WORKS_MARK = b"CHNKWKS"
MAX_DIRECTORY_SECTORS = 10_000


def type_of_archive(source: Source, password: str | None = None) -> str:
    """Return the media type of a ZIP file.

    Raise UnsupportedDocument, as ``Archive`` does, and for a type that is converted also for its encryption.
    """
    archive = Archive(source, password)
    media_type = type_of_parts(archive)
    if conversion_of(media_type):
        older_files.refuse_encrypted_archive(archive, password)
        open_document_encryption.unlocked(archive, password)
    return media_type


def type_of_parts(archive: Archive) -> str:
    """Return the media type by what the archive says of its parts. Raise UnsupportedDocument, DamagedDocument."""
    declared = archive.read("mimetype")[:200].decode("ascii", "replace").strip()
    if declared:
        return declared
    types = archive.read("[Content_Types].xml")
    text = types.decode("utf-16" if types[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8", "replace")
    for found in _CONTENT_TYPE.findall(text):
        if found in _MAIN_PARTS:
            return _MAIN_PARTS[found]
    if "META-INF/container.xml" in archive:
        return "application/epub+zip"
    if older := older_files.type_of_archive(archive):
        return older
    raise UnsupportedDocument(
        "This archive is no office document. Parse its documents in a batch: POST /api/v2/batches with source_file_id."
    )


def type_of_compound_file(source: Source, password: str | None = None) -> str:
    """Return the media type of a file of older office programs, or of an encrypted Open XML file.

    Raise UnsupportedDocument, EncryptedDocument, WrongPassword, UnsupportedEncryption.
    """
    content = bytes_of(source)
    entries = _directory(content)
    # Files inside the document, such as a workbook in a text, have entries of the same names below their own folder.
    for names in (_names_at_root(entries), {entry.name for entry in entries}):
        if "encryptedpackage" in names:
            return type_of_archive(source, password)
        if "\tdrmcontent" in names:
            raise UnsupportedEncryption
        for name, media_type in _STREAMS.items():
            if name in names:
                if conversion_of(media_type):
                    older_files.refuse_encrypted(content, password)
                return media_type
        if "contents" in names and _WORKS_MARK in content:
            return "application/vnd.ms-works"
    raise UnsupportedDocument


class _Entry(NamedTuple):
    """A file or folder of the directory. The numbers of its neighbours, and of the first entry inside it."""

    name: str
    left: int
    right: int
    child: int


def _names_at_root(entries: list[_Entry]) -> set[str]:
    names: set[str] = set()
    waiting, seen = [entries[0].child] if entries else [], set()
    while waiting:
        number = waiting.pop()
        if number >= len(entries) or number in seen:
            continue
        seen.add(number)
        names.add(entries[number].name)
        waiting += (entries[number].left, entries[number].right)
    return names


def _directory(content: bytes) -> list[_Entry]:
    """Return the directory of a compound file (MS-CFB 2.2 and 2.6), names in small letters. Raise DamagedDocument."""
    try:
        shift = struct.unpack_from("<H", content, 30)[0]
        if shift not in (9, 12):
            raise DamagedDocument
        size = 1 << shift
        (sector,) = struct.unpack_from("<I", content, 48)
        tables = [number for number in struct.unpack_from("<109I", content, 76) if number < 0xFFFFFFFA]
        entries = []
        for _ in range(MAX_DIRECTORY_SECTORS):
            if sector >= 0xFFFFFFFA:
                break
            for entry in range(0, size, 128):
                start = (sector + 1) * size + entry
                length, *links = struct.unpack_from("<HxxIII", content, start + 64)
                name = content[start : start + max(0, min(64, length) - 2)].decode("utf-16-le", "replace")
                entries.append(_Entry(name.lower(), *links))
            table, place = divmod(sector, size // 4)
            if table >= len(tables):  # beyond the first 109 sectors of the table
                break
            (sector,) = struct.unpack_from("<I", content, (tables[table] + 1) * size + 4 * place)
    except struct.error as error:
        raise DamagedDocument from error
    return entries
