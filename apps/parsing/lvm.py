"""parse_page_with_lvm: the page as a picture in, Markdown out."""

from __future__ import annotations

from apps.pages.model.blocks import Page
from apps.parsing.page_parser import PageToParse, Parsed, answer_tokens, judge, new_marker, parsed
from apps.parsing.prompts import messages as prompting
from apps.parsing.prompts.token_estimate import estimate_tokens
from apps.providers.calls.client import Question
from apps.providers.calls.gateway import Gateway


class PageWithLvm:
    """A model that sees reads the page's picture. What was read on the page before is not shown to it, but its answer
    is compared with that."""

    sees_picture = True

    @property
    def prompt_version(self) -> str:
        return prompting.load("lvm").name

    def has_something_to_read(self, page: Page) -> bool:
        return bool(page.blocks) or bool(page.needs_ocr)

    def parse(self, page: PageToParse, gateway: Gateway) -> Parsed:
        marker = new_marker()
        picture = page.pictures.page(page.page)
        messages = prompting.page_messages(
            prompting.load("lvm"), page.page, wishes=page.wishes, image=picture, mark=marker
        ).messages
        tokens = estimate_tokens(messages)
        completion = gateway.complete(
            page.order,
            Question(messages, max_tokens=answer_tokens(page.page)),
            need_input_tokens=tokens,
            check=lambda answer: judge(page, answer.text, marker=marker, sees_picture=True),
        )
        return parsed(completion, prompt_version=self.prompt_version)
