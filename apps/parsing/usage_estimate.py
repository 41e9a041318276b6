"""What parsing a page will ask of models, in requests and tokens, before anybody is asked.

Tokens are told three times, because no tokenizer is at hand: on 90 documents of the corpus ``token_estimate`` counted
1.05 to 2.3 times what the tokenizers of GPT-4 and GPT-4o do, 1.35 times in all.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from apps.pages.model.blocks import Page
from apps.pages.model.vision_image import MAX_VISION_PIXELS
from apps.parsing import parsers
from apps.parsing.page_pictures import PAGE_DPI
from apps.parsing.prompts import messages
from apps.parsing.prompts.messages import Wishes
from apps.parsing.prompts.page_notes import page_text, without_notes
from apps.parsing.prompts.token_estimate import (
    LEAST_IMAGE_TOKENS,
    MESSAGE_TOKENS,
    PIXELS_A_TOKEN,
    UNKNOWN_IMAGE_TOKENS,
    estimate_tokens,
    text_tokens,
)

TYPICAL_PAGE_TOKENS = 1_100
"""By ``token_estimate``, of a page whose text nobody knows yet: what a page of the corpus has."""
_LIKELY, _LEAST, _MOST = 1 / 1.35, 1 / 2.0, 1.0
# A page that OCR is still to read may be a cover or a page of small print.
_LEAST_UNREAD, _MOST_UNREAD = 1 / 8.0, 3.0
_END_LINE_TOKENS = 20
_REVIEW_TOKENS = 130  # what the agent is told of its draft
_NO_PICTURE = b"none"  # stands for the picture, whose tokens are reckoned here


@dataclass(frozen=True)
class Tokens:
    """How many there may be: at the least, probably, at the most."""

    least: float = 0.0
    likely: float = 0.0
    most: float = 0.0

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(self.least + other.least, self.likely + other.likely, self.most + other.most)

    def times(self, factor: float) -> Tokens:
        return Tokens(self.least * factor, self.likely * factor, self.most * factor)


@dataclass(frozen=True)
class Demand:
    """What one page, or many together, ask of a page parser's models when no answer has to be asked for again."""

    requests: float = 0.0
    input: Tokens = field(default_factory=Tokens)
    output: Tokens = field(default_factory=Tokens)

    def __add__(self, other: Demand) -> Demand:
        return Demand(self.requests + other.requests, self.input + other.input, self.output + other.output)

    def times(self, factor: float) -> Demand:
        return Demand(self.requests * factor, self.input.times(factor), self.output.times(factor))


def page_tokens(page: Page) -> int:
    """Tokens of the page's text by ``token_estimate``, 0 where there is none."""
    return text_tokens(page_text(page))


def demand_of(page: Page, page_parser: str, *, wishes: Wishes, unread_tokens: int = 0) -> Demand:
    """The demand of a page as it was read; ``unread_tokens``: how much text OCR will probably add to it."""
    if not parsers.PARSERS[page_parser].has_something_to_read(page) and not unread_tokens:
        return Demand()
    answer = _answer(page, unread_tokens)
    opening = _opening(page, page_parser, wishes, unread_tokens)
    if page_parser != "agent":
        return Demand(1, opening, answer)
    # A draft, and the page once more after it was compared with what was read.
    reply = answer + _spread(_REVIEW_TOKENS + 2 * MESSAGE_TOKENS)
    return Demand(2, opening.times(2) + reply, answer.times(2))


def _answer(page: Page, unread_tokens: int) -> Tokens:
    """A good answer is the page's text as Markdown."""
    known = text_tokens(without_notes(page_text(page))) + _END_LINE_TOKENS
    return _spread(known) + _spread_unread(unread_tokens)


def _opening(page: Page, page_parser: str, wishes: Wishes, unread_tokens: int) -> Tokens:
    sees = parsers.PARSERS[page_parser].sees_picture
    conversation = messages.page_messages(
        messages.load(page_parser), page, wishes=wishes, image=_NO_PICTURE if sees else None
    )
    told = estimate_tokens(conversation.messages, conversation.tools)
    if not sees:
        return _spread(told) + _spread_unread(unread_tokens)
    shown = _spread_unread(unread_tokens) if page_parser == "agent" else Tokens()
    return _spread(told - UNKNOWN_IMAGE_TOKENS) + _picture(page) + shown


def _picture(page: Page) -> Tokens:
    """Providers count pictures in many ways; this is from the fewest to what Anthropic counts."""
    pixels = min(MAX_VISION_PIXELS, page.width * page.height * (PAGE_DPI / 72) ** 2)
    most = max(LEAST_IMAGE_TOKENS, pixels / PIXELS_A_TOKEN)
    return Tokens(LEAST_IMAGE_TOKENS, most, most)


def _spread(tokens: float) -> Tokens:
    return Tokens(tokens * _LEAST, tokens * _LIKELY, tokens * _MOST)


def _spread_unread(tokens: float) -> Tokens:
    return Tokens(tokens * _LEAST_UNREAD, tokens * _LIKELY, tokens * _MOST_UNREAD)
