"""parse_page_with_llm: text and layout in, Markdown out."""

from __future__ import annotations

from apps.pages.model.blocks import Page
from apps.parsing.page_parser import PageToParse, ParsedPage, answer_tokens, check_answer, new_end_mark, parsed
from apps.parsing.prompts import messages as prompting
from apps.parsing.prompts.token_estimate import estimate_tokens
from apps.providers.calls.client import CompletionRequest
from apps.providers.calls.gateway import Gateway


class PageWithLlm:
    """A language model rebuilds the page's Markdown from its text; it never sees the page."""

    sees_picture = False

    @property
    def prompt_version(self) -> str:
        return prompting.load("llm").name

    def has_content(self, page: Page) -> bool:
        return any(block.text or block.cells for block in page.blocks)

    def parse(self, page: PageToParse, gateway: Gateway) -> ParsedPage:
        marker = new_end_mark()
        messages = prompting.page_messages(
            prompting.load("llm"), page.page, instructions=page.instructions, mark=marker
        ).messages
        tokens = estimate_tokens(messages)
        completion = gateway.complete(
            page.scope,
            CompletionRequest(messages, max_tokens=answer_tokens(page.page)),
            estimated_input_tokens=tokens,
            check=lambda answer: check_answer(page, answer.text, marker=marker, sees_picture=False),
        )
        return parsed(completion, prompt_version=self.prompt_version)
