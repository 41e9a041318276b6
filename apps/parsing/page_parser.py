"""The interface of the three page parsers, and the check of their answers."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import msgspec

from apps.pages.model.blocks import Page, Source
from apps.pages.output.render import table_html
from apps.parsing.answers import fidelity
from apps.parsing.answers.fidelity import Fidelity
from apps.parsing.answers.normalized_words import PageWords, page_words
from apps.parsing.answers.parse_answer import end_line, parsed_page
from apps.parsing.errors import UnusableAnswer
from apps.parsing.page_pictures import Pictures
from apps.parsing.prompts.messages import CustomInstructions
from apps.parsing.prompts.token_estimate import text_tokens
from apps.providers.calls.attempts import CallScope
from apps.providers.calls.gateway import Completion, Gateway
from apps.providers.catalog import Target

# An answer has about as many tokens as its page; the markup of tables doubles them.
_MIN_ANSWER_TOKENS = 500
_ANSWER_TOKENS_PER_PAGE_TOKEN = 2
# For a page whose text is not known yet: a full page of small print.
_PICTURE_ANSWER_TOKENS = 6000


@dataclass(frozen=True)
class PageToParse:
    """A page as extracted, with the instructions, the pictures and the scope of the calls that a parser needs.

    ``before``: what a model is told of the page before (``page_before.summary_of``).
    """

    page: Page
    instructions: CustomInstructions
    scope: CallScope
    pictures: Pictures = field(repr=False)
    before: str = ""

    @cached_property
    def words(self) -> PageWords:
        return page_words(self.page)


@dataclass(frozen=True)
class ParsedPage:
    """A page as a model rebuilt it. ``cost_nanos`` is None if the price of any call is unknown."""

    page: Page
    fidelity: Fidelity
    target: Target
    prompt_version: str
    requests: int
    cost_nanos: int | None

    def fidelity_facts(self) -> dict[str, Any]:
        """Return the result of the fidelity check for the page's stored facts."""
        return {"fidelity": msgspec.to_builtins(self.fidelity)}


class PageParser(Protocol):
    """One way of parsing a page with a model."""

    @property
    def prompt_version(self) -> str:
        """Return the prompt's name and number, which cache keys contain."""

    @property
    def sees_picture(self) -> bool:
        """Return whether the model is given the page image, so that its answer depends on more than the text."""

    def has_content(self, page: Page) -> bool:
        """Return whether the page has content that a model can read."""

    def parse(self, page: PageToParse, gateway: Gateway) -> ParsedPage:
        """Send requests until an answer is acceptable. Raise the errors of ``Gateway.complete``."""


@dataclass(frozen=True)
class CheckedAnswer:
    """An answer that passed the fidelity check."""

    page: Page
    fidelity: Fidelity


def new_end_mark() -> str:
    """Return a random word that the document cannot contain."""
    return secrets.token_hex(6)


def check_answer(
    to_parse: PageToParse,
    text: str,
    *,
    marker: str,
    sees_picture: bool,
    is_finished: bool = False,
    dialect: str = "",
    picture_size: tuple[int, int] = (0, 0),
) -> CheckedAnswer:
    """Return the page that an answer makes. Raise ``UnusableAnswer`` if it fails the fidelity check.

    With custom instructions the answer may differ from the page on purpose, so the check is only recorded. An answer
    without its end line must pass it all the same. The arguments are those of ``parsed_page``.
    """
    page = to_parse.page
    made = parsed_page(
        page,
        text,
        marker=marker,
        is_finished=is_finished,
        dialect=dialect,
        picture_size=picture_size,
        words=to_parse.words,
    )
    found = fidelity.compare(page, made.blocks, to_parse.words)
    code = fidelity.verdict(found, source=source_of(page), image=sees_picture)
    may_differ = bool(to_parse.instructions.texts) and end_line(marker) in text
    if code and not may_differ:
        raise UnusableAnswer(findings(found), code=code)
    return CheckedAnswer(made, found)


def findings(found: Fidelity) -> str:
    """Describe in a few sentences how an answer differs from its page; "" if it does not."""
    differences = []
    if found.coverage < 1.0:
        differences.append(f"{1 - found.coverage:.1%} of the page's words are missing.")
    if found.added > 0.0:
        differences.append(f"{found.added:.1%} of the words are not on the page.")
    if found.numbers_missing:
        differences.append(f"Numbers missing: {', '.join(found.numbers_missing)}.")
    if found.numbers_added:
        differences.append(f"Numbers that are not on the page: {', '.join(found.numbers_added)}.")
    return " ".join(differences)


def source_of(page: Page) -> str:
    """Return the source of most of the page's text: "text_layer" or "ocr"."""
    letters = {Source.OCR: 0, Source.TEXT_LAYER: 0, Source.MODEL: 0}
    for block in page.blocks:
        letters[block.source] += len(block.text)
    return "ocr" if letters[Source.OCR] > letters[Source.TEXT_LAYER] else "text_layer"


def answer_tokens(page: Page) -> int:
    """Return the maximum number of tokens of a good answer; a longer answer is a loop.

    They are reserved from the quota. Some providers count this maximum instead of the tokens that they produce.
    """
    text = "\n".join(table_html(block.cells) if block.cells else block.text for block in page.blocks)
    return _MIN_ANSWER_TOKENS + _ANSWER_TOKENS_PER_PAGE_TOKEN * text_tokens(text) if text else _PICTURE_ANSWER_TOKENS


def parsed(completion: Completion[CheckedAnswer], *, prompt_version: str) -> ParsedPage:
    """Return the page of a single completion."""
    return ParsedPage(
        page=completion.checked.page,
        fidelity=completion.checked.fidelity,
        target=completion.target,
        prompt_version=prompt_version,
        requests=completion.calls,
        cost_nanos=completion.cost_nanos,
    )
