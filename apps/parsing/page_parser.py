"""What the three page parsers share: the page they are given, the answer they give back, and how it is judged."""

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
from apps.parsing.answers.parse_answer import parsed_page
from apps.parsing.errors import UnusableAnswer
from apps.parsing.page_pictures import Pictures
from apps.parsing.prompts.messages import Wishes
from apps.parsing.prompts.token_estimate import text_tokens
from apps.providers.calls.attempts import Order
from apps.providers.calls.gateway import Completion, Gateway

# An answer to a page has about as many tokens as the page; tables have up to twice as many, by their markup.
_LEAST_ANSWER_TOKENS = 500
_ANSWER_TOKENS_PER_PAGE_TOKEN = 2
# A page whose text nobody knows yet: a full page of small print.
_PICTURE_ANSWER_TOKENS = 6000


@dataclass(frozen=True)
class PageToParse:
    """A page as it was read, and everything a parser may use for it."""

    page: Page
    wishes: Wishes
    order: Order
    pictures: Pictures = field(repr=False)

    @cached_property
    def words(self) -> PageWords:
        return page_words(self.page)


@dataclass(frozen=True)
class Parsed:
    """A page as a model rebuilt it. ``cost_nanos`` is None as soon as one call's price is unknown."""

    page: Page
    fidelity: Fidelity
    deployment: str
    provider: str
    model: str
    prompt_version: str
    requests: int
    cost_nanos: int | None

    def fidelity_facts(self) -> dict[str, Any]:
        """What was found when the answer was compared with the page."""
        return {"fidelity": msgspec.to_builtins(self.fidelity)}


class PageParser(Protocol):
    """One way of parsing a page with a model."""

    @property
    def prompt_version(self) -> str:
        """The prompt's name and number, for what depends on it."""

    @property
    def sees_picture(self) -> bool:
        """Whether the model is shown the page, so that its answer depends on more than the text."""

    def has_something_to_read(self, page: Page) -> bool:
        """False: there is nothing to ask a model about."""

    def parse(self, page: PageToParse, gateway: Gateway) -> Parsed:
        """Ask until there is a good answer. Raises what ``Gateway.complete`` does."""


@dataclass(frozen=True)
class Judged:
    """An answer that was found good enough."""

    page: Page
    fidelity: Fidelity


def new_marker() -> str:
    """A word that nobody can have written into the document."""
    return secrets.token_hex(6)


def judge(asked: PageToParse, text: str, *, marker: str, sees_picture: bool) -> Judged:
    """The page that an answer makes, compared with what was read on it; UnusableAnswer when it is not faithful.

    Customers' wishes may ask for another text than the page's: then the comparison is told, and decides nothing.
    """
    page = asked.page
    made = parsed_page(page, text, marker=marker, words=asked.words)
    found = fidelity.compare(page, made.blocks, asked.words)
    code = fidelity.verdict(found, source=source_of(page), image=sees_picture)
    if code and not asked.wishes.texts:
        raise UnusableAnswer(findings(found), code=code)
    return Judged(made, found)


def findings(found: Fidelity) -> str:
    """How an answer differs from its page, in a few sentences; "" where it does not."""
    told = []
    if found.coverage < 1.0:
        told.append(f"{1 - found.coverage:.1%} of the page's words are missing.")
    if found.added > 0.0:
        told.append(f"{found.added:.1%} of the words are not on the page.")
    if found.numbers_missing:
        told.append(f"Numbers missing: {', '.join(found.numbers_missing)}.")
    if found.numbers_added:
        told.append(f"Numbers that are not on the page: {', '.join(found.numbers_added)}.")
    return " ".join(told)


def source_of(page: Page) -> str:
    """Where most of the page's text comes from: "text_layer" or "ocr"."""
    letters = {Source.OCR: 0, Source.TEXT_LAYER: 0, Source.MODEL: 0}
    for block in page.blocks:
        letters[block.source] += len(block.text)
    return "ocr" if letters[Source.OCR] > letters[Source.TEXT_LAYER] else "text_layer"


def answer_tokens(page: Page) -> int:
    """The most tokens that a good answer may need; what is longer than that is a loop. They are reserved, and where a
    provider counts what may come instead of what comes, they are used up."""
    text = "\n".join(table_html(block.cells) if block.cells else block.text for block in page.blocks)
    return _LEAST_ANSWER_TOKENS + _ANSWER_TOKENS_PER_PAGE_TOKEN * text_tokens(text) if text else _PICTURE_ANSWER_TOKENS


def parsed(completion: Completion[Judged], *, prompt_version: str) -> Parsed:
    """What a single question came to."""
    return Parsed(
        page=completion.checked.page,
        fidelity=completion.checked.fidelity,
        deployment=completion.target.name,
        provider=completion.target.provider,
        model=completion.target.model,
        prompt_version=prompt_version,
        requests=completion.calls,
        cost_nanos=completion.cost_nanos,
    )
