"""parse_page_with_llm: text and layout in, Markdown out."""

from __future__ import annotations

from apps.pages.model.blocks import Page
from apps.parsing import requests
from apps.parsing.answer_check import CheckedAnswer, PageToParse, check_answer
from apps.parsing.page_parser import ParsedPage, new_end_mark, parsed
from apps.parsing.prompts import messages as prompting
from apps.providers.calls.client import CompletionRequest, CompletionResponse
from apps.providers.calls.gateway import Gateway
from apps.providers.catalog import Target


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
            prompting.load("llm"), page.page, instructions=page.instructions, before=page.before, mark=marker
        ).messages

        def request_for(target: Target) -> CompletionRequest:
            return requests.request_of(messages, page.page, target)

        def check(answer: CompletionResponse, target: Target) -> CheckedAnswer:
            return check_answer(
                page, answer.text, marker=marker, sees_picture=False, is_finished=requests.is_finished(answer)
            )

        return parsed(gateway.complete(page.scope, request_for, check=check), prompt_version=self.prompt_version)
