"""E-mail as it is sent (RFC 5322, MIME).

Of the body the HTML is read, or the plain text where there is no HTML.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser

from apps.pages.model.errors import TooManyElements, UnsupportedEncryption
from apps.pages.model.office_options import OfficeOptions
from apps.pages.office.mail import mail_file
from apps.pages.office.mail.mail_file import AttachedFile, Mail, MailFile, one_line
from apps.pages.office.paged_blocks import Content
from apps.pages.office.plain.decoding import decoded
from apps.pages.office.sources import Source, bytes_of
from apps.pages.office.web import html_file

MEDIA_TYPE = "message/rfc822"
MAX_NAME_CHARACTERS = 300
_FIELDS = ("From", "To", "Cc", "Date")


def open_file(source: Source, _password: str | None, options: OfficeOptions) -> MailFile:
    try:
        return MailFile(read(bytes_of(source), options), MEDIA_TYPE, options)
    except RecursionError:
        raise TooManyElements("The parts of the message are nested too deeply. Save its attachments.") from None


def read(content: bytes, options: OfficeOptions) -> Mail:
    """Return the content of a message. Raise UnsupportedEncryption, TooManyElements, RecursionError."""
    return _mail(BytesParser(_class=EmailMessage, policy=policy.default).parsebytes(content), options)


def _mail(message: EmailMessage, options: OfficeOptions) -> Mail:
    if _is_encrypted(message):
        raise UnsupportedEncryption
    fields = [(name, _field(message, name)) for name in _FIELDS]
    files = [_file(part, options) for part in _attached(message)]
    return Mail(_field(message, "Subject"), fields, _body(message, options), files, _web_page(message))


def _web_page(message: EmailMessage) -> bytes:
    """Return the text of a message as HTML; b"" if it has none."""
    part = message.get_body(("html",))
    content = part.get_payload(decode=True) if part is not None else None
    return content if isinstance(content, bytes) else b""


def _is_encrypted(message: EmailMessage) -> bool:
    """Return whether the whole text is encrypted: S/MIME (RFC 8551, 3.2.2) or PGP (RFC 3156)."""
    kind = message.get_content_type()
    if kind in ("application/pkcs7-mime", "application/x-pkcs7-mime"):
        return str(message.get_param("smime-type", "")).lower() in ("enveloped-data", "authenveloped-data")
    return kind == "multipart/encrypted"


def _body(message: EmailMessage, options: OfficeOptions) -> Content:
    part = message.get_body(preferencelist=("html", "plain"))
    if part is None:
        return Content(())
    content = part.get_payload(decode=True)
    charset = part.get_content_charset("")
    if not isinstance(content, bytes):
        return Content(())
    if part.get_content_type() == "text/html":
        page = html_file.read(content, options, charset)
        return Content(page.content.blocks, (*page.content.warnings, *page.warnings))
    text, codes = decoded(content, charset)
    return Content(tuple(mail_file.text_blocks(text)), codes)


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


def _file(part: EmailMessage, options: OfficeOptions) -> AttachedFile:
    media_type = part.get_content_type()
    if media_type == MEDIA_TYPE:
        inner = next((nested for nested in part.iter_parts() if isinstance(nested, EmailMessage)), None)
        if inner is not None:
            return AttachedFile(_name(part), media_type, message=lambda: _mail(inner, options))
    content = part.get_payload(decode=True)
    content = content if isinstance(content, bytes) else None
    return AttachedFile(_name(part), media_type, content, content_id=_field(part, "Content-ID").strip("<>"))


def _name(part: EmailMessage) -> str:
    try:
        name = part.get_filename("")
    except (ValueError, LookupError, AttributeError):  # a header that the library cannot parse
        name = ""
    return one_line(name, MAX_NAME_CHARACTERS) or part.get_content_type()


def _field(message: EmailMessage, name: str) -> str:
    """Return a header's value in one line; "" if there is none or it cannot be parsed."""
    written = next((str(value) for key, value in message.raw_items() if key.lower() == name.lower()), "")
    try:
        value = message.get(name, "") if written.isascii() else _eight_bits(message, name, written)
    except (ValueError, LookupError, AttributeError, IndexError):
        return ""
    return one_line(value)


def _eight_bits(message: EmailMessage, name: str, written: str) -> str:
    """Return a header whose bytes are not ASCII: in UTF-8 (RFC 6532), or in the encoding of the body."""
    content = written.encode("utf-8", "surrogateescape")
    charsets = (part.get_content_charset() for part in message.walk())
    others = [charset for charset in charsets if charset not in (None, "us-ascii", "utf-8")]
    for encoding in ("utf-8", *others[:1]):
        with suppress(ValueError, LookupError):
            return str(message.policy.header_fetch_parse(name, content.decode(encoding)))
    return str(message.policy.header_fetch_parse(name, content.decode("cp1252", "replace")))
