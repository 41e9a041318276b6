"""parse_page_with_agent: text, picture and tools; the model drafts the page, then checks its draft.

A page takes two requests when the model needs no tool: the draft, and its revision after the draft was compared with
the page. A model that finds its draft right answers the second one with ok, and does not write the page again. Of a
draft that is wrong in some parts only these are asked for again. The number of requests is bounded; the last request
offers only the tool ``finish``.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.pages.model.blocks import BlockType, Cell, Page
from apps.pages.model.errors import PageError
from apps.pages.model.geometry import Box
from apps.pages.output.render import table_html, table_pipes
from apps.parsing import requests
from apps.parsing.answer_check import CheckedAnswer, PageToParse, check_answer, findings, source_of
from apps.parsing.answers import fidelity
from apps.parsing.answers.parse_answer import end_line, parsed_page
from apps.parsing.errors import UnusableAnswer
from apps.parsing.page_parser import ParsedPage, new_end_mark
from apps.parsing.prompts import agent_tools
from apps.parsing.prompts import messages as prompting
from apps.parsing.second_look.disputed_numbers import with_settled_numbers
from apps.parsing.second_look.second_try import SecondTry
from apps.providers.calls.client import CompletionRequest, CompletionResponse, ToolCall
from apps.providers.calls.gateway import Completion, Gateway
from apps.providers.catalog import Target
from apps.providers.errors import AllProvidersFailed, BudgetExceeded, BudgetReserved

MAX_REQUESTS = 6
MAX_TOOL_CALLS_PER_RESPONSE = 4
_REVIEW = (
    "Your draft was compared with what a program read on the page. {findings} Where the program may be wrong, look at "
    "the picture. If the draft is right, call finish with the word ok alone. Otherwise call finish with the whole "
    "page, corrected; its last line is exactly: {end_line}"
)
_APPROVAL = re.compile(r"\W*ok(?:ay)?\W*", re.IGNORECASE)
_MAX_TOOL_TEXT_CHARS = 8000
MAX_COLUMN_BORDERS = 60


@dataclass
class _AgentSession:
    """The messages after the opening, and what all of them cost. ``findings``: how the draft differs from the page."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    requests: int = 0
    cost_nanos: int | None = 0
    drafts: list[str] = field(default_factory=list)
    findings: str = ""
    target: Target | None = None

    def count(self, completion: Completion[Any]) -> None:
        self.requests += completion.calls
        self.target = completion.target
        known = self.cost_nanos is not None and completion.cost_nanos is not None
        self.cost_nanos = (self.cost_nanos or 0) + (completion.cost_nanos or 0) if known else None


