"""parse_page_with_agent: text, picture and tools; the model drafts the page, then checks its draft.

A page takes two requests where the model needs no tool: the draft, and the draft once more after it was compared with
the page. The number of requests is bounded; a model that goes on looking is told to finish.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.pages.model.blocks import BlockType, Page
from apps.pages.model.errors import PageError
from apps.pages.model.geometry import Box
from apps.pages.output.render import table_pipes
from apps.parsing.answers import fidelity
from apps.parsing.answers.parse_answer import end_line, parsed_page
from apps.parsing.errors import UnusableAnswer
from apps.parsing.page_parser import Judged, PageToParse, Parsed, answer_tokens, findings, judge, new_marker
from apps.parsing.prompts import agent_tools
from apps.parsing.prompts import messages as prompting
from apps.parsing.prompts.token_estimate import estimate_tokens
from apps.providers.calls.client import Answer, Question, ToolCall
from apps.providers.calls.gateway import Completion, Gateway
from apps.providers.errors import AllProvidersFailed

MOST_REQUESTS = 6
MOST_TOOL_CALLS_PER_ANSWER = 4
_REVIEW = (
    "Your draft was compared with what a program read on the page. {findings} Where the program may be wrong, look at "
    "the picture. Then call finish once more with the whole page; it may be the same. Its last line is exactly: "
    "{end_line}"
)
_LONGEST_TOOL_TEXT = 4000


@dataclass
class _Conversation:
    """What was said so far, and what it cost."""

    messages: list[dict[str, Any]]
    requests: int = 0
    cost_nanos: int | None = 0
    drafts: list[str] = field(default_factory=list)

    def count(self, completion: Completion[Any]) -> None:
        self.requests += completion.calls
        known = self.cost_nanos is not None and completion.cost_nanos is not None
        self.cost_nanos = (self.cost_nanos or 0) + (completion.cost_nanos or 0) if known else None


class PageWithAgent:
    """A model with tools looks at the page until it is content with its own draft."""

    sees_picture = True

    @property
    def prompt_version(self) -> str:
        return prompting.load("agent").name

    def has_something_to_read(self, page: Page) -> bool:
        return bool(page.blocks) or bool(page.needs_ocr)

    def parse(self, page: PageToParse, gateway: Gateway) -> Parsed:
        marker = new_marker()
        picture = page.pictures.page(page.page)
        opening = prompting.page_messages(
            prompting.load("agent"), page.page, wishes=page.wishes, image=picture, mark=marker
        )
        talk = _Conversation(list(opening.messages))
        while talk.requests < MOST_REQUESTS:
            completion = self._ask(page, gateway, talk, marker)
            talk.count(completion)
            if isinstance(completion.checked, Judged):
                return self._parsed(completion, completion.checked, talk)
            self._reply(page, talk, completion.answer, marker)
        raise AllProvidersFailed([f"the model did not finish the page in {MOST_REQUESTS} requests"])

    def _ask(self, page: PageToParse, gateway: Gateway, talk: _Conversation, marker: str) -> Completion[Judged | None]:
        """One request. A draft that comes after another one was checked is the answer, and judged as such."""
        last = talk.requests >= MOST_REQUESTS - 1
        offered = [tool for tool in agent_tools.TOOLS if not last or tool["function"]["name"] == agent_tools.FINISH]
        tokens = estimate_tokens(talk.messages, offered)

        def check(answer: Answer) -> Judged | None:
            draft = draft_of(answer)
            if draft is None:
                if not answer.tool_calls:
                    raise UnusableAnswer("The model neither finished the page nor used a tool.")
                return None
            if talk.drafts or last:
                return judge(page, draft, marker=marker, sees_picture=True)
            # A draft that is no page at all is not worth a review.
            parsed_page(page.page, draft, marker=marker, words=page.words)
            return None

        return gateway.complete(
            page.order,
            Question(talk.messages, tools=offered, max_tokens=answer_tokens(page.page)),
            need_input_tokens=tokens,
            check=check,
        )

    def _reply(self, page: PageToParse, talk: _Conversation, answer: Answer, marker: str) -> None:
        """What the tools found, or how the draft compares with the page, goes back to the model."""
        talk.messages.append(answer.message)
        pictures: list[dict[str, Any]] = []
        for index, call in enumerate(answer.tool_calls):
            if index >= MOST_TOOL_CALLS_PER_ANSWER:
                text = "Too many tools at once; ask again."
            elif call.name == agent_tools.FINISH:
                text = self._review(page, talk, str(call.arguments.get("markdown", "")), marker)
            else:
                text = _use_tool(page, call, pictures)
            talk.messages.append({"role": "tool", "tool_call_id": call.id, "name": call.name, "content": text})
        if not answer.tool_calls:
            talk.messages.append({"role": "user", "content": self._review(page, talk, answer.text, marker)})
        if pictures:  # a tool's answer is text on every wire; pictures follow as the user's
            talk.messages.append({"role": "user", "content": pictures})

    def _review(self, page: PageToParse, talk: _Conversation, draft: str, marker: str) -> str:
        talk.drafts.append(draft)
        made = parsed_page(page.page, draft, marker=marker, words=page.words)
        found = fidelity.compare(page.page, made.blocks, page.words)
        return _REVIEW.format(findings=findings(found) or "No difference was found.", end_line=end_line(marker))

    def _parsed(self, completion: Completion[Any], judged: Judged, talk: _Conversation) -> Parsed:
        target = completion.target
        return Parsed(
            page=judged.page,
            fidelity=judged.fidelity,
            deployment=target.name,
            provider=target.provider,
            model=target.model,
            prompt_version=self.prompt_version,
            requests=talk.requests,
            cost_nanos=talk.cost_nanos,
        )


def draft_of(answer: Answer) -> str | None:
    """The page in the answer: what ``finish`` was called with, or the text where no tool was called at all."""
    for call in answer.tool_calls:
        if call.name == agent_tools.FINISH:
            markdown = call.arguments.get("markdown")
            if not isinstance(markdown, str):
                raise UnusableAnswer("The model called finish without a page.")
            return markdown
    return answer.text if answer.text and not answer.tool_calls else None


def _use_tool(page: PageToParse, call: ToolCall, pictures: list[dict[str, Any]]) -> str:
    box = _region_of(call.arguments, page.page)
    if box is None:
        return "region is [x0, top, x1, bottom] in points, within the page."
    if call.name == agent_tools.ZOOM:
        return _zoom(page, box, pictures)
    if call.name == agent_tools.READ_REGION:
        return _read_region(page, box)[:_LONGEST_TOOL_TEXT]
    if call.name == agent_tools.READ_TABLE:
        return _table_in(page.page, box)[:_LONGEST_TOOL_TEXT]
    return f"There is no tool {call.name[:40]!r}."


def _zoom(page: PageToParse, box: Box, pictures: list[dict[str, Any]]) -> str:
    try:
        picture = page.pictures.region(page.page, box)
    except PageError as error:
        return error.detail
    address = "data:image/jpeg;base64," + base64.b64encode(picture).decode()
    pictures.append({"type": "image_url", "image_url": {"url": address}})
    return "The region follows as a picture."


def _read_region(page: PageToParse, box: Box) -> str:
    """What was read there before; where that is nothing, what OCR reads there now."""
    known = _lines_in(page.page, box)
    if known:
        return known
    try:
        return page.pictures.text(page.page, box) or "No text was found there."
    except PageError as error:
        return error.detail


def _region_of(arguments: Mapping[str, Any], page: Page) -> Box | None:
    region = arguments.get("region")
    if not isinstance(region, list) or len(region) != 4:
        return None
    if not all(isinstance(side, int | float) and abs(side) < 1e6 for side in region):
        return None
    x0, top, x1, bottom = (float(side) for side in region)
    box = Box(
        max(0.0, min(x0, x1)),
        max(0.0, min(top, bottom)),
        min(page.width, max(x0, x1)),
        min(page.height, max(top, bottom)),
    )
    return box if box.width > 1 and box.height > 1 else None


def _lines_in(page: Page, box: Box) -> str:
    """The lines whose middle lies in the region, as they were read."""
    lines = [line for block in page.blocks for line in block.lines]
    inside = [line for line in lines if box.overlaps(line.box) and box.top <= line.box.middle <= box.bottom]
    return "\n".join(line.text for line in inside)


def _table_in(page: Page, box: Box) -> str:
    tables = [block for block in page.blocks if block.type is BlockType.TABLE and block.box.overlaps(box)]
    if tables:
        return "\n\n".join(table_pipes(table.cells) for table in tables)
    return _lines_in(page, box) or "No table was found there; zoom and read it yourself."
