"""Divide RTF into control words, groups and bytes of text (Rich Text Format 1.9.1), and decode the text."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import NamedTuple

_TOKEN = re.compile(
    rb"\\([a-zA-Z]{1,32})(-?[0-9]{1,10})? ?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z])|([{}])|([\r\n]+)|([^\\{}\r\n]+)",
    re.DOTALL,
)
# Code pages by the numbers of \ansicpg, and by the numbers of \fcharset.
_PAGES = {437: "cp437", 850: "cp850", 852: "cp852", 866: "cp866", 874: "cp874", 932: "cp932", 936: "gbk", 949: "cp949",
          950: "cp950", 10000: "mac_roman", 65001: "utf-8",
          **{page: f"cp{page}" for page in range(1250, 1259)}}  # fmt: skip
CHARSETS = {0: "cp1252", 77: "mac_roman", 128: "cp932", 129: "cp949", 134: "gbk", 136: "cp950", 161: "cp1253",
             162: "cp1254", 163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874",
             238: "cp1250", 255: "cp437"}  # fmt: skip
DEFAULT_ENCODING = "cp1252"
for _name in {*_PAGES.values(), *CHARSETS.values()}:
    codecs.lookup(_name)  # a confined process cannot import them later

SYMBOLS = {
    "tab": "\t", "line": "\n", "emdash": "—", "endash": "–", "lquote": "‘", "rquote": "’", "ldblquote": "“",
    "rdblquote": "”", "bullet": "•", "emspace": "\u2003", "enspace": "\u2002", "qmspace": "\u2005", "~": "\u00a0",
    "_": "-", "zwj": "\u200d", "zwnj": "\u200c",
}  # fmt: skip


class RtfToken(NamedTuple):
    """A control word with its number, a symbol ("~"), "{" or "}"; or ``content``: bytes of text.

    The word ``bin`` has bytes that are no text, which follow it.
    """

    word: str = ""
    number: int | None = None
    content: bytes = b""


def tokens(content: bytes) -> Iterator[RtfToken]:
    """Yield the tokens."""
    place = 0
    while place < len(content):
        found = _TOKEN.match(content, place)
        if found is None:
            place += 1  # a lone backslash at the end
            continue
        place = found.end()
        word, number, code, symbol, brace, _newline, text = found.groups()
        if word:
            value = int(number) if number else None
            raw = content[place : place + max(0, value or 0)] if word == b"bin" else b""
            place += len(raw)
            yield RtfToken(word.decode("ascii"), value, raw)
        elif code:
            yield RtfToken("'", content=bytes([int(code, 16)]))
        elif symbol is not None:
            if symbol in b"\\{}":
                yield RtfToken(content=symbol)
            else:
                yield RtfToken("par" if symbol in b"\r\n" else symbol.decode("latin-1"))
        elif brace:
            yield RtfToken(brace.decode("ascii"))
        elif text:
            yield RtfToken(content=text)


def encoding_of_page(number: int | None) -> str:
    return _PAGES.get(number or 0, DEFAULT_ENCODING)


def encoding_of_charset(number: int | None, default: str) -> str:
    """Return the encoding of a font. Charset 1 is the document's own, 2 that of symbol fonts."""
    return CHARSETS.get(-1 if number is None else number, default)
