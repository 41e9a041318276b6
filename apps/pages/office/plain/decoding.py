"""Decode the bytes of a text file."""

from __future__ import annotations

import codecs
import re

from apps.pages.model.text.safe_text import clean

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# How markup of 16 bits begins without a byte order mark, whatever its language (XML 1.0, appendix F).
_MARKUP = (
    (re.compile(rb"(?:[\t\n\r ]\0)*<\0[!?A-Za-z]\0"), "utf-16-le"),
    (re.compile(rb"(?:\0[\t\n\r ])*\0<\0[!?A-Za-z]"), "utf-16-be"),
)
# Controls that text files do not have; they have tab, newlines, form feed, and escape and backspace in listings.
_OTHER_CONTROLS = bytes(byte for byte in range(32) if byte not in b"\t\n\r\f\x1b\x1a\x08")
# Programs whose output is a document, which only running them shows.
_PROGRAMS = (b"%!PS",)
MAX_CONTROL_SHARE = 0.02
UNSURE = "encoding_guessed"


def is_text(head: bytes) -> bool:
    """Return whether a file that begins with these bytes is text in an encoding that is read."""
    if head.startswith(_PROGRAMS):
        return False
    if head.startswith(tuple(mark for mark, _name in _MARKS)) or _sixteen_bits(head):
        return True
    controls = len(head) - len(head.translate(None, _OTHER_CONTROLS))
    return b"\0" not in head and controls <= MAX_CONTROL_SHARE * len(head)


def decoded(content: bytes, declared: str = "") -> tuple[str, tuple[str, ...]]:
    """Return the text with newlines as ``\\n``, form feeds and no dangerous characters, and the codes of warnings.

    ``declared``: the encoding that the document says it has; a byte order mark wins over it.
    """
    encoding, is_sure = _encoding_of(content, declared)
    text = content.decode(encoding, errors="replace")
    warnings: tuple[str, ...] = () if is_sure else (UNSURE,)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    cleaned = "\f".join(clean(page) for page in text.split("\f"))
    if cleaned != text:
        warnings += ("text_cleaned",)
    return cleaned, warnings


def _encoding_of(content: bytes, declared: str) -> tuple[str, bool]:
    for mark, name in _MARKS:
        if content.startswith(mark):
            return name, True
    if name := _sixteen_bits(content[:4096]):
        return name, True
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        pass
    else:
        return "utf-8", True
    if declared:
        try:
            content.decode(declared)
        except (LookupError, UnicodeDecodeError):
            pass
        else:
            return declared, True
    from charset_normalizer import from_bytes

    best = from_bytes(content[: 1 << 20]).best()
    return (best.encoding if best else "cp1252"), False


def _sixteen_bits(head: bytes) -> str:
    """Return the encoding of text of 16 bits without a byte order mark; "" for other text.

    It begins as markup does, or every second byte is 0, as in Latin text.
    """
    for beginning, name in _MARKUP:
        if beginning.match(head):
            return name
    even, odd = head[0:512:2].count(0), head[1:512:2].count(0)
    half = max(2, len(head[:512]) // 2)
    if odd > 0.7 * half and not even:
        return "utf-16-le"
    return "utf-16-be" if even > 0.7 * half and not odd else ""
