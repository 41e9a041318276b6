"""parse_page_with_lvm: the page as a picture in, Markdown or the form of a document model out."""

from __future__ import annotations

from apps.pages.model.blocks import Page
from apps.parsing import requests
from apps.parsing.answer_check import CheckedAnswer, PageToParse, check_answer
from apps.parsing.page_parser import ParsedPage, new_end_mark, parsed
from apps.parsing.prompts import messages as prompting
from apps.parsing.prompts.token_estimate import jpeg_size
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
        marker = new_end_mark()

        def picture_for(target: Target) -> bytes:
            return page.pictures.page(page.page, requests.picture_pixels(target))

        def request_for(target: Target) -> CompletionRequest:
            picture, prompt = picture_for(target), requests.own_prompt(target)
            if prompt:
                messages = prompting.dialect_messages(prompt, picture)
            else:
                messages = prompting.page_messages(
                    prompting.load("lvm"),
                    page.page,
                    instructions=page.instructions,
                    image=picture,
                    before=page.before,
                    mark=marker,
                ).messages
            return requests.request_of(messages, page.page, target)

        def check(answer: CompletionResponse, target: Target) -> CheckedAnswer:
            return check_answer(
                page,
                answer.text,
                marker="" if target.dialect else marker,
                sees_picture=True,
                is_finished=requests.is_finished(answer),
                dialect=target.dialect,
                picture_size=jpeg_size(picture_for(target)) or (0, 0),
            )

        completion = gateway.complete(page.scope, request_for, check=check)
        return parsed(completion, prompt_version=completion.target.dialect or self.prompt_version)
