"""Find the bytes of an image file inside an office document by the name that its reader gave it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from importlib import import_module
from pathlib import PurePosixPath
from urllib.parse import unquote_to_bytes

from apps.pages.model.errors import ImageTooLarge
from apps.pages.model.office_options import AS_USUAL, OfficeOptions
from apps.pages.office import media_types, open_document_encryption
from apps.pages.office.archive import Archive
from apps.pages.office.books import epub
from apps.pages.office.drawing.pictures import BLIP, CID, DATA, FILE, PICT, data_addresses, digest_name
from apps.pages.office.mail import mail_file
from apps.pages.office.mail.mail_file import AttachedFile, Mail
from apps.pages.office.plain.decoding import is_text
from apps.pages.office.rtf.pictures import RtfPicture
from apps.pages.office.rtf.reader import RtfReader
from apps.pages.office.sheets.older import pictures
from apps.pages.office.sources import Source, bytes_of

MAX_BYTES = 50_000_000
_HEAD_BYTES = 1 << 16


class ImageFiles:
    """The image files of one document, which is opened when the first is read."""

    def __init__(self, source: Source | Mail, media_type: str = "", password: str | None = None) -> None:
        self._source, self._media_type, self._password = source, media_type, password
        self._mail = source if isinstance(source, Mail) else None
        self._archive: Archive | None = None
        self._pictures: list[RtfPicture] | None = None
        self._blips: list[bytes] | None = None
        self._packed: dict[str, bytes] | None = None
        self._packed_of = ""
        self._chapters: dict[str, str] | None = None
        self._inside: dict[str, ImageFiles] = {}

    def read(self, name: str, max_bytes: int = 0) -> bytes:
        """Return an image file, at least its first ``max_bytes`` (0: all); b"" if it is missing.

        Raise DocumentError, ImageTooLarge if it has too many bytes.
        """
        if name.startswith(FILE):
            place, _, name = name.removeprefix(FILE).partition(":")
            first, _, rest = place.partition(".")
            if first not in self._inside:
                self._inside[first] = _files_of(self._message().files[int(first)])
            return self._inside[first].read(f"{FILE}{rest}:{name}" if rest else name, max_bytes)
        if name.startswith(DATA):
            content = self._data(name)
        elif name.startswith(CID):
            content = next((file.content or b"" for file in self._message().files if file.name_in_body == name), b"")
        elif name.startswith(PICT):
            content = self._picture(name.removeprefix(PICT))
        elif name.startswith(BLIP):
            content = self._blip(name.removeprefix(BLIP))
        else:
            content = self._part(name, max_bytes)
        if len(content) > MAX_BYTES:
            raise ImageTooLarge
        return content

    def _message(self) -> Mail:
        if self._mail is None:
            read: Callable[[bytes, OfficeOptions], Mail] = import_module(mail_file.MODULES[self._media_type]).read
            self._mail = read(self._bytes(), AS_USUAL)
        return self._mail

    def _bytes(self) -> bytes:
        return b"" if isinstance(self._source, Mail) else bytes_of(self._source)

    def _data(self, name: str) -> bytes:
        part = ""
        if self._media_type == epub.MEDIA_TYPE:
            if self._chapters is None:
                names = self._opened().names()
                self._chapters = {found: part for part in names for found in _packed_in(self._chapter(part))}
            part = self._chapters.get(name, "")
        if self._packed is None or part != self._packed_of:
            self._packed, self._packed_of = _packed_in(self._chapter(part) if part else self._text()), part
        packed = self._packed.get(name, b"").partition(b",")[2]
        try:
            return base64.b64decode(unquote_to_bytes(packed) + b"==")
        except binascii.Error:
            return b""

    def _chapter(self, name: str) -> bytes:
        """Return a part of a book if it is text."""
        with self._opened().opened(name) as part:
            head = part.read(_HEAD_BYTES)
            return head + part.read() if is_text(head) else b""

    def _text(self) -> bytes:
        is_mail = self._mail is not None or self._media_type in mail_file.MODULES
        return self._message().body_source if is_mail else self._bytes()

    def _picture(self, place: str) -> bytes:
        if self._pictures is None:
            self._pictures = RtfReader(self._text()).pictures
        return self._pictures[int(place)].content if place.isdigit() and int(place) < len(self._pictures) else b""

    def _blip(self, number: str) -> bytes:
        if self._blips is None:
            self._blips = pictures.image_files(self._bytes(), self._password)
        return self._blips[int(number) - 1] if number.isdigit() and 0 < int(number) <= len(self._blips) else b""

    def _opened(self) -> Archive:
        if self._archive is None:
            archive = Archive(self._bytes() if isinstance(self._source, Mail) else self._source, self._password)
            self._archive = open_document_encryption.unlocked(archive, self._password)
        return self._archive

    def _part(self, name: str, max_bytes: int) -> bytes:
        archive = self._opened()
        if max_bytes and name in archive:
            with archive.opened(name) as part:
                return part.read(max_bytes)
        return archive.read(name)


def _packed_in(text: bytes) -> dict[str, bytes]:
    """Return the addresses with an image in them, by the names of their images."""
    return {digest_name(packed): packed for packed in data_addresses(text)}


def _files_of(file: AttachedFile) -> ImageFiles:
    if file.message is not None:
        return ImageFiles(file.message())
    content = file.content or b""
    options = OfficeOptions(suffix=PurePosixPath(file.name).suffix)
    return ImageFiles(content, media_types.media_type_of(content, content[:_HEAD_BYTES], options))
