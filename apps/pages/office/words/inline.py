"""Read the inside of a paragraph of an Open XML text: text and formats, links, fields, notes, changes, equations."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from apps.pages.model.blocks import Revision
from apps.pages.model.text.safe_text import clean
from apps.pages.office import symbol_fonts
from apps.pages.office.archive import Archive
from apps.pages.office.equations import omml
from apps.pages.office.spanned_text import PLAIN, Format, SpannedText, combined
from apps.pages.office.words.parts import W, is_on, value
from apps.pages.office.words.styles import Styles, format_of, is_monospaced
from apps.pages.office.xml_parts import Element, Relationship, attribute, local_name

_CHANGES = {"ins": "inserted", "del": "deleted", "moveFrom": "moved_from", "moveTo": "moved_to"}
_GONE = ("del", "moveFrom")
_LINK_FIELD = re.compile(r'\s*HYPERLINK\s+(?!\\l)"?([^"\s]+)"?')
_TRANSPARENT = frozenset({"smartTag", "sdt", "sdtContent", "customXml", "dir", "bdo", "rubyBase"})
MAX_URL_CHARACTERS = 2_000


@dataclass(slots=True)
class PageContext:
    """What the paragraphs of a page need and find. ``notes``: ids of the footnotes that the page refers to.
    ``has_title``: the document has a title, and its headings are below it. ``is_cut``: something was left out that is
    nested too deeply, or is in a table that is too wide.
    """

    archive: Archive
    styles: Styles
    links: dict[str, Relationship]
    note_marks: dict[tuple[str, str], str]
    comments: dict[str, Revision]
    has_title: bool = False
    notes: list[str] = field(default_factory=list)
    revisions: list[Revision] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    pictures: int = 0
    is_cut: bool = False
    open_comments: dict[str, list[str]] = field(default_factory=dict)

    def change(self, kind: str, content: str, author: str) -> None:
        last = self.revisions[-1] if self.revisions else None
        if last and (last.type, last.author) == (kind, author) and not last.content.endswith("\n"):
            self.revisions[-1] = Revision(kind, last.content + content, author=author)
        elif content:
            self.revisions.append(Revision(kind, content, author=author))


class Inline:
    """The inside of one paragraph. ``drawings``: its pictures and text boxes; ``displayed``: equations on their own."""

    def __init__(self, context: PageContext, base: Format = PLAIN) -> None:
        self.text = SpannedText()
        self.drawings: list[Element] = []
        self.displayed: list[str] = []
        self.is_monospaced = True
        self._page, self._base = context, base
        self._fields: list[list[str]] = []  # each with its instruction, and "shown" while its result is read
        self._change: tuple[str, str] | None = None
        self._font = ""

    def read(self, element: Element, style: Format | None = None) -> None:
        """Add what is inside of an element."""
        style = self._base if style is None else style
        for child in element:
            if not isinstance(child.tag, str):
                continue
            name = local_name(child)
            if (read := _IN_PARAGRAPHS.get(name)) is not None:
                read(self, child, style)
            elif name in _TRANSPARENT:
                self.read(child, style)

    def link(self, child: Element, style: Format) -> None:
        self.read(child, style._replace(url=self._address(child)))

    def change(self, child: Element, style: Format) -> None:
        before, name = self._change, local_name(child)
        self._change = (_CHANGES[name], attribute(child, "author"))
        if name in _GONE:
            text = "".join(part.text or "" for part in child.iter(f"{W}delText", f"{W}t"))
            self._page.change(_CHANGES[name], clean(text), self._change[1])
        else:
            self.read(child, style)
        self._change = before

    def simple_field(self, child: Element, style: Format) -> None:
        found = _LINK_FIELD.match(child.get(f"{W}instr", ""))
        self.read(child, style._replace(url=web_address(found.group(1))) if found else style)

    def displayed_equations(self, child: Element, _style: Format) -> None:
        self.displayed += [omml.latex(one) for one in child.iter(f"{omml.M}oMath")]

    def comment_starts(self, child: Element, _style: Format) -> None:
        self._page.open_comments[child.get(f"{W}id", "")] = []

    def comment_ends(self, child: Element, _style: Format) -> None:
        self._close_comment(child.get(f"{W}id", ""))

    def equation(self, element: Element, _style: Format) -> None:
        if latex := omml.latex(element):
            self.text.add(f"${latex}$", Format(latex=True))
            self.is_monospaced = False

    def _address(self, element: Element) -> str:
        link = self._page.links.get(attribute(element, "id"))
        return web_address(link.target) if link is not None and link.is_external else ""

    def run(self, run: Element, style: Format) -> None:
        properties = run.find(f"{W}rPr")
        self._font = ""
        if properties is not None:
            identity = value(properties, "rStyle")
            if identity:
                named = self._page.styles.characters(identity)
                style = combined(style, named)
            style = format_of(properties, style)
            fonts = properties.find(f"{W}rFonts")
            self._font = fonts.get(f"{W}ascii") or fonts.get(f"{W}hAnsi") or "" if fonts is not None else ""
            if is_on(properties, "vanish") and not self._change:
                self._page.hidden.append(clean("".join(part.text or "" for part in run.iter(f"{W}t"))))
                return
        if self.is_monospaced and not is_monospaced(properties):
            self.is_monospaced = run.find(f"{W}t") is None
        for child in run:
            if not isinstance(child.tag, str):
                continue
            name = local_name(child)
            read = _IN_RUNS.get(name)
            if read is not None:
                read(self, child, style)
        if properties is not None and (changed := properties.find(f"{W}rPrChange")) is not None:
            text = "".join(part.text or "" for part in run.iter(f"{W}t"))
            self._page.change("formatted", clean(text), attribute(changed, "author"))

    def add(self, text: str, style: Format) -> None:
        if self._fields and self._fields[-1][1] != "shown":
            return
        link = next((of[2] for of in reversed(self._fields) if of[2]), "")
        self.text.add(text, style._replace(url=link) if link and not style.url else style)
        if self._change:
            self._page.change(self._change[0], clean(text), self._change[1])
        for parts in self._page.open_comments.values():
            parts.append(text)

    def written(self, child: Element, style: Format) -> None:
        self.add(symbol_fonts.written(child.text or "", self._font), style)

    def instruction(self, child: Element, _style: Format) -> None:
        if self._fields:
            self._fields[-1][0] += child.text or ""

    def complex_field(self, child: Element, style: Format) -> None:
        kind = child.get(f"{W}fldCharType")
        if kind == "begin":
            self._fields.append(["", "", ""])
            box = child.find(f"{W}ffData/{W}checkBox")
            if box is not None:
                is_checked = is_on(box, "checked")
                is_checked = is_on(box, "default") if is_checked is None else is_checked
                self._fields[-1][1] = "shown"
                self.add("☒" if is_checked else "☐", style)
                self._fields[-1][1] = ""
        elif kind == "separate" and self._fields:
            found = _LINK_FIELD.match(self._fields[-1][0])
            self._fields[-1][1:] = ["shown", web_address(found.group(1)) if found else ""]
        elif kind == "end" and self._fields:
            self._fields.pop()

    def symbol(self, child: Element, style: Format) -> None:
        try:
            code = int(child.get(f"{W}char", ""), 16)
        except ValueError:
            return
        sign = chr(code) if 0 < code < 0x110000 else ""
        self.add(symbol_fonts.written(sign, child.get(f"{W}font", "")), style)

    def note(self, child: Element, style: Format) -> None:
        kind, identity = local_name(child).removesuffix("Reference"), child.get(f"{W}id", "")
        mark = self._page.note_marks.get((kind, identity), "")
        if child.get(f"{W}customMarkFollows") not in ("1", "true", "on"):
            self.add(mark, style._replace(level=1))
        if kind == "footnote" and identity not in self._page.notes:
            self._page.notes.append(identity)

    def comment(self, child: Element, _style: Format) -> None:
        identity = child.get(f"{W}id", "")
        if identity in self._page.open_comments:
            self._close_comment(identity)
        elif identity in self._page.comments:
            self._page.revisions.append(self._page.comments.pop(identity))

    def _close_comment(self, identity: str) -> None:
        target = self._page.open_comments.pop(identity, None)
        comment = self._page.comments.pop(identity, None)
        if comment is not None:
            text = clean("".join(target or ())).strip()
            self._page.revisions.append(Revision(comment.type, comment.content, text, comment.author))

    def alternatives(self, child: Element, style: Format) -> None:
        """Read the first of several forms of one content: the newest; the others are for older programs."""
        for form in child:
            if isinstance(form.tag, str) and len(form):
                for part in form:
                    if (read := _IN_RUNS.get(local_name(part))) is not None:
                        read(self, part, style)
                return

    def drawing(self, child: Element, _style: Format) -> None:
        self.drawings.append(child)

    def ruby(self, child: Element, style: Format) -> None:
        base = child.find(f"{W}rubyBase")
        if base is not None:
            self.read(base, style)


def web_address(address: str) -> str:
    """Return an address that a link may lead to, "" for any other."""
    address = clean(address).strip()[:MAX_URL_CHARACTERS]
    return address if address.lower().startswith(("http://", "https://", "mailto:", "ftp://", "tel:")) else ""


def _constant(text: str) -> Callable[[Inline, Element, Format], None]:
    return lambda inline, _child, style: inline.add(text, style)


def _line_break(inline: Inline, child: Element, style: Format) -> None:
    inline.add("\n" if child.get(f"{W}type") != "page" else " ", style)


_IN_RUNS: dict[str, Callable[[Inline, Element, Format], None]] = {
    "t": Inline.written,
    "tab": _constant("\t"),
    "ptab": _constant("\t"),
    "br": _line_break,
    "cr": _constant("\n"),
    "noBreakHyphen": _constant("-"),
    "sym": Inline.symbol,
    "instrText": Inline.instruction,
    "fldChar": Inline.complex_field,
    "footnoteReference": Inline.note,
    "endnoteReference": Inline.note,
    "commentReference": Inline.comment,
    "drawing": Inline.drawing,
    "pict": Inline.drawing,
    "object": Inline.drawing,
    "AlternateContent": Inline.alternatives,
    "ruby": Inline.ruby,
}
_IN_PARAGRAPHS: dict[str, Callable[[Inline, Element, Format], None]] = {
    "r": Inline.run,
    "hyperlink": Inline.link,
    **dict.fromkeys(_CHANGES, Inline.change),
    "fldSimple": Inline.simple_field,
    "oMathPara": Inline.displayed_equations,
    "oMath": Inline.equation,
    "commentRangeStart": Inline.comment_starts,
    "commentRangeEnd": Inline.comment_ends,
}
