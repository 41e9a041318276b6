"""Turn lines of marked-up text into a web page."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from html import escape
from typing import ClassVar

Marks = Sequence[tuple[re.Pattern[str], str]]
"""What encloses a part of a line, and the tag that it becomes."""


class HtmlLines:
    """Marked-up text and its page. Paragraphs and lists end where something else begins.

    ``kinds``: patterns of whole lines, each with the method that gets its match; other lines are of a paragraph.
    """

    kinds: ClassVar[Sequence[tuple[re.Pattern[str], str]]]
    marks: ClassVar[Marks]

    def __init__(self, text: str) -> None:
        self.lines = text.split("\n")
        self.at = 0
        self._parts: list[str] = []
        self._paragraph: list[str] = []
        self._lists: list[str] = []  # the tags of the open lists; each has an open item
        self._is_behind_item = False

    def html(self) -> str:
        """Read the text and return its page."""
        while self.at < len(self.lines):
            line = self.lines[self.at].rstrip()
            self.at += 1
            for pattern, method in self.kinds:
                if found := pattern.fullmatch(line):
                    getattr(self, method)(found)
                    break
            else:
                self.add_text(line)
        self._close_lists(0)
        return "\n".join(self._parts)

    def lines_until(self, is_end: Callable[[str], object]) -> list[str]:
        """Take the lines before the next one that is an end, which is taken, too; all if there is none."""
        start = self.at
        while self.at < len(self.lines) and not is_end(self.lines[self.at].strip()):
            self.at += 1
        self.at += 1
        return self.lines[start : self.at - 1]

    def inline(self, text: str) -> str:
        return inline_html(text, self.marks)

    def add(self, html: str) -> None:
        self._close_lists(0)
        self._parts.append(html)

    def add_heading(self, level: int, text: str) -> None:
        level = min(6, level)
        self.add(f"<h{level}>{self.inline(text)}</h{level}>")

    def add_text(self, line: str) -> None:
        """Add a line of a paragraph, or of the list item before it."""
        if self._lists and self._is_behind_item:
            self._close_lists(0)
        self._paragraph.append(self.inline(line))

    def end_paragraph(self, _found: re.Match[str]) -> None:
        self._end_text()
        self._is_behind_item = bool(self._lists)

    def add_item(self, level: int, text: str, *, is_ordered: bool) -> None:
        tag = "ol" if is_ordered else "ul"
        if not self._lists:
            self._end_text()
        level = min(level, len(self._lists) + 1)
        self._close_lists(level)
        if len(self._lists) == level and self._lists[-1] != tag:
            self._close_lists(level - 1)
        if len(self._lists) < level:
            self._parts.append(f"<{tag}><li>")
            self._lists.append(tag)
        else:
            self._parts.append("</li><li>")
        self._paragraph.append(self.inline(text))
        self._is_behind_item = False

    def add_table(self, rows: Sequence[Sequence[tuple[str, str]]]) -> None:
        """``rows``: cells, each with its tag and its HTML."""
        lines = ("".join(f"<{tag}>{html}</{tag}>" for tag, html in row) for row in rows)
        self.add("<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>")

    def _end_text(self) -> None:
        if self._paragraph:
            text = "\n".join(self._paragraph)
            self._parts.append(text if self._lists else f"<p>{text}</p>")
            self._paragraph = []

    def _close_lists(self, level: int) -> None:
        self._end_text()
        while len(self._lists) > level:
            self._parts.append(f"</li></{self._lists.pop()}>")


def inline_html(text: str, marks: Marks) -> str:
    """Return text as HTML; of the marks that overlap, the first wins."""
    parts, at = [], 0
    waiting = [(mark, pattern, tag) for pattern, tag in marks if (mark := pattern.search(text))]
    while waiting:
        mark, _pattern, tag = min(waiting, key=lambda one: one[0].start())
        parts.append(escape(text[at : mark.start()]))
        at = mark.end()
        groups = [group for group in mark.groups() if group is not None]
        if tag == "link":
            parts.append(f'<a href="{escape(groups[0])}">{escape(groups[-1] or groups[0])}</a>')
        else:
            inside = escape(groups[0]) if tag == "code" else inline_html(groups[0], marks)
            parts.append(f"<{tag}>{inside}</{tag}>")
        waiting = [
            (further, pattern, tag)
            for found, pattern, tag in waiting
            if (further := found if found.start() >= at else pattern.search(text, at))
        ]
    return "".join(parts) + escape(text[at:])
