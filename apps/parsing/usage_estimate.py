"""Estimate the requests and tokens of parsing a page, before any request to a model.

Each number of tokens is a range, because no tokenizer is available: on 90 documents of the corpus ``token_estimate``
counted 1.05 to 2.3 times the tokens of GPT-4's and GPT-4o's tokenizers, 1.35 times in total.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from apps.pages.model.blocks import Page
from apps.parsing import parsers
from apps.parsing.page_pictures import page_picture_size
from apps.parsing.prompts import messages
from apps.parsing.prompts.messages import CustomInstructions
from apps.parsing.prompts.page_notes import page_text, without_notes
from apps.parsing.prompts.token_estimate import (
    MESSAGE_TOKENS,
    UNKNOWN_IMAGE_TOKENS,
    estimate_tokens,
    text_tokens,
)
from apps.parsing.requests import TOKENS_OF_DIALECT, picture_pixels
from apps.providers.catalog import Target
from apps.providers.model_facts.picture_tokens import MIN_PICTURE_TOKENS, counts_pictures, picture_tokens
from apps.providers.requests.request_parameters import model_of

TYPICAL_PAGE_TOKENS = 1_100
"""Tokens by ``token_estimate`` of an average page of the corpus, for a page whose text is not known yet."""
_LIKELY_FACTOR, _MIN_FACTOR, _MAX_FACTOR = 1 / 1.35, 1 / 2.0, 1.0
# A page without a text layer may be a cover or a page of small print.
_MIN_UNREAD_FACTOR, _MAX_UNREAD_FACTOR = 1 / 8.0, 3.0
_END_LINE_TOKENS = 20
_REVIEW_TOKENS = 130  # the review of the agent's draft
_NO_PICTURE = b"none"  # a placeholder: the picture's tokens are computed from its size


@dataclass(frozen=True)
class TokenRange:
    """The least, the likely and the largest number of tokens."""

    least: float = 0.0
    likely: float = 0.0
    most: float = 0.0

    def __add__(self, other: TokenRange) -> TokenRange:
        return TokenRange(self.least + other.least, self.likely + other.likely, self.most + other.most)

    def times(self, factor: float) -> TokenRange:
        return TokenRange(self.least * factor, self.likely * factor, self.most * factor)


@dataclass(frozen=True)
class UsageEstimate:
    """Requests and tokens of one page, or of many, if no request has to be repeated."""

    requests: float = 0.0
    input: TokenRange = field(default_factory=TokenRange)
    output: TokenRange = field(default_factory=TokenRange)

    def __add__(self, other: UsageEstimate) -> UsageEstimate:
        return UsageEstimate(self.requests + other.requests, self.input + other.input, self.output + other.output)

    def times(self, factor: float) -> UsageEstimate:
        return UsageEstimate(self.requests * factor, self.input.times(factor), self.output.times(factor))


def page_tokens(page: Page) -> int:
    """Return the tokens of the page's text by ``token_estimate``, 0 if there is none."""
    return text_tokens(page_text(page))


def estimate_usage(
    page: Page, page_parser: str, *, instructions: CustomInstructions, target: Target | None, unread_tokens: int = 0
) -> UsageEstimate:
    """Return the usage of an extracted page at a deployment; None: at one that is not known.

    ``unread_tokens``: the text that OCR will probably add.
    """
    parser = parsers.PARSERS[page_parser]
    if not parser.has_content(page) and not unread_tokens:
        return UsageEstimate()
    unread = TokenRange(
        unread_tokens * _MIN_UNREAD_FACTOR, unread_tokens * _LIKELY_FACTOR, unread_tokens * _MAX_UNREAD_FACTOR
    )
    # A good answer is the page's text as Markdown.
    answer = _spread(text_tokens(without_notes(page_text(page))) + _END_LINE_TOKENS) + unread
    if target is not None and target.dialect:  # the markup of a document model multiplies the tokens by this at most
        answer = TokenRange(answer.least, answer.likely, answer.most * TOKENS_OF_DIALECT)
    if target is not None and target.own_prompt:
        tokens = estimate_tokens(messages.dialect_messages(target.own_prompt, _NO_PICTURE))
    else:
        conversation = messages.page_messages(
            messages.load(page_parser),
            page,
            instructions=instructions,
            image=_NO_PICTURE if parser.sees_picture else None,
        )
        tokens = estimate_tokens(conversation.messages, conversation.tools)
    if parser.sees_picture:
        opening = _spread(tokens - UNKNOWN_IMAGE_TOKENS) + _picture(page, target)
    else:
        opening = _spread(tokens)
    if page_parser != "lvm":
        opening += unread
    if page_parser != "agent":
        return UsageEstimate(1, opening, answer)
    # A draft and, after its review, the page again.
    reply = answer + _spread(_REVIEW_TOKENS + 2 * MESSAGE_TOKENS)
    return UsageEstimate(2, opening.times(2) + reply, answer.times(2))


def _picture(page: Page, target: Target | None) -> TokenRange:
    """Return the tokens of the page's picture. Models that publish no count need less than the estimate."""
    pixels, model = (picture_pixels(target), model_of(target)) if target is not None else (0, "")
    most = picture_tokens(model, *page_picture_size(page, pixels))
    return TokenRange(most if counts_pictures(model) else MIN_PICTURE_TOKENS, most, most)


def _spread(tokens: float) -> TokenRange:
    return TokenRange(tokens * _MIN_FACTOR, tokens * _LIKELY_FACTOR, tokens * _MAX_FACTOR)
