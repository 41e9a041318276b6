"""Find the types of documents that are converted before they are read, and whether such a file needs a password."""

from __future__ import annotations

import re

from apps.pages.model.conversions import FLAT_TYPES
from apps.pages.model.errors import EncryptedDocument, UnsupportedEncryption
from apps.pages.office import encryption
from apps.pages.office.archive import Archive
from apps.pages.office.plain import decoding
from apps.pages.office.sources import Source

_WORD_PERFECT, _HANGUL = b"\xffWPC", b"HWP Document File V3"
_WORD_PERFECT_TEXT = 10  # the type of file in its prefix
# Possessive (*+): otherwise each of many comments could end at any later one.
_FLAT = re.compile(r"\A(?:\s|<!--.*?-->|<\?xml[^>]*\?>)*+<office:document\s", re.DOTALL)
_FLAT_TYPE = re.compile(r"\soffice:mimetype\s*=\s*[\"']([^\"']{1,100})[\"']")
# The record that begins a workbook: its kind, its size, its version, and what follows (MS-XLS 2.4.21).
_WORKBOOK = re.compile(rb"\x09[\x00\x02\x04\x08][\x04\x06\x08\x10]\x00..(?:[\x05\x10\x20\x40]\x00|\x00\x01)", re.DOTALL)
_ROOT_ENTRY = re.compile(rb"<manifest:file-entry\s[^>]*manifest:full-path\s*=\s*[\"']/[\"'][^>]*>")
_ENTRY_TYPE = re.compile(rb"manifest:media-type\s*=\s*[\"']([^\"']{1,100})[\"']")
# The number of the first object's type, in front of the text of a Pages document.
_PAGES_OBJECT = b"\x08\x90\x4e"


def type_of_head(head: bytes) -> str:
    """Return the media type of a file that begins with these bytes; "" if it is no file of this module."""
    if head.startswith(_WORD_PERFECT) and head[9:10] == bytes((_WORD_PERFECT_TEXT,)):
        return "application/vnd.wordperfect"
    if head.startswith(_HANGUL):
        return "application/x-hwp"
    if _WORKBOOK.match(head):  # as Excel 2 to 4 wrote them, without a compound file around them
        return "application/vnd.ms-excel"
    if b"office:document" in head and decoding.is_text(head):
        text, _warnings = decoding.decoded(head)
        declared = _FLAT_TYPE.search(text) if _FLAT.match(text) else None
        return FLAT_TYPES.get(declared[1], "") if declared else ""
    return ""


def type_of_archive(archive: Archive) -> str:
    """Return the media type of an archive of Apple's or Sun's programs; "" if it is neither."""
    names = {name.lower() for name in archive.names()}
    entry = _ROOT_ENTRY.search(archive.read("META-INF/manifest.xml"))
    if entry and (declared := _ENTRY_TYPE.search(entry[0])):
        return declared[1].decode("ascii", "replace")
    if "index.apxl" in names or any(name.startswith(("index/slide", "index/masterslide")) for name in names):
        return "application/vnd.apple.keynote"
    if "index/document.iwa" in names:
        is_text = _PAGES_OBJECT in archive.read("Index/Document.iwa")[:40]
        return "application/vnd.apple.pages" if is_text else "application/vnd.apple.numbers"
    root = archive.read("index.xml")[:1000]
    if b"<sl:document" in root:
        return "application/vnd.apple.pages"
    return "application/vnd.apple.numbers" if b"<ls:document" in root else ""


def refuse_encrypted(source: Source, password: str | None) -> None:
    """Raise EncryptedDocument for a doc or ppt file with a password that is not given."""
    if password is None and encryption.needs_password(source):
        raise EncryptedDocument


def refuse_encrypted_archive(archive: Archive, password: str | None) -> None:
    """Raise EncryptedDocument for an archive of Apple's programs with a password, UnsupportedEncryption if given."""
    if ".iwph" in archive or ".iwpv2" in archive:
        raise EncryptedDocument if password is None else UnsupportedEncryption
