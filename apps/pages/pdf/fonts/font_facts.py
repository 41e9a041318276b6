"""The properties of a font: weight, slant, pitch, writing direction, and the characters behind unmapped codes."""

from __future__ import annotations

import ctypes
import re
from typing import Any

import msgspec

from apps.pages.pdf.pdfium import Pdfium

# "Medi" is the bold of URW's fonts, which TeX uses for Times; "bx" and "ti" are bold and italic in its own fonts.
_TEX = r"(?:cm|ec|sf|la)(?:ss)?"
_BOLD = re.compile(rf"bold|black|heavy|demi|[-,](?:bd|hv)\b|-medi(?:ital)?\b|-bx\d|\b{_TEX}bx", re.IGNORECASE)
_ITALIC = re.compile(rf"ital|obli|cmmi|-it\b|\b{_TEX}(?:bx)?ti\d", re.IGNORECASE)
_FIXED_PITCH = re.compile(r"mono|courier|consol|typewriter|menlo|cmtt|sftt|fixed|lettergothic|code", re.IGNORECASE)
_MATHEMATICS = re.compile(r"math|cmmi|cmsy|cmex|msam|msbm|euf|symbol|stix|cambria ?math", re.IGNORECASE)
# Flags of a font descriptor (PDF 32000-1, table 123).
_FLAG_FIXED_PITCH, _FLAG_ITALIC, _FLAG_FORCE_BOLD = 1 << 0, 1 << 6, 1 << 18
_NAME_BYTES = 256


class FontFacts(msgspec.Struct, gc=False, frozen=True):
    """A font of a document. ``name``: without the six letters of a subset. ``vertical``: it writes downwards."""

    name: str
    bold: bool = False
    italic: bool = False
    fixed_pitch: bool = False
    mathematics: bool = False
    vertical: bool = False
    embedded: bool = True
    encoding: str = ""
    has_unicode_map: bool = True


NO_FONT = FontFacts("")


def font_facts(library: Pdfium, font: int) -> FontFacts:
    """Return the facts of a font handle."""
    encoding = _string(library.FPDFFont_GetEncoding, font)
    return msgspec.structs.replace(
        facts_of_name(_string(library.FPDFFont_GetBaseFontName, font), library.FPDFFont_GetFlags(font)),
        vertical=encoding.endswith("-V"),
        encoding=encoding,
        embedded=library.FPDFFont_GetIsEmbedded(font) == 1,
        has_unicode_map=library.FPDFFont_HasToUnicode(font) == 1,
    )


def facts_of_name(full: str, flags: int) -> FontFacts:
    """Return the facts in the name of a font and in the flags of its descriptor (-1: none)."""
    name = full.partition("+")[2] or full
    return FontFacts(
        name=name,
        bold=bool(_BOLD.search(name)) or bool(flags > 0 and flags & _FLAG_FORCE_BOLD),
        italic=bool(_ITALIC.search(name)) or bool(flags > 0 and flags & _FLAG_ITALIC),
        fixed_pitch=bool(_FIXED_PITCH.search(name)) or bool(flags > 0 and flags & _FLAG_FIXED_PITCH),
        mathematics=bool(_MATHEMATICS.search(name)),
    )


def character_of_glyph(library: Pdfium, font: int, code: int) -> str:
    """Return the characters that a code's glyph name means (Adobe Glyph List); "" for an unknown name."""
    name = glyph_name(library, font, code)
    if not name or name == ".notdef":
        return ""
    from pdfminer.encodingdb import name2unicode

    try:
        return name2unicode(name)
    except (KeyError, ValueError):  # KeyError is how pdfminer reports an unknown name
        return ""


def glyph_name(library: Pdfium, font: int, code: int) -> str:
    """Return the name of a code's glyph, "" if it has none."""
    return _string(library.FPDFFont_GetCharGlyphName, font, code)


def _string(function: Any, font: int, *arguments: int) -> str:
    buffer = ctypes.create_string_buffer(_NAME_BYTES)
    function(font, *arguments, buffer, _NAME_BYTES)
    return buffer.value.decode("utf-8", "replace")
