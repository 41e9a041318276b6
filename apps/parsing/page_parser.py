"""The interface of the three page parsers."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec
from django.utils.crypto import salted_hmac

from apps.pages.model.blocks import Page
from apps.pages.output.render import table_html
from apps.parsing.answer_check import CheckedAnswer, PageToParse
from apps.parsing.answers.fidelity import Fidelity
from apps.parsing.prompts.token_estimate import text_tokens
from apps.providers.calls.gateway import Completion, Gateway
from apps.providers.catalog import Target
from apps.providers.ledger import CallFor

BATCH_UNANSWERED = "batch_unanswered"
# An answer has about as many tokens as its page; the markup of tables doubles them.
MIN_ANSWER_TOKENS = 500
ANSWER_TOKENS_PER_PAGE_TOKEN = 2
# For a page whose text is not known yet: a full page of small print.
_PICTURE_ANSWER_TOKENS = 6000


@dataclass(frozen=True)
class ParsedPage:
    """A page as a model rebuilt it. ``cost_nanos`` is None if the price of any call is unknown.

    ``facts``: what else is known about it, for the result.
    """

    page: Page
    fidelity: Fidelity
    target: Target
    prompt_version: str
    requests: int
    cost_nanos: int | None
    facts: Mapping[str, Any] = field(default_factory=dict)

    def stored_facts(self) -> dict[str, Any]:
        """Return the result of the fidelity check, and the other facts."""
        return {"fidelity": msgspec.to_builtins(self.fidelity), **self.facts}


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


def new_end_mark() -> str:
    """Return a random word that the document cannot contain."""
    return secrets.token_hex(6)


def end_mark_of(call_for: CallFor) -> str:
    """Return a word for the end of the page's answers that its document cannot contain.

    It is the same for each claim of the page, because its answer may come from a batch, hours later.
    """
    return salted_hmac(__name__, f"{call_for.job_id}/{call_for.page_number}/{call_for.page_parser}").hexdigest()[:12]


def answer_tokens(page: Page) -> int:
    """Return the maximum number of tokens of a good answer; a longer answer is a loop.

    They are reserved from the quota. Some providers count this maximum instead of the tokens that they produce.
    """
    text = "\n".join(table_html(block.cells) if block.cells else block.text for block in page.blocks)
    return MIN_ANSWER_TOKENS + ANSWER_TOKENS_PER_PAGE_TOKEN * text_tokens(text) if text else _PICTURE_ANSWER_TOKENS


def parsed(completion: Completion[CheckedAnswer], *, prompt_version: str) -> ParsedPage:
    """Return the page of a single completion."""
    page = completion.checked.page
    if completion.unanswered_batch:
        page = msgspec.structs.replace(page, warnings=(*page.warnings, BATCH_UNANSWERED))
    return ParsedPage(
        page=page,
        fidelity=completion.checked.fidelity,
        target=completion.target,
        prompt_version=prompt_version,
        requests=completion.calls,
        cost_nanos=completion.cost_nanos,
        facts=completion.checked.facts,
    )
