"""Find the type of a text file: by what it begins with, and only between kinds of plain text by its name."""

from __future__ import annotations

import re

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
# A comment before the first element says nothing about the type.
_BEFORE = re.compile(r"\A(?:\s|<!--.*?-->|<\?xml[^>]*\?>)*", re.DOTALL)
_HTML = re.compile(r"<!doctype\s+html|<(?:html|head|body)[\s>]", re.IGNORECASE)
_TAG = re.compile(r"<[a-z!/]", re.IGNORECASE)


def type_of(head: bytes, suffix: str) -> str:
    """Return the media type of a text that begins with these bytes; ``suffix``: of its name, such as ".md"."""
    text, _warnings = decoding.decoded(head[:16_384])
    start = _BEFORE.sub("", text, count=1)
    suffix = suffix.lower()
    if _HTML.match(start) or (suffix in _HTML_SUFFIXES and _TAG.search(text)):
        return "text/html"
    return _BY_SUFFIX.get(suffix, "text/plain")
