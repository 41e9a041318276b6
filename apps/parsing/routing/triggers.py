"""The triggers of auto mode: turn a value of a request into a predicate of a page."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from apps.pages.model.blocks import BlockType
from apps.parsing.routing.page_facts import PageFacts
from apps.parsing.routing.patterns import UnusablePattern, compile_pattern

MAX_TEXT_CHARS = 1000
MAX_GLOBS = 100
MAX_SEARCHED_CHARS = 20_000
"""Patterns are matched against this many characters from the beginning of a page."""
MAX_COUNT = 1_000_000
FULL_PAGE = 0.8

Predicate = Callable[[PageFacts], bool]


@dataclass(frozen=True)
class Trigger:
    """A predicate about a page; ``cost``: the number of instructions of its pattern, 0 without one."""

    name: str
    matches: Predicate
    cost: int = 0


class WrongValue(ValueError):
    """An invalid value; ``path`` is its place in the rule, the message names the expected value."""

    def __init__(self, message: str, *path: str | int, value: object) -> None:
        super().__init__(message)
        self.path = path
        self.value = value


Maker = Callable[[str, Mapping[str, Any]], Trigger | None]
"""Make a trigger from its name and its rule; return None if the trigger is switched off."""

ELEMENTS = {
    "title": BlockType.HEADING,
    "heading": BlockType.HEADING,
    "section-header": BlockType.HEADING,
    "text": BlockType.PARAGRAPH,
    "paragraph": BlockType.PARAGRAPH,
    "list": BlockType.LIST_ITEM,
    "list-item": BlockType.LIST_ITEM,
    "table": BlockType.TABLE,
    "picture": BlockType.PICTURE,
    "figure": BlockType.PICTURE,
    "image": BlockType.PICTURE,
    "chart": BlockType.PICTURE,
    "caption": BlockType.CAPTION,
    "code": BlockType.CODE,
    "footnote": BlockType.FOOTNOTE,
    "page-header": BlockType.PAGE_HEADER,
    "header": BlockType.PAGE_HEADER,
    "page-footer": BlockType.PAGE_FOOTER,
    "footer": BlockType.PAGE_FOOTER,
}


def _number(value: object, name: str, *, low: float = 0, high: float = MAX_COUNT, whole: bool = True) -> float:
    """Return a number, which may be given as text."""
    kind = "A whole number" if whole else "A number"
    wrong = WrongValue(f"{kind} from {low:g} to {high:g} is expected.", name, value=value)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise wrong
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise wrong from None
    if not math.isfinite(number) or not low <= number <= high or (whole and number != int(number)):
        raise wrong
    return number


def _text(value: object, name: str, *path: int) -> str:
    if isinstance(value, str) and 0 < len(value) <= MAX_TEXT_CHARS:
        return value
    raise WrongValue(f"A text of 1 to {MAX_TEXT_CHARS} characters is expected.", name, *path, value=value)


def _switched_on(rule: Mapping[str, Any], name: str) -> bool:
    if not isinstance(rule[name], bool):
        raise WrongValue("true or false is expected.", name, value=rule[name])
    return bool(rule[name])


def _switch(predicate: Predicate) -> Maker:
    def make(name: str, rule: Mapping[str, Any]) -> Trigger | None:
        return Trigger(name, predicate) if _switched_on(rule, name) else None

    return make


def _counted(count: Callable[[PageFacts], float], matches: Callable[[float, float], bool], **limits: Any) -> Maker:
    def make(name: str, rule: Mapping[str, Any]) -> Trigger:
        limit = _number(rule[name], name, **limits)
        return Trigger(name, lambda facts: matches(float(count(facts)), limit))

    return make


def _texts(matches: Callable[[PageFacts, list[str]], bool], *, listed: bool = False) -> Maker:
    """Compare a page with the rule's text, or with its list of texts (``listed``)."""

    def make(name: str, rule: Mapping[str, Any]) -> Trigger:
        if not listed:
            texts = [_text(rule[name], name)]
        elif not isinstance(rule[name], list) or not 0 < len(rule[name]) <= MAX_GLOBS:
            raise WrongValue(f"A list of 1 to {MAX_GLOBS} patterns is expected.", name, value=rule[name])
        else:
            texts = [_text(text, name, index) for index, text in enumerate(rule[name])]
        return Trigger(name, lambda facts: matches(facts, texts))

    return make


