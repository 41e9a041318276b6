"""Find the type of a document that is neither a PDF nor an image, by its content."""

from __future__ import annotations

from apps.pages.model.errors import UnsupportedDocument
from apps.pages.model.office_options import OfficeOptions
from apps.pages.office import encryption, older_files, packages
from apps.pages.office.plain import decoding, text_types
from apps.pages.office.sources import Source

_ZIP, _COMPOUND = b"PK\x03\x04", encryption.COMPOUND
_RICH_TEXT = b"{\\rt"  # some programs leave out the f


def may_be_structured(head: bytes) -> bool:
    """Return whether a file that begins with these bytes may be of a type that ``media_type_of`` knows."""
    known = head.lstrip().startswith((_ZIP, _COMPOUND, _RICH_TEXT)) or decoding.is_text(head)
    return known or bool(older_files.type_of_head(head))


def media_type_of(source: Source, head: bytes, options: OfficeOptions, password: str | None = None) -> str:
    """Return the type by the file's content; the name's suffix decides only between kinds of plain text.

    ``head``: its first bytes. Raise UnsupportedDocument, and as ``packages`` does for archives and compound files.
    """
    if head.startswith(_ZIP):
        return packages.type_of_archive(source, password)
    if head.startswith(_COMPOUND):
        return packages.type_of_compound_file(source, password)
    if head.lstrip().startswith(_RICH_TEXT):
        return "application/rtf"
    if older := older_files.type_of_head(head):
        return older
    if not decoding.is_text(head):
        raise UnsupportedDocument
    return text_types.type_of(head, options.suffix)
