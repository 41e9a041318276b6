"""What applies to the characters and paragraphs of RTF at one place, and what the document says before its text."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from apps.pages.office.spanned_text import PLAIN, Format
from apps.pages.office.words.styles import heading_level

BODY_TEXT = 9


@dataclass(slots=True)
class RtfGroup:
    """The state inside of a pair of braces; it ends with them. ``target``: where the text of the group goes."""

    target: str = "text"
    characters: Format = PLAIN
    font: int = 0
    is_hidden: bool = False
    change: str = ""
    skips: int = 1  # characters after \u for readers without Unicode

    def copy(self) -> RtfGroup:
        return replace(self)


@dataclass(slots=True)
class Paragraph:
    style: int = 0
    outline: int = BODY_TEXT
    list_level: int = 0
    is_in_table: bool = False
    nesting: int = 1


@dataclass(slots=True)
class Prelude:
    """``encodings`` of fonts; ``monospaced`` fonts; names of ``symbol_fonts``; names and outline levels of ``styles``.

    All are by number.
    """

    encoding: str = "cp1252"
    encodings: dict[int, str] = field(default_factory=dict)
    monospaced: set[int] = field(default_factory=set)
    symbol_fonts: dict[int, str] = field(default_factory=dict)
    styles: dict[int, str] = field(default_factory=dict)
    outlines: dict[int, int] = field(default_factory=dict)
    title: str = ""

    def level_of(self, paragraph: Paragraph) -> int:
        level = heading_level(self.styles.get(paragraph.style, ""))
        outline = min(paragraph.outline, self.outlines.get(paragraph.style, BODY_TEXT))
        if not level and 0 <= outline < BODY_TEXT:
            level = outline + 1
        return min(6, level)
