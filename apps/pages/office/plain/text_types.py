"""Find the type of a text file: by what it begins with, and only between kinds of plain text by its name."""

from __future__ import annotations

import re

from apps.pages.office.invoices import invoice, invoice_file
from apps.pages.office.plain import decoding

_BY_SUFFIX = {
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".tab": "text/tab-separated-values",
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".adoc": "text/asciidoc",
    ".asciidoc": "text/asciidoc",
    ".org": "text/org",
}
_HTML_SUFFIXES = (".html", ".htm", ".xhtml", ".xht", ".shtml")
# Comments before the first element. Possessive (*+): otherwise each of many could end at any later one.
_BEFORE = re.compile(r"\A(?:\s|<!--.*?-->|<\?xml[^>]*\?>)*+", re.DOTALL)
_HTML = re.compile(r"<!doctype\s+html|<(?:html|head|body)[\s>]", re.IGNORECASE)
_SVG = re.compile(
    r"(?:<!DOCTYPE\s+svg\b[^>\[]*(?:\[.*?\]\s*)?>)?(?:\s|<!--.*?-->)*+<(?:\w+:)?svg[\s>]", re.IGNORECASE | re.DOTALL
)
_TAG = re.compile(r"<[a-z!/]", re.IGNORECASE)


# Lines of fields, each perhaps continued on further lines, as a message begins with. A mailbox has a line before.
_FIELDS = re.compile(r"(?:From [^\n]*\n)?((?:[A-Za-z][A-Za-z0-9-]*:[^\n]*\n(?:[ \t]+[^\n]*\n)*){3,})")
_FIELD_NAME = re.compile(r"^([A-Za-z][A-Za-z0-9-]*):", re.MULTILINE)
_OF_MESSAGES = frozenset({"date", "from", "message-id", "mime-version", "received", "return-path", "subject", "to"})
_MIN_FIELDS_OF_MESSAGES = 3


def _is_message(text: str) -> bool:
    fields = _FIELDS.match(text)
    names = {name.lower() for name in _FIELD_NAME.findall(fields[1])} if fields else set()
    return len(names & _OF_MESSAGES) >= _MIN_FIELDS_OF_MESSAGES and not names.isdisjoint({"from", "received"})


def type_of(head: bytes, suffix: str) -> str:
    """Return the media type of a text that begins with these bytes; ``suffix``: of its name, such as ".md"."""
    text, _warnings = decoding.decoded(head[:16_384])
    start = _BEFORE.sub("", text, count=1)
    if _SVG.match(start):
        return "image/svg+xml"
    if invoice.is_invoice(start):
        return invoice_file.MEDIA_TYPE
    suffix = suffix.lower()
    if _HTML.match(start) or (suffix in _HTML_SUFFIXES and _TAG.search(text)):
        return "text/html"
    if suffix not in _BY_SUFFIX and _is_message(text.lstrip()):
        return "message/rfc822"
    return _BY_SUFFIX.get(suffix, "text/plain")