class PageWithAgent:
    """Let a model with tools work on the page until it finishes with a reviewed draft."""

    sees_picture = True

    @property
    def prompt_version(self) -> str:
        return prompting.load("agent").name

    def has_content(self, page: Page) -> bool:
        return bool(page.blocks) or bool(page.needs_ocr)

    def parse(self, page: PageToParse, gateway: Gateway) -> ParsedPage:
        marker = new_end_mark()
        session = _AgentSession()
        while session.requests < MAX_REQUESTS:
            try:
                completion = self._ask(page, gateway, session, marker)
            except (BudgetExceeded, BudgetReserved) as error:
                return self._parsed(session, self._paid_draft(page, session, marker, error))
            session.count(completion)
            if isinstance(completion.checked, CheckedAnswer):
                return with_settled_numbers(self._parsed(session, completion.checked), page, gateway)
            self._reply(page, session, completion.response, marker)
        raise AllProvidersFailed([f"the model did not finish the page in {MAX_REQUESTS} requests"])

    def _parsed(self, session: _AgentSession, answer: CheckedAnswer) -> ParsedPage:
        assert session.target is not None
        return ParsedPage(
            page=answer.page,
            fidelity=answer.fidelity,
            target=session.target,
            prompt_version=self.prompt_version,
            requests=session.requests,
            cost_nanos=session.cost_nanos,
            facts=answer.facts,
        )

    def _paid_draft(
        self, page: PageToParse, session: _AgentSession, marker: str, error: BudgetExceeded | BudgetReserved
    ) -> CheckedAnswer:
        """Return the last draft, because there is no money for its review: starting again would pay for it twice.

        Raise ``error`` if there is no draft, or if it fails the fidelity check.
        """
        if not session.drafts:
            raise error
        try:
            return check_answer(page, session.drafts[-1], marker=marker, sees_picture=True, is_finished=True)
        except UnusableAnswer:
            raise error from None

    def _ask(
        self, page: PageToParse, gateway: Gateway, session: _AgentSession, marker: str
    ) -> Completion[CheckedAnswer | None]:
        """Send one request. The draft that follows a reviewed draft is the answer and must pass the fidelity check."""
        last = session.requests >= MAX_REQUESTS - 1
        tries = SecondTry(page, prompting.load("agent"), marker)
        offered = [tool for tool in agent_tools.TOOLS if not last or tool["function"]["name"] == agent_tools.FINISH]

        def check(answer: CompletionResponse, target: Target) -> CheckedAnswer | None:
            draft = draft_of(answer)
            if draft is None:
                if not answer.tool_calls:
                    raise UnusableAnswer("The model neither finished the page nor used a tool.")
                return None
            if session.drafts and _APPROVAL.fullmatch(draft) and not tries.asks_for_parts(target):
                draft = session.drafts[-1]
            is_finished = requests.is_finished(answer)
            if session.drafts or last or tries.asks_for_parts(target):
                return tries.checked(target, draft, is_finished=is_finished)
            # Raise for a draft that is not a page: it is not worth a review.
            made = parsed_page(page.page, draft, marker=marker, is_finished=is_finished, words=page.words)
            found = fidelity.compare(page.page, made.blocks, page.words, image=True)
            session.findings = findings(found)
            if fidelity.verdict(found, source=source_of(page.page)):
                tries.check_parts(target, draft, is_finished=is_finished)
            return None

        def request_for(target: Target) -> CompletionRequest:
            def messages() -> list[prompting.Message]:
                opening = prompting.page_messages(
                    prompting.load("agent"),
                    page.page,
                    instructions=page.instructions,
                    image=page.pictures.page(page.page, requests.picture_pixels(target)),
                    before=page.before,
                    mark=marker,
                )
                return [*opening.messages, *session.messages]

            return tries.request(target, messages, offered)

        return gateway.complete(page.scope, request_for, check=check)

    def _reply(self, page: PageToParse, session: _AgentSession, answer: CompletionResponse, marker: str) -> None:
        """Append the results of the tools, or the review of the draft, to the messages."""
        session.messages.append(answer.message)
        pictures: list[dict[str, Any]] = []
        for index, call in enumerate(answer.tool_calls):
            if index >= MAX_TOOL_CALLS_PER_RESPONSE:
                text = "Too many tools at once; ask again."
            elif call.name == agent_tools.FINISH:
                text = self._review(session, str(call.arguments.get("markdown", "")), marker)
            else:
                text = use_tool(page, call, pictures)
                if len(text) > _MAX_TOOL_TEXT_CHARS:
                    text = f"{text[:_MAX_TOOL_TEXT_CHARS]}\nThe rest is cut off. Ask for a smaller region."
            session.messages.append({"role": "tool", "tool_call_id": call.id, "name": call.name, "content": text})
        if not answer.tool_calls:
            session.messages.append({"role": "user", "content": self._review(session, answer.text, marker)})
        if pictures:  # the result of a tool is text in every provider's API; pictures follow in a user message
            session.messages.append({"role": "user", "content": pictures})

    def _review(self, session: _AgentSession, draft: str, marker: str) -> str:
        session.drafts.append(draft)
        return _REVIEW.format(findings=session.findings or "No difference was found.", end_line=end_line(marker))


def draft_of(answer: CompletionResponse) -> str | None:
    """Return the page in the answer: the argument of ``finish``, or the text if no tool was called."""
    for call in answer.tool_calls:
        if call.name == agent_tools.FINISH:
            markdown = call.arguments.get("markdown")
            if not isinstance(markdown, str):
                raise UnusableAnswer("The model called finish without a page.")
            return markdown
    return answer.text if answer.text and not answer.tool_calls else None


def use_tool(page: PageToParse, call: ToolCall, pictures: list[dict[str, Any]]) -> str:
    """Run a tool on a region of the page and return its result as text; a picture is appended to ``pictures``."""
    box = _region_of(call.arguments, page.page)
    if box is None:
        return "region is [x0, top, x1, bottom] in points, within the page."
    try:
        if call.name == agent_tools.ZOOM:
            address = "data:image/jpeg;base64," + base64.b64encode(page.pictures.region(page.page, box)).decode()
            pictures.append({"type": "image_url", "image_url": {"url": address}})
            return "The region follows as a picture."
        if call.name == agent_tools.READ_REGION:
            return _lines_in(page.page, box) or page.pictures.text(page.page, box) or "No text was found there."
        if call.name == agent_tools.READ_TABLE:
            return _read_table(page, box, call.arguments.get("columns"))
    except PageError as error:
        return error.detail
    return f"There is no tool {call.name[:40]!r}."


def _read_table(page: PageToParse, box: Box, columns: object) -> str:
    """Return the table in a region as HTML, and how well it fits; where that finds none, what was extracted there."""
    borders = [float(x) for x in columns if isinstance(x, int | float)] if isinstance(columns, list) else []
    try:
        found = page.pictures.table(page.page, box, borders[:MAX_COLUMN_BORDERS])
    except PageError as error:
        tables = [each for each in page.page.blocks if each.type is BlockType.TABLE and each.box.overlaps(box)]
        text = "\n\n".join(table_pipes(table.cells) for table in tables) or _lines_in(page.page, box)
        return text or f"{error.detail} Zoom and read it yourself."
    cells = [Cell(row, column, text) for row, texts in enumerate(found.rows) for column, text in enumerate(texts)]
    return f"Read by {found.strategy}; {found.score:.0%} of the region fits.\n{table_html(cells)}"


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
    """Return the text of the lines whose middle is in the region."""
    lines = [line for block in page.blocks for line in block.lines]
    inside = [line for line in lines if box.overlaps(line.box) and box.top <= line.box.middle <= box.bottom]
    return "\n".join(line.text for line in inside)
