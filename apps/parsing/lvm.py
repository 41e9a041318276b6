"""parse_page_with_lvm: the page as a picture in, Markdown out."""

from __future__ import annotations

from apps.pages.model.blocks import Page
from apps.parsing.page_parser import PageToParse, ParsedPage, answer_tokens, check_answer, new_end_mark, parsed
from apps.parsing.prompts import messages as prompting
from apps.parsing.prompts.token_estimate import estimate_tokens
from apps.providers.calls.client import CompletionRequest
from apps.providers.calls.gateway import Gateway


class PageWithLvm:
    """A vision model reads the page image. It is not given the extracted text, but its answer is compared with it."""

    sees_picture = True

    @property
    def prompt_version(self) -> str:
        return prompting.load("lvm").name

    def has_content(self, page: Page) -> bool:
        return bool(page.blocks) or bool(page.needs_ocr)

    def parse(self, page: PageToParse, gateway: Gateway) -> ParsedPage:
        marker = new_end_mark()
        picture = page.pictures.page(page.page)
        messages = prompting.page_messages(
            prompting.load("lvm"), page.page, instructions=page.instructions, image=picture, mark=marker
        ).messages
        tokens = estimate_tokens(messages)
        completion = gateway.complete(
            page.scope,
            CompletionRequest(messages, max_tokens=answer_tokens(page.page)),
            estimated_input_tokens=tokens,
            check=lambda answer: check_answer(page, answer.text, marker=marker, sees_picture=True),
        )
        return parsed(completion, prompt_version=self.prompt_version)
