"""parse_page_with_llm: text and layout in, Markdown out."""

from __future__ import annotations

from apps.core.computing import computing_lock
from apps.pages.model.blocks import Page
from apps.parsing import requests
from apps.parsing.answer_check import CheckedAnswer, PageToParse
from apps.parsing.page_parser import ParsedPage, end_mark_of, parsed
from apps.parsing.prompts import messages as prompting
from apps.parsing.second_look.second_try import SecondTry
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
        marker, prompt = end_mark_of(page.scope.call_for), prompting.load("llm")
        with computing_lock():
            messages = prompting.page_messages(
                prompt, page.page, instructions=page.instructions, before=page.before, mark=marker
            ).messages
        tries = SecondTry(page, prompt, marker)

        def request_for(target: Target) -> CompletionRequest:
            return tries.request(target, lambda: messages)

        def check(answer: CompletionResponse, target: Target) -> CheckedAnswer:
            with computing_lock():
                return tries.checked(target, answer.text, is_finished=requests.is_finished(answer))

        return parsed(gateway.complete(page.scope, request_for, check=check), prompt_version=self.prompt_version)
