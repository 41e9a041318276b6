"""Outlook's messages (msg): the same result as for the e-mail that was sent.

Of the body the HTML is read, or the formatted text (RTF), or the plain text.
"""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_string
from email.utils import format_datetime
from functools import partial

from apps.pages.model.errors import ParseError, UnsupportedEncryption
from apps.pages.model.office_options import OfficeOptions
from apps.pages.model.text.safe_text import clean
from apps.pages.office.mail import compressed_rtf, mail_file, properties
from apps.pages.office.mail.mail_file import MAX_NAME_CHARACTERS, AttachedFile, Mail, MailFile, one_line
from apps.pages.office.mail.properties import Storage
from apps.pages.office.paged_blocks import Content
from apps.pages.office.rtf.rtf_file import RtfFile
from apps.pages.office.sources import Source, bytes_of
from apps.pages.office.web import html_file

MEDIA_TYPE = "application/vnd.ms-outlook"
FIELDS_NOT_READ = "fields_not_read"
_RECEIVERS, _FILES = "__recip_version1.0_#", "__attach_version1.0_#"
_CLASS, _SUBJECT, _HEADERS, _BODY, _RTF, _HTML = 0x001A, 0x0037, 0x007D, 0x1000, 0x1009, 0x1013
_SENT_AT, _DELIVERED_AT = 0x0039, 0x0E06
_SENDER = ((0x0C1A, 0x0042), (0x5D01, 0x5D02, 0x0C1F, 0x0065))  # names, addresses
_RECEIVER = ((0x3001,), (0x39FE, 0x3003))
_RECEIVER_KIND, _SHOWN = 0x0C15, {1: 0x0E04, 2: 0x0E03}
_KINDS = {1: "To", 2: "Cc", 3: "Bcc"}
_FILE_NAMES, _FILE_TYPE, _FILE_ID, _FILE_CONTENT = (0x3707, 0x3704, 0x3001), 0x370E, 0x3712, 0x3701


def open_file(source: Source, _password: str | None, options: OfficeOptions) -> MailFile:
    return MailFile(read(bytes_of(source), options), MEDIA_TYPE, options)


def read(content: bytes, options: OfficeOptions) -> Mail:
    """Return the content of a message. Raise DamagedDocument, UnsupportedEncryption, TooManyElements."""
    return _mail(properties.opened(content), options)


def _mail(item: Storage, options: OfficeOptions) -> Mail:
    body = _body(item, options)
    kind = item.text(_CLASS).upper()
    if kind == "IPM.NOTE.SMIME" and not body.blocks:
        raise UnsupportedEncryption
    if kind and not kind.startswith(("IPM.NOTE", "REPORT.")):
        body = Content(body.blocks, (*body.warnings, FIELDS_NOT_READ))
    files = list(_files(item, options))
    return Mail(one_line(item.text(_SUBJECT)), list(_fields(item)), body, files, _body_source(item))


def _body_source(item: Storage) -> bytes:
    """Return the text of a message as HTML or RTF; b"" if it has neither."""
    if source := item.content(_HTML) or item.text(_HTML).encode():
        return source
    packed = item.content(_RTF)
    try:
        return compressed_rtf.unpacked(packed) if packed else b""
    except (ParseError, ValueError):
        return b""


def _fields(item: Storage) -> Iterator[tuple[str, str]]:
    headers = message_from_string(item.text(_HEADERS).lstrip())
    yield "From", _person(item, *_SENDER) or one_line(headers.get("From") or "")
    receivers: dict[int, list[str]] = {}
    for receiver in item.inside(_RECEIVERS):
        receivers.setdefault(receiver.integer(_RECEIVER_KIND) or 1, []).append(_person(receiver, *_RECEIVER))
    for kind, name in _KINDS.items():
        yield name, ", ".join(filter(None, receivers.get(kind, ()))) or one_line(item.text(_SHOWN.get(kind, 0)))
    sent_at = item.moment(_SENT_AT, _DELIVERED_AT)
    yield "Date", format_datetime(sent_at) if sent_at else one_line(headers.get("Date") or "")


def _person(storage: Storage, names: tuple[int, ...], addresses: tuple[int, ...]) -> str:
    """Return a name and an address, "Ann <ann@example.org>"; the names of Exchange's own directory are no addresses."""
    name = one_line(storage.text(*names))
    address = next((one_line(text) for number in addresses if "@" in (text := storage.text(number))), "")
    if not address or not name or name == address:
        return address or name
    return f"{name} <{address}>"


def _body(item: Storage, options: OfficeOptions) -> Content:
    html = item.content(_HTML)
    text = item.text(_HTML) if html is None else ""
    if html or text:
        page = html_file.read(html or text.encode(), options, item.body_encoding if html else "utf-8")
        return Content(page.content.blocks, (*page.content.warnings, *page.warnings))
    if packed := item.content(_RTF):
        try:
            document = RtfFile(compressed_rtf.unpacked(packed), options)
        except (ParseError, ValueError):
            pass  # the plain text is there, too
        else:
            pages = [document.page(number) for number in range(1, document.facts.page_count + 1)]
            blocks = tuple(block for page in pages for block in page.blocks)
            if blocks:
                return Content(blocks, tuple(code for page in pages for code in page.warnings))
    plain = clean(item.text(_BODY).replace("\r\n", "\n").replace("\r", "\n"))
    return Content(tuple(mail_file.text_blocks(plain)))


def _files(item: Storage, options: OfficeOptions) -> Iterator[AttachedFile]:
    for attached in item.inside(_FILES):
        name = one_line(attached.text(*_FILE_NAMES), MAX_NAME_CHARACTERS)
        media_type = one_line(attached.text(_FILE_TYPE), MAX_NAME_CHARACTERS)
        inner = attached.item(_FILE_CONTENT)
        if inner is not None and inner.text(_CLASS):
            yield AttachedFile(name or "Message", MEDIA_TYPE, message=partial(_mail, inner, options))
        else:
            content = attached.content(_FILE_CONTENT)
            content_id = one_line(attached.text(_FILE_ID)).strip("<>")
            yield AttachedFile(name or media_type or "File", media_type, content, content_id=content_id)
