"""Turn RTF into blocks. What a reader does not know is left out, as the format asks for (``\\*``)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from apps.pages.model.blocks import Block, BlockType, EmbeddedImage, Revision
from apps.pages.model.geometry import NO_BOX
from apps.pages.model.text.safe_text import REPLACEMENT, clean
from apps.pages.office import symbol_fonts
from apps.pages.office.drawing.pictures import PICT
from apps.pages.office.rtf import tokens
from apps.pages.office.rtf.pictures import RtfPicture
from apps.pages.office.rtf.state import Paragraph, Prelude, RtfGroup
from apps.pages.office.rtf.tables import Edge, RtfRow, RtfTable
from apps.pages.office.rtf.tokens import RtfToken
from apps.pages.office.spanned_text import PLAIN, Format, Spanned, SpannedText, joined
from apps.pages.office.words.flow import LOOKS_LIKE_CODE
from apps.pages.office.words.inline import web_address
from apps.pages.office.words.paging import CHARACTERS_PER_PAGE

MAX_DEPTH = 1_000
_LINK = re.compile(r'\s*HYPERLINK\s+(?!\\l)"?([^"\s]+)"?')
_MONOSPACED = ("courier", "consolas", "mono", "menlo")
# Groups whose text is kept, by the control word that begins them; groups of other words after \* are left out.
_LEFT_OUT = (
    "headerl", "footerl", "nonshppict", "sp", "objdata", "info", "colortbl", "listtable", "listoverridetable",
    "themedata", "xe", "tc", "template", "nonesttables",
)  # fmt: skip
_TARGETS = {
    "fonttbl": "fonts", "stylesheet": "styles", "title": "title", "fldinst": "field", "fldrslt": "",
    "listtext": "marker", "pntext": "marker", "footnote": "note", "header": "header", "headerf": "header",
    "headerr": "header", "footer": "footer", "footerf": "footer", "footerr": "footer", "pict": "picture",
    "shppict": "", "shpinst": "", "shptxt": "", "annotation": "comment", "atnauthor": "author", "object": "",
    "result": "", "nesttableprops": "", "upr": "", "ud": "",
    **dict.fromkeys(_LEFT_OUT, "left_out"),
}  # fmt: skip
_RUNNING = {"header": BlockType.PAGE_HEADER, "footer": BlockType.PAGE_FOOTER}
_READ = frozenset({"text", "note", "header", "footer"})


@dataclass(slots=True)
class RtfPage:
    blocks: list[Block] = field(default_factory=list)
    notes: list[Block] = field(default_factory=list)
    revisions: list[Revision] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    pictures: int = 0
    characters: int = 0


class RtfReader:
    """``pages``; ``running``: headers and footers; ``prelude``: title, fonts and styles; ``pictures`` in order."""

    def __init__(self, content: bytes) -> None:
        self.pages = [RtfPage()]
        self.running: list[Block] = []
        self.prelude = Prelude()
        self.pictures: list[RtfPicture] = []
        self.has_objects = self.has_comments = False
        self._groups = [RtfGroup()]
        self._paragraph = Paragraph()
        self._texts: dict[str, SpannedText] = {name: SpannedText() for name in _READ}
        self._plain: dict[str, str] = {}
        self._marker, self._note_count, self._high, self._default_font = "", 0, 0, 0
        self._breaks_before = False
        self._is_monospaced = True
        self._bytes, self._to_skip, self._is_optional = b"", 0, False
        self._edges: list[Edge] = []
        self._edge = Edge(0)
        self._cells: list[Spanned] = []
        self._cell: list[Spanned] = []
        self._is_header_row = False
        self._table = RtfTable()
        for token in tokens.tokens(content.rstrip(b"\0")):  # mail programs end the text as C does
            self._read(token)
        self._flush()
        self._end_paragraph()
        self._end_table()
        if len(self.pages) > 1 and not self.pages[-1].blocks:
            self.pages.pop()

    @property
    def _group(self) -> RtfGroup:
        return self._groups[-1]

    def _read(self, token: RtfToken) -> None:
        if token.content:
            self._add_content(token)
            return
        self._flush()
        word = token.word
        if word == "{":
            if len(self._groups) < MAX_DEPTH:
                self._groups.append(self._group.copy())
            self._to_skip = 0
        elif word == "}":
            self._close_group()
        elif word == "*":
            self._is_optional = True
        elif word in _TARGETS:
            self._is_optional = False
            self._begin_target(word)
        elif self._is_optional:
            self._is_optional = False
            self._group.target = "left_out"
        elif self._group.target not in ("left_out", "picture"):
            self._obey(token)

    def _obey(self, token: RtfToken) -> None:
        if token.word in tokens.SYMBOLS:
            self._add(tokens.SYMBOLS[token.word])
        elif (read := _WORDS.get(token.word)) is not None:
            read(self, token.number)

    def _begin_target(self, word: str) -> None:
        target = _TARGETS[word]
        if self._group.target == "left_out" and word != "title":
            return
        if target:
            self._group.target = target
        if word == "pict":
            self.pages[-1].pictures += 1
            image = EmbeddedImage(f"{PICT}{len(self.pictures)}")
            self.pages[-1].blocks.append(Block(BlockType.PICTURE, NO_BOX, image=image))
            self.pictures.append(RtfPicture())
        elif word == "object":
            self.has_objects = True
        elif word == "fldinst":
            self._plain["field"] = ""
        elif word == "fldrslt":
            found = _LINK.match(self._plain.pop("field", ""))
            url = web_address(found.group(1)) if found else ""
            self._group.characters = self._group.characters._replace(url=url)
        elif target == "note" or target in _RUNNING:
            self._texts[target] = SpannedText()

    def _close_group(self) -> None:
        if len(self._groups) == 1:
            return
        closed = self._groups.pop()
        self._to_skip, self._is_optional = 0, False
        if closed.target == self._group.target:
            return
        if closed.target == "marker":
            self._marker = self._plain.pop("marker", "").strip()
        elif closed.target == "note":
            text, _spans = self._texts["note"].result()
            self.pages[-1].notes.append(Block(BlockType.FOOTNOTE, NO_BOX, text=text.replace("\n", " ")))
        elif closed.target in _RUNNING:
            text, _spans = self._texts[closed.target].result()
            kind = _RUNNING[closed.target]
            if text and all((block.type, block.text) != (kind, text) for block in self.running):
                self.running.append(Block(kind, NO_BOX, text=text))
        elif closed.target == "comment":
            self.has_comments = True
            author = clean(self._plain.pop("author", "")).strip()
            self.pages[-1].revisions.append(
                Revision("comment", clean(self._plain.pop("comment", "")).strip(), author=author)
            )
        elif closed.target == "title":
            self.prelude.title = " ".join(clean(self._plain.pop("title", "")).split())

    def _add_content(self, token: RtfToken) -> None:
        if self._group.target == "picture":
            self.pictures[-1].add(token)
        elif token.word != "bin":
            self._add_bytes(token.content)

    def _add_bytes(self, content: bytes) -> None:
        if self._to_skip:
            skipped = min(self._to_skip, len(content))
            self._to_skip -= skipped
            content = content[skipped:]
        if content and self._high:
            self._high = 0
            self._add(REPLACEMENT)
        if self._group.target != "left_out":
            self._bytes += content

    def _flush(self) -> None:
        """Decode the bytes that are waiting; bytes of one character may be in several tokens."""
        if self._bytes:
            content, self._bytes = self._bytes, b""
            encoding = self.prelude.encodings.get(self._group.font, self.prelude.encoding)
            try:
                text = content.decode(encoding)
            except UnicodeDecodeError:  # what claims to be UTF-8 often has single bytes of Windows
                text = content.decode("cp1252" if encoding == "utf-8" else encoding, "replace")
            self._add(text)

    def _add(self, text: str) -> None:
        group = self._group
        if group.target == "fonts":
            self.prelude.monospaced |= {group.font} if any(name in text.lower() for name in _MONOSPACED) else set()
            if symbol_fonts.is_symbol_font(text.strip(" ;")):
                self.prelude.symbol_fonts[group.font] = text.strip(" ;")
                self.prelude.encodings[group.font] = "latin-1"
        elif group.target == "styles":
            self._add_style(text)
        elif group.target not in _READ:
            self._plain[group.target] = self._plain.get(group.target, "") + text
        elif group.is_hidden:
            self.pages[-1].hidden.append(clean(text))
        else:
            if group.change:
                self.pages[-1].revisions.append(Revision(group.change, clean(text)))
            if group.change == "deleted":
                return
            if group.target == "text" and text.strip():
                self._is_monospaced = self._is_monospaced and group.font in self.prelude.monospaced
                self.pages[-1].characters += len(text)
            text = symbol_fonts.written(text, self.prelude.symbol_fonts.get(group.font, ""))
            self._texts[group.target].add(text, group.characters)

    def _add_style(self, text: str) -> None:
        """Add to the name of a style, which ends with a semicolon."""
        name, ends, _rest = text.partition(";")
        self._plain["styles"] = self._plain.get("styles", "") + name
        if ends:
            style = self._paragraph.style
            self.prelude.styles[style] = self._plain.pop("styles").strip().lower()
            self.prelude.outlines[style] = self._paragraph.outline
            self._paragraph = Paragraph()

    def _end_paragraph(self) -> None:
        text, marker = self._texts["text"], self._marker
        self._texts["text"], self._marker = SpannedText(), ""
        is_code, self._is_monospaced = self._is_monospaced and not self._paragraph.is_in_table, True
        if not text:
            return
        if self._breaks_before:
            self._breaks_before = False
            self._begin_page()
        is_code = is_code and LOOKS_LIKE_CODE.search(text.result(keeps_blanks=True)[0]) is not None
        content, spans = text.result(keeps_blanks=is_code)
        if self._paragraph.is_in_table:
            self._cell.append(joined([(marker, ()), (content, spans)], " ") if marker else (content, spans))
            return
        self._end_table()
        level = self.prelude.level_of(self._paragraph)
        if level:
            content = content.replace("\n", " ")
            block = Block(BlockType.HEADING, NO_BOX, text=content, spans=spans, level=level, marker=marker)
        elif marker:
            marker = marker if any(letter.isalnum() for letter in marker) else "-"
            depth = min(9, self._paragraph.list_level + 1)
            content = content.replace("\n", " ")
            block = Block(BlockType.LIST_ITEM, NO_BOX, text=content, spans=spans, level=depth, marker=marker)
        elif is_code:
            block = Block(BlockType.CODE, NO_BOX, text=content)
        else:
            block = Block(BlockType.PARAGRAPH, NO_BOX, text=content, spans=spans)
        page = self.pages[-1]
        page.blocks.append(block)
        if page.characters >= CHARACTERS_PER_PAGE:
            self.pages.append(RtfPage())

    def _end_table(self) -> None:
        if not self._table.rows:
            return
        block = self._table.block()
        self._table = RtfTable()
        if block is not None:
            self.pages[-1].blocks.append(block)

    # Control words

    def paragraph(self, _number: int | None) -> None:
        target = self._group.target
        if target == "text":
            self._end_paragraph()
        else:
            self._add("\n")

    def new_paragraph(self, _number: int | None) -> None:
        if self._group.target == "text":
            self._paragraph = Paragraph()

    def plain(self, _number: int | None) -> None:
        url = self._group.characters.url
        self._group.characters = PLAIN._replace(url=url)
        self._group.is_hidden, self._group.change, self._group.font = False, "", self._default_font

    def page_break(self, _number: int | None) -> None:
        if self._group.target == "text":
            self._end_paragraph()
            self._begin_page()

    def section_ends(self, _number: int | None) -> None:
        if self._group.target == "text":
            self._end_paragraph()
            self._breaks_before = True  # unless the next section says that it begins on the same page

    def section_stays(self, _number: int | None) -> None:
        self._breaks_before = False

    def _begin_page(self) -> None:
        self._end_table()
        if self.pages[-1].blocks:
            self.pages.append(RtfPage())

    def unicode(self, number: int | None) -> None:
        """Add a character by its number; those beyond 16 bits come as a pair of surrogates."""
        code = (number or 0) % 0x10000
        high, self._high = self._high, 0
        if 0xD800 <= code < 0xDC00:
            self._high = code
        elif 0xDC00 <= code < 0xE000:
            self._add(chr(0x10000 + ((high - 0xD800) << 10) + code - 0xDC00) if high else REPLACEMENT)
        else:
            self._add((REPLACEMENT if high else "") + chr(code))
        self._to_skip = self._group.skips

    def skips(self, number: int | None) -> None:
        self._group.skips = max(0, 1 if number is None else number)

    def default_font(self, number: int | None) -> None:
        self._default_font = self._group.font = number or 0

    def font(self, number: int | None) -> None:
        self._group.font = number or 0

    def charset(self, number: int | None) -> None:
        if self._group.target == "fonts":
            encoding = tokens.encoding_of_charset(number, self.prelude.encoding)
            self.prelude.encodings[self._group.font] = encoding

    def code_page(self, number: int | None) -> None:
        self.prelude.encoding = tokens.encoding_of_page(number)

    def style(self, number: int | None) -> None:
        self._paragraph.style = number or 0

    def outline(self, number: int | None) -> None:
        self._paragraph.outline = number or 0

    def list_level(self, number: int | None) -> None:
        self._paragraph.list_level = max(0, number or 0)

    def in_table(self, _number: int | None) -> None:
        self._paragraph.is_in_table = True

    def nesting(self, number: int | None) -> None:
        self._paragraph.nesting = number or 0
        self._paragraph.is_in_table = self._paragraph.is_in_table or bool(number)

    def row_definition(self, _number: int | None) -> None:
        if self._paragraph.nesting < 2:
            self._edges, self._edge, self._is_header_row = [], Edge(0), False

    def edge(self, number: int | None) -> None:
        if self._paragraph.nesting < 2:
            self._edge.twips = number or 0
            self._edges.append(self._edge)
            self._edge = Edge(0)

    def header_row(self, _number: int | None) -> None:
        self._is_header_row = True

    def merges_left(self, _number: int | None) -> None:
        self._edge.goes_on_right = True

    def merges_up(self, _number: int | None) -> None:
        self._edge.goes_on_below = True

    def cell(self, _number: int | None) -> None:
        self._paragraph.is_in_table = True
        self._end_paragraph()
        self._cells.append(joined(self._cell))
        self._cell = []

    def nested_cell(self, _number: int | None) -> None:
        self._add(" | ")

    def nested_row(self, _number: int | None) -> None:
        self._add("\n")

    def row(self, _number: int | None) -> None:
        if self._cells:
            self._table.rows.append(RtfRow(self._edges, self._cells, self._is_header_row))
        self._cells = []

    def note_number(self, _number: int | None) -> None:
        if self._group.target == "text":
            self._note_count += 1
        before = self._group.characters
        self._group.characters = before._replace(level=0 if self._group.target == "note" else 1)
        self._add(f"{self._note_count} " if self._group.target == "note" else str(self._note_count))
        self._group.characters = before

    def hidden(self, number: int | None) -> None:
        self._group.is_hidden = number != 0


def _switch(switched: Callable[[Format, bool], Format]) -> Callable[[RtfReader, int | None], None]:
    def read(reader: RtfReader, number: int | None) -> None:
        group = reader._group  # noqa: SLF001 (a method in all but its place)
        group.characters = switched(group.characters, number != 0)

    return read


def _level(level: int) -> Callable[[RtfReader, int | None], None]:
    def read(reader: RtfReader, number: int | None) -> None:
        group = reader._group  # noqa: SLF001
        group.characters = group.characters._replace(level=0 if number == 0 else level)

    return read


def _change(kind: str) -> Callable[[RtfReader, int | None], None]:
    def read(reader: RtfReader, number: int | None) -> None:
        reader._group.change = "" if number == 0 else kind  # noqa: SLF001

    return read


_WORDS: dict[str, Callable[[RtfReader, int | None], None]] = {
    "par": RtfReader.paragraph,
    "pard": RtfReader.new_paragraph,
    "plain": RtfReader.plain,
    "page": RtfReader.page_break,
    "sect": RtfReader.section_ends,
    "sbknone": RtfReader.section_stays,
    "deff": RtfReader.default_font,
    "nestrow": RtfReader.nested_row,
    "u": RtfReader.unicode,
    "uc": RtfReader.skips,
    "f": RtfReader.font,
    "fcharset": RtfReader.charset,
    "ansicpg": RtfReader.code_page,
    "s": RtfReader.style,
    "outlinelevel": RtfReader.outline,
    "ilvl": RtfReader.list_level,
    "intbl": RtfReader.in_table,
    "itap": RtfReader.nesting,
    "trowd": RtfReader.row_definition,
    "cellx": RtfReader.edge,
    "trhdr": RtfReader.header_row,
    "clmrg": RtfReader.merges_left,
    "clvmrg": RtfReader.merges_up,
    "cell": RtfReader.cell,
    "nestcell": RtfReader.nested_cell,
    "row": RtfReader.row,
    "chftn": RtfReader.note_number,
    "v": RtfReader.hidden,
    "b": _switch(lambda style, is_on: style._replace(bold=is_on)),
    "i": _switch(lambda style, is_on: style._replace(italic=is_on)),
    "strike": _switch(lambda style, is_on: style._replace(struck=is_on)),
    "striked": _switch(lambda style, is_on: style._replace(struck=is_on)),
    "super": _level(1),
    "sub": _level(-1),
    "nosupersub": _level(0),
    "deleted": _change("deleted"),
    "revised": _change("inserted"),
}
