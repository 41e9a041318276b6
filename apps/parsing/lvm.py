"""parse_page_with_lvm: the page as a picture in, Markdown or the form of a document model out."""

from __future__ import annotations

from collections.abc import Sequence

from apps.pages.model.blocks import Page
from apps.parsing import requests
from apps.parsing.answer_check import CheckedAnswer, PageToParse
from apps.parsing.page_parser import ParsedPage, end_mark_of, parsed
from apps.parsing.prompts import messages as prompting
from apps.parsing.prompts.token_estimate import jpeg_size
from apps.parsing.second_look.disputed_numbers import with_settled_numbers
from apps.parsing.second_look.second_try import SecondTry
from apps.providers.calls.client import CompletionRequest, CompletionResponse
from apps.providers.calls.gateway import Gateway
from apps.providers.catalog import Target


class PageWithLvm:
    """A vision model reads the page image. It is not given the extracted text, but its answer is compared with it."""

    sees_picture = True

    @property
    def prompt_version(self) -> str:
        return prompting.load("lvm").name

    def has_content(self, page: Page) -> bool:
        return bool(page.blocks) or bool(page.needs_ocr)

    def parse(self, page: PageToParse, gateway: Gateway) -> ParsedPage:
        marker, prompt = end_mark_of(page.scope.call_for), prompting.load("lvm")
        tries = SecondTry(page, prompt, marker)

        def picture_for(target: Target) -> bytes:
            return page.pictures.page(page.page, requests.picture_pixels(target))

        def messages_for(target: Target) -> Sequence[prompting.Message]:
            picture = picture_for(target)
            if target.own_prompt:
                return prompting.dialect_messages(target.own_prompt, picture)
            return prompting.page_messages(
                prompt, page.page, instructions=page.instructions, image=picture, before=page.before, mark=marker
            ).messages

        def request_for(target: Target) -> CompletionRequest:
            return tries.request(target, lambda: messages_for(target))

        def check(answer: CompletionResponse, target: Target) -> CheckedAnswer:
            return tries.checked(
                target,
                answer.text,
                is_finished=requests.is_finished(answer),
                picture_size=jpeg_size(picture_for(target)) or (0, 0),
            )

        completion = gateway.complete(page.scope, request_for, check=check)
        made = parsed(completion, prompt_version=completion.target.dialect or self.prompt_version)
        return with_settled_numbers(made, page, gateway)
