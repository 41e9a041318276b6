"""The numbers of lists and headings of an Open XML text, counted as its program counts them (ECMA-376 17.9)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from apps.pages.office.numerals import numeral
from apps.pages.office.words.parts import W, number, value
from apps.pages.office.words.styles import Styles
from apps.pages.office.xml_parts import Element

MAX_LEVELS = 9
BULLET = "-"
_PLACE = re.compile(r"%([1-9])")


@dataclass(frozen=True, slots=True)
class ListLevel:
    """``pattern``: "%1.%2)" has the numbers of two levels. ``restarts_after``: how many restart it; None: all."""

    start: int = 1
    kind: str = "decimal"
    pattern: str = ""
    is_legal: bool = False
    restarts_after: int | None = None


@dataclass(slots=True)
class _List:
    """A list as paragraphs refer to it: its definition, and what it changes in it."""

    definition: str
    starts: dict[int, int] = field(default_factory=dict)
    levels: dict[int, ListLevel] = field(default_factory=dict)


class Numbering:
    """Counts the items of all lists. Lists with one definition count on, unless one of them starts anew."""

    def __init__(self, root: Element | None, styles: Styles) -> None:
        self._definitions: dict[str, dict[int, ListLevel]] = {}
        self._lists: dict[str, _List] = {}
        self._counts: dict[str, dict[int, int]] = {}
        self._started: set[tuple[str, int]] = set()
        links: dict[str, str] = {}
        for element in root.iterfind(f"{W}abstractNum") if root is not None else ():
            identity = element.get(f"{W}abstractNumId", "")
            self._definitions[identity] = _levels(element)
            if link := value(element, "numStyleLink"):
                links[identity] = link
        for element in root.iterfind(f"{W}num") if root is not None else ():
            changed = _List(value(element, "abstractNumId"))
            for override in element.iterfind(f"{W}lvlOverride"):
                level = number(override.get(f"{W}ilvl", "0"))
                if start := value(override, "startOverride"):
                    changed.starts[level] = number(start)
                changed.levels |= _levels(override)
            self._lists[element.get(f"{W}numId", "")] = changed
        for identity, link in links.items():
            target = self._lists.get(styles.list_of_style(link))
            if target is not None and not self._definitions[identity]:
                self._definitions[identity] = self._definitions.get(target.definition, {})

    def next_marker(self, list_number: str, level: int) -> str | None:
        """Count the next item and return its marker; None if there is no such list, "" for a list without numbers."""
        found = self._lists.get(list_number)
        if found is None or not 0 <= level < MAX_LEVELS:
            return None
        levels = self._definitions.get(found.definition, {}) | found.levels
        here = levels.get(level, ListLevel())
        counts = self._counts.setdefault(found.definition, {})
        if level in found.starts and (list_number, level) not in self._started:
            self._started.add((list_number, level))
            counts[level] = found.starts[level] - 1
        counts[level] = counts.get(level, here.start - 1) + 1
        for deeper in [other for other in counts if other > level]:
            restarts_after = levels.get(deeper, ListLevel()).restarts_after
            if restarts_after is None or level < restarts_after:
                del counts[deeper]
        if here.kind == "bullet":
            return here.pattern if here.pattern in ("☐", "☑", "☒") else BULLET
        if here.kind == "none":
            return ""

        def of_level(place: re.Match[str]) -> str:
            index = int(place.group(1)) - 1
            of = levels.get(index, ListLevel())
            kind = "decimal" if here.is_legal else of.kind
            return numeral(counts.get(index, of.start), kind)

        return _PLACE.sub(of_level, here.pattern).strip()


def _levels(element: Element) -> dict[int, ListLevel]:
    levels = {}
    for level in element.iterfind(f"{W}lvl"):
        restart = value(level, "lvlRestart")
        levels[number(level.get(f"{W}ilvl", "0"))] = ListLevel(
            start=number(value(level, "start"), 1),
            kind=value(level, "numFmt") or "decimal",
            pattern=value(level, "lvlText"),
            is_legal=level.find(f"{W}isLgl") is not None,
            restarts_after=number(restart) if restart else None,
        )
    return levels
