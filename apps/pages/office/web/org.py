"""Org as a web page: headings, paragraphs, lists, tables, blocks and inline marks. Nothing is included or run."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape

from apps.pages.office.web.html_lines import HtmlLines


class OrgText(HtmlLines):
    """Text in Org. ``title``: known when it has been read."""

    kinds = (
        (re.compile(r"(\*+)\s+(?:(?:TODO|DONE)\s+)?(?:\[#[A-Z]\]\s+)?(.*?)(?:\s+:[\w@:]+:)?\s*"), "_heading"),
        (re.compile(r"\s*#\+begin_(\w+)\b.*", re.IGNORECASE), "_enclosed"),
        (re.compile(r"\s*#\+(\w+):\s*(.*)"), "_keyword"),
        (re.compile(r"\s*\|.*"), "_table"),
        (re.compile(r"(\s*)([-+]|\d+[.)]|[a-zA-Z][.)]|(?<=\s)\*)\s+(.*)"), "_item"),
        (re.compile(r"\s*(?::[\w-]+:.*)?|# .*"), "end_paragraph"),
    )
    marks = (
        (re.compile(r"\[\[([^\]\n]+)\](?:\[([^\]\n]+)\])?\]"), "link"),
        (re.compile(r"(?<![\w*])\*(?=\S)([^*\n]+?)(?<=\S)\*(?!\w)"), "b"),
        (re.compile(r"(?<![\w/:])/(?=\S)([^/\n]+?)(?<=\S)/(?!\w)"), "i"),
        (re.compile(r"(?<!\w)[~=](?=\S)([^~=\n]+?)(?<=\S)[~=](?!\w)"), "code"),
        (re.compile(r"(?<!\w)\+(?=\S)([^+\n]+?)(?<=\S)\+(?!\w)"), "s"),
    )
    title = ""

    def _heading(self, found: re.Match[str]) -> None:
        self.add_heading(len(found[1]), found[2])

    def _item(self, found: re.Match[str]) -> None:
        self.add_item(1 + len(found[1]) // 2, found[3], is_ordered=found[2][0].isalnum())

    def _keyword(self, found: re.Match[str]) -> None:
        keyword, text = found[1].lower(), found[2]
        if keyword == "title":
            self.title = text
            self.add_heading(1, text)
        elif keyword in ("caption", "author", "date", "subtitle"):
            tag = "figcaption" if keyword == "caption" else "p"
            self.add(f"<{tag}>{self.inline(text)}</{tag}>")

    def _enclosed(self, found: re.Match[str]) -> None:
        kind = found[1].lower()
        inside = "\n".join(self.lines_until(lambda line: line.lower() == f"#+end_{kind}"))
        if kind in ("src", "example", "export", "verse"):
            self.add(f"<pre>{escape(inside)}</pre>")
        elif kind != "comment":
            self.add(f"<blockquote>{OrgText(inside).html()}</blockquote>")

    def _table(self, found: re.Match[str]) -> None:
        lines = [found[0], *self.lines_until(lambda line: not line.startswith("|"))]
        self.at -= 1  # the line that ends it is of something else
        self.add_table(_rows(lines, self.inline))


def _rows(lines: list[str], inline: Callable[[str], str]) -> list[list[tuple[str, str]]]:
    """Return the cells of a table, each with its tag: rows before the first ruling line are its header."""
    rows: list[list[tuple[str, str]]] = []
    has_header = False
    for line in (line.strip() for line in lines):
        if line.startswith("|-"):
            if not has_header:
                rows = [[("th", text) for _tag, text in row] for row in rows]
            has_header = bool(rows)
        else:
            rows.append([("td", inline(text.strip())) for text in line.strip("|").split("|")])
    return rows
