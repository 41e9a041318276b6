"""The pages of a message: first its own, then those of the files and messages attached to it.

Attached files are read if they have a structure of their own. PDFs and pictures are named: their pages may need OCR,
which reads pages of a document of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import PurePosixPath
from typing import NamedTuple

import msgspec

from apps.pages.model.blocks import Block, BlockType, Page
from apps.pages.model.document_facts import Attachment, DocumentFacts
from apps.pages.model.errors import ParseError
from apps.pages.model.geometry import NO_BOX
from apps.pages.model.media_types import printed_type_of
from apps.pages.model.office_options import OfficeOptions
from apps.pages.model.text.safe_text import clean
from apps.pages.office import media_types, office_file
from apps.pages.office.drawing.pictures import CID, with_images_inside
from apps.pages.office.office_file import OfficeFile
from apps.pages.office.paged_blocks import Content, PagedBlocks
from apps.pages.office.sources import Source, bytes_of

MAX_NESTED_MESSAGES = 3
MAX_ATTACHMENTS = 1_000
MAX_READ_ATTACHMENTS = 100
MAX_NAME_CHARACTERS = 200
NOT_READ = "embedded_files_not_read"
_HEAD_BYTES = 1 << 16
# They have no text.
_SIGNATURES = ("application/pkcs7-signature", "application/x-pkcs7-signature", "application/pgp-signature")
# Media type -> module whose function ``read`` reads a message.
MODULES = {
    "message/rfc822": "apps.pages.office.mail.message",
    "application/vnd.ms-outlook": "apps.pages.office.mail.outlook",
}


@dataclass(frozen=True)
class AttachedFile:
    """``content``: None if the message only names the file. ``message``: opens a message attached as such.

    ``content_id``: by which the text of the message shows the file, if it is a picture.
    """

    name: str
    media_type: str = ""
    content: bytes | None = None
    message: Callable[[], Mail] | None = None
    content_id: str = ""

    @property
    def name_in_body(self) -> str:
        """The name of the image file in the blocks of the text; "" without an id."""
        return CID + self.content_id if self.content_id else ""


@dataclass(frozen=True)
class Mail:
    """``fields``: names and values, such as From. ``body``: the text as blocks; ``body_source``: as HTML or RTF."""

    subject: str
    fields: Sequence[tuple[str, str]]
    body: Content
    files: Sequence[AttachedFile]
    body_source: bytes = b""


class _MailPlace(NamedTuple):
    """A page of a document. ``name``: of the attached file that it is part of; ``is_message``: of a message.

    ``inside``: where the file is: its place among the files of the message, or of a message attached to it.
    """

    document: OfficeFile
    number: int
    name: str
    is_message: bool = False
    inside: tuple[int, ...] = ()


class MailFile:
    """``facts`` name all files attached to the message itself."""

    def __init__(self, mail: Mail, media_type: str, options: OfficeOptions) -> None:
        self._pages: list[_MailPlace] = []
        self._options = options
        self._read_files = 0
        self._add_mail(mail, "", ())
        attachments = tuple(
            Attachment(file.name, file.media_type, None if file.content is None else len(file.content))
            for file in mail.files[:MAX_ATTACHMENTS]
        )
        title = mail.subject[: 3 * MAX_NAME_CHARACTERS // 2]
        self.facts = DocumentFacts(media_type, len(self._pages), title, attachments=attachments)

    def page(self, number: int) -> Page:
        document, own_number, name, is_message, inside = self._pages[number - 1]
        page = document.page(own_number)
        blocks, warnings = with_images_inside(page.blocks, inside), page.warnings
        if own_number == 1 and not is_message:
            blocks = (_block(BlockType.HEADING, name, level=1), *blocks)
            warnings = tuple(dict.fromkeys((*document.facts.warnings, *warnings)))
        return msgspec.structs.replace(page, number=number, blocks=blocks, warnings=warnings, attachment_name=name)

    def _add_mail(self, mail: Mail, name: str, inside: tuple[int, ...]) -> None:
        """Add the pages of a message and of what is attached to it. ``name``: its own as an attached file."""
        depth = len(inside)
        opened = [(file, self._opened(file, depth)) for file in mail.files]
        shown = {block.image.name for block in mail.body.blocks if block.image}
        missing = [
            file.name
            for file, document in opened
            if document is None and file.name_in_body not in shown and file.media_type.lower() not in _SIGNATURES
        ]
        blocks = [_block(BlockType.HEADING, mail.subject or "Message", level=1)]
        blocks += [_block(BlockType.PARAGRAPH, f"{field}: {value}") for field, value in mail.fields if value]
        blocks += mail.body.blocks
        blocks += [_block(BlockType.LIST_ITEM, f"Attached file: {name}", level=1, marker="-") for name in missing]
        warnings = (*mail.body.warnings, *((NOT_READ,) if missing else ()))
        pages = PagedBlocks("", [Content(tuple(blocks), warnings)])
        self._pages += [
            _MailPlace(pages, number, name, True, inside) for number in range(1, pages.facts.page_count + 1)
        ]
        for index, (file, document) in enumerate(opened):
            within = (*inside, index)
            if isinstance(document, Mail):
                self._add_mail(document, file.name, within)
            elif document is not None:
                numbers = range(1, document.facts.page_count + 1)
                self._pages += [_MailPlace(document, number, file.name, False, within) for number in numbers]

    def _opened(self, file: AttachedFile, depth: int) -> Mail | OfficeFile | None:
        """Return what is read of an attached file, None if it is only named."""
        if self._read_files >= MAX_READ_ATTACHMENTS or file.media_type.lower() in _SIGNATURES:
            return None
        document: Mail | OfficeFile | None = None
        with suppress(ParseError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            if file.message is not None:
                document = file.message() if depth < MAX_NESTED_MESSAGES else None
            elif file.content:
                document = self._opened_content(file, depth)
        self._read_files += document is not None
        return document

    def _opened_content(self, file: AttachedFile, depth: int) -> Mail | OfficeFile | None:
        content = file.content or b""
        head = content[:_HEAD_BYTES]
        if printed_type_of(head) or not media_types.may_be_structured(head):
            return None
        options = msgspec.structs.replace(self._options, suffix=PurePosixPath(file.name).suffix)
        media_type = media_types.media_type_of(content, head, options)
        if is_message(media_type):
            return read(content, media_type, options) if depth < MAX_NESTED_MESSAGES else None
        document = office_file.open_content(content, media_type, options)
        return document if document.facts.page_count else None


def is_message(media_type: str) -> bool:
    return media_type in MODULES


def read(source: Source, media_type: str, options: OfficeOptions) -> Mail:
    """Return the content of a message. Raise DocumentError, RecursionError."""
    mail: Mail = import_module(MODULES[media_type]).read(bytes_of(source), options)
    return mail


def text_blocks(text: str) -> Iterator[Block]:
    """Yield a paragraph for each block of lines between empty ones."""
    for part in text.split("\n\n"):
        if part.strip():
            yield _block(BlockType.PARAGRAPH, part.strip())


def one_line(text: object, max_characters: int = 10_000) -> str:
    return clean(" ".join(str(text).split()))[:max_characters]


def _block(kind: BlockType, text: str, *, level: int = 0, marker: str = "") -> Block:
    return Block(type=kind, box=NO_BOX, text=text, level=level, marker=marker)
