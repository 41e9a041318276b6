"""E-mail (RFC 5322, MIME): a page, or more, for a message and for each message attached to it.

Of the body the HTML is read, or the plain text where there is no HTML. Other attached files are named, not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path

from apps.pages.model.blocks import Block, BlockType
from apps.pages.model.document_facts import Attachment
from apps.pages.model.errors import TooManyElements
from apps.pages.model.geometry import NO_BOX
from apps.pages.model.office_options import OfficeOptions
from apps.pages.model.text.safe_text import clean
from apps.pages.office.paged_blocks import Content, PagedBlocks
from apps.pages.office.plain.decoding import decoded
from apps.pages.office.web import html_file

MEDIA_TYPE = "message/rfc822"
MAX_NESTED_MESSAGES = 3
MAX_ATTACHMENTS = 1_000
_FIELDS = ("From", "To", "Cc", "Date")
_NOT_READ = "embedded_files_not_read"


def open_file(path: str, _password: str | None, options: OfficeOptions) -> PagedBlocks:
    try:
        message = BytesParser(_class=EmailMessage, policy=policy.default).parsebytes(Path(path).read_bytes())
        contents = list(_contents(message, options, depth=0))
        attachments = tuple(_attachments(message))
    except RecursionError:
        raise TooManyElements("The parts of the message are nested too deeply. Save its attachments.") from None
    title = _field(message, "Subject")
    return PagedBlocks(MEDIA_TYPE, contents, title=title, attachments=attachments)


def _contents(message: EmailMessage, options: OfficeOptions, *, depth: int) -> Iterator[Content]:
    """Yield what a message says, then what each message attached to it says."""
    body, codes = _body(message, options)
    inner = [part for part in _attached(message) if part.get_content_type() == MEDIA_TYPE]
    names = [
        _name(part)
        for part in _attached(message)
        if part.get_content_type() != MEDIA_TYPE or depth == MAX_NESTED_MESSAGES
    ]
    blocks = [_block(BlockType.HEADING, _field(message, "Subject") or "Message", level=1)]
    fields = [(name, _field(message, name)) for name in _FIELDS]
    blocks += [_block(BlockType.PARAGRAPH, f"{name}: {value}") for name, value in fields if value]
    blocks += body
    blocks += [_block(BlockType.LIST_ITEM, f"Attached file: {name}", level=1, marker="-") for name in names]
    yield Content(tuple(blocks), (*codes, *((_NOT_READ,) if names else ())))
    if depth < MAX_NESTED_MESSAGES:
        for part in inner:
            for nested in part.iter_parts():
                if isinstance(nested, EmailMessage):
                    yield from _contents(nested, options, depth=depth + 1)


def _body(message: EmailMessage, options: OfficeOptions) -> tuple[list[Block], tuple[str, ...]]:
    part = message.get_body(preferencelist=("html", "plain"))
    if part is None:
        return [], ()
    content = part.get_payload(decode=True)
    charset = part.get_content_charset("")
    if not isinstance(content, bytes):
        return [], ()
    if part.get_content_type() == "text/html":
        page = html_file.read(content, options, charset)
        return list(page.content.blocks), (*page.content.warnings, *page.warnings)
    text, codes = decoded(content, charset)
    return [_block(BlockType.PARAGRAPH, part.strip()) for part in text.split("\n\n") if part.strip()], codes


def _attached(message: EmailMessage) -> Iterator[EmailMessage]:
    """Yield the parts that are no body: files, attached messages and pictures that the body shows."""
    body = {id(part) for part in (message.get_body(("html",)), message.get_body(("plain",))) if part is not None}
    waiting = list(message.iter_parts()) if message.is_multipart() else []
    while waiting:
        part = waiting.pop(0)
        if part.get_content_maintype() == "multipart":
            waiting = [*part.iter_parts(), *waiting]
        elif id(part) not in body and isinstance(part, EmailMessage):
            yield part


def _attachments(message: EmailMessage) -> Iterator[Attachment]:
    for _number, part in zip(range(MAX_ATTACHMENTS), _attached(message), strict=False):
        content = part.get_payload(decode=True)
        size = len(content) if isinstance(content, bytes) else None
        yield Attachment(_name(part), part.get_content_type(), size)


def _name(part: EmailMessage) -> str:
    try:
        name = part.get_filename("")
    except (ValueError, LookupError, AttributeError):  # a header that the library cannot parse
        name = ""
    return clean(" ".join(str(name).split()))[:300] or part.get_content_type()


def _field(message: EmailMessage, name: str) -> str:
    """Return a header's value in one line; "" if there is none or it cannot be parsed."""
    try:
        value = message.get(name, "")
    except (ValueError, LookupError, AttributeError, IndexError):
        return ""
    return clean(" ".join(str(value).split()))


def _block(kind: BlockType, text: str, *, level: int = 0, marker: str = "") -> Block:
    return Block(type=kind, box=NO_BOX, text=text, level=level, marker=marker)