def _pattern(searched: Callable[[PageFacts], str], *, has_cost: bool) -> Maker:
    """Search a text of the page for the rule's regular expression; ``has_cost``: add it to the total cost."""

    def make(name: str, rule: Mapping[str, Any]) -> Trigger:
        mode = rule.get(f"{name}_mode", "")
        if not isinstance(mode, str):
            raise WrongValue("A text of flags is expected, such as i.", f"{name}_mode", value=mode)
        source = _text(rule[name], name)
        try:
            compile_pattern("", mode)
        except UnusablePattern as error:
            raise WrongValue(str(error), f"{name}_mode", value=mode) from None
        try:
            pattern = compile_pattern(source, mode)
        except UnusablePattern as error:
            raise WrongValue(f"{error} A regular expression is expected.", name, value=source) from None
        return Trigger(name, lambda facts: pattern.occurs_in(searched(facts)), len(pattern) if has_cost else 0)

    return make


def _any_glob(facts: PageFacts, globs: list[str]) -> bool:
    return any(fnmatchcase(facts.file_name, glob) for glob in globs)


def _full_page_image(name: str, rule: Mapping[str, Any]) -> Trigger | None:
    key = f"{name}_threshold"
    share = _number(rule.get(key, FULL_PAGE), key, high=1, whole=False)
    return Trigger(name, lambda facts: facts.has_full_page_picture(share)) if _switched_on(rule, name) else None


def _layout_element(name: str, rule: Mapping[str, Any]) -> Trigger:
    """Match blocks of a type and a minimum confidence; blocks of a text layer have none and always match."""
    label = _text(rule[name], name)
    element = ELEMENTS.get(label.strip().lower().replace("_", "-").replace(" ", "-"))
    if element is None:
        raise WrongValue(f"One of {', '.join(ELEMENTS)} is expected.", name, value=label)
    key = f"{name}_confidence_threshold"
    min_confidence = _number(rule.get(key, 0), key, high=1, whole=False)

    def matches(facts: PageFacts) -> bool:
        found = (block for block in facts.page.blocks if block.type is element)
        return any(block.confidence is None or block.confidence >= min_confidence for block in found)

    return Trigger(name, matches)


_COUNTS: dict[str, Callable[[PageFacts], float]] = {
    # Extraction does not distinguish charts from other pictures; a stronger mode than needed loses nothing.
    "charts": lambda facts: facts.pictures,
    "images": lambda facts: facts.pictures,
    "layout_elements": lambda facts: facts.layout_elements,
    "lines": lambda facts: facts.lines,
    "links": lambda facts: facts.links,
    "numbers": lambda facts: facts.numbers,
    "percent_numbers": lambda facts: facts.percent_numbers,
    "tables": lambda facts: facts.tables,
    "words": lambda facts: facts.words,
}
_PERCENT = {"high": 100, "whole": False}


TRIGGERS: dict[str, Maker] = {
    "filename_match_glob": _texts(_any_glob),
    "filename_match_glob_list": _texts(_any_glob, listed=True),
    "filename_regexp": _pattern(lambda facts: facts.file_name[:MAX_TEXT_CHARS], has_cost=False),
    "full_page_image_in_page": _full_page_image,
    "image_in_page": _switch(lambda facts: facts.pictures > 0),
    "table_in_page": _switch(lambda facts: facts.tables > 0),
    "text_in_page": _texts(lambda facts, texts: texts[0] in facts.text or texts[0] in facts.content),
    "regexp_in_page": _pattern(lambda facts: facts.content[:MAX_SEARCHED_CHARS], has_cost=True),
    "layout_element_in_page": _layout_element,
    "page_md_error": _switch(lambda facts: facts.is_unread),
    "page_longer_than_n_chars": _counted(lambda facts: len(facts.text), float.__gt__),
    "page_shorter_than_n_chars": _counted(lambda facts: len(facts.text), float.__lt__),
    **{
        f"page_contains_at_{bound}_n_{name}": _counted(
            count, matches, **(_PERCENT if name == "percent_numbers" else {})
        )
        for name, count in _COUNTS.items()
        for bound, matches in (("least", float.__ge__), ("most", float.__le__))
    },
}
"""Every trigger by its name in a request."""
COMPANIONS = frozenset(
    {
        "filename_regexp_mode",
        "regexp_in_page_mode",
        "full_page_image_in_page_threshold",
        "layout_element_in_page_confidence_threshold",
    }
)
"""Names of values that accompany a trigger."""
