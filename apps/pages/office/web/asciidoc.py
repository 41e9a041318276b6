"""AsciiDoc as a web page: titles, paragraphs, lists, tables, listings, block titles and inline marks.

Nothing is included from other files, and attributes, conditions and macros stay as they are written.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape

from apps.pages.office.web.html_lines import HtmlLines

# The specification of a cell: spans, alignment and style, as in "2+^.^h|".
_CELL = re.compile(r"(?<!\\)(?:(?:(?<=\s)|^)((?:\d*(?:\.\d+)?\+)?[<^>]?(?:\.[<^>])?[aehlmsd]?))?\|")


class AsciiDoc(HtmlLines):
    """Text in AsciiDoc."""

    kinds = (
        (re.compile(r"\|===.*"), "_table"),
        (re.compile(r"(-{4,}|\.{4,}|`{3,}|={4,}|_{4,}|\*{4,}|\+{4,}|/{4,})\s*"), "_enclosed"),
        (re.compile(r"(={1,6})\s+(\S.*)"), "_title"),
        (re.compile(r"\s*(\*{1,5}|-|\.{1,5}|\d+\.)\s+(\S.*)"), "_item"),
        (re.compile(r"(\S.*?)::(?:\s+(.*))?"), "_term"),
        (re.compile(r"\|.*"), "_lone_rows"),
        (re.compile(r"\.(?![\s.])(.+)"), "_block_title"),
        (re.compile(r"\s*"), "end_paragraph"),
        (re.compile(r"\[.*\]\s*|//(?!/).*|:[\w-]+:.*"), "_leave_out"),
    )
    marks = (
        (re.compile(r"(?:link:)?((?:https?|mailto|ftp):[^\s\[\]<>]+)\[([^\]]*)\]"), "link"),
        (re.compile(r"\*\*(?=\S)(.+?)(?<=\S)\*\*|(?<!\w)\*(?=\S)([^*]+?)(?<=\S)\*(?!\w)"), "b"),
        (re.compile(r"__(?=\S)(.+?)(?<=\S)__|(?<!\w)_(?=\S)([^_]+?)(?<=\S)_(?!\w)"), "i"),
        (re.compile(r"``(?=\S)(.+?)(?<=\S)``|(?<!\w)`(?=\S)([^`]+?)(?<=\S)`(?!\w)"), "code"),
        (re.compile(r"(?<!\w)\^(\S+?)\^"), "sup"),
        (re.compile(r"(?<!\w)~(\S+?)~"), "sub"),
    )

    def _title(self, found: re.Match[str]) -> None:
        self.add_heading(len(found[1]), found[2])

    def _item(self, found: re.Match[str]) -> None:
        sign = found[1][0]
        self.add_item(len(found[1]) if sign in "*." else 1, found[2], is_ordered=sign not in "*-")

    def _term(self, found: re.Match[str]) -> None:
        self.add(f"<dl><dt>{self.inline(found[1])}</dt><dd>{self.inline(found[2] or '')}</dd></dl>")

    def _block_title(self, found: re.Match[str]) -> None:
        self.add(f"<figcaption>{self.inline(found[1])}</figcaption>")

    def _leave_out(self, _found: re.Match[str]) -> None:
        """Attributes and comments are no text."""

    def _enclosed(self, found: re.Match[str]) -> None:
        sign, inside = found[1][0], "\n".join(self.lines_until(found[1].__eq__))
        if sign in "-.`+":
            self.add(f"<pre>{escape(inside)}</pre>")
        elif sign == "_":
            self.add(f"<blockquote>{AsciiDoc(inside).html()}</blockquote>")
        elif sign != "/":  # a comment
            self.add(f"<div>{AsciiDoc(inside).html()}</div>")

    def _table(self, _found: re.Match[str]) -> None:
        self.add_table(_rows(self.lines_until("|===".__eq__), self.inline))

    def _lone_rows(self, found: re.Match[str]) -> None:
        """Read rows without the lines that begin and end a table."""
        rows = [found[0], *self.lines_until(lambda line: not line.startswith("|"))]
        self.at -= 1  # the line that ends them is of something else
        self.add_table(_rows([row.rstrip().removesuffix("|") for row in rows], self.inline))


def _rows(lines: list[str], inline: Callable[[str], str]) -> list[list[tuple[str, str]]]:
    """Return the cells of a table, each with its tag. The first line says how many columns there are."""
    cells: list[tuple[str, str]] = []
    width = 0
    has_header = False
    for index, line in enumerate(lines):
        if not line.strip():
            has_header = has_header or (index == 1 and width > 0)
            continue
        found = list(_CELL.finditer(line))
        if not found:
            if cells:
                tag, text = cells[-1]
                cells[-1] = (tag, f"{text} {inline(line.strip())}")
            continue
        for mark, following in zip(found, [*found[1:], None], strict=True):
            text = line[mark.end() : following.start() if following else None].strip()
            cells.append(("th" if (mark[1] or "").endswith("h") else "td", inline(text)))
        width = width or len(found)
    rows = [cells[start : start + width] for start in range(0, len(cells), width or 1)]
    return [[("th", text) for _tag, text in rows[0]], *rows[1:]] if has_header else rows
