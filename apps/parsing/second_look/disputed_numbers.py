"""Numbers on which two readings of a page disagree: another deployment reads them enlarged, and two that agree win.

An answer to a page read by OCR may have numbers that OCR reads otherwise, because OCR misreads some. Where OCR confirms
a number against the text layer, two readings agree already, and no model is asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

import msgspec

from apps.pages.model.blocks import Block, Cell, Page, TextSpan
from apps.pages.model.errors import PageError
from apps.pages.model.geometry import Box, union
from apps.parsing import requests
from apps.parsing.answer_check import PageToParse, source_of
from apps.parsing.answers import fidelity
from apps.parsing.answers.differences import Difference, changes, in_order
from apps.parsing.answers.fidelity import OCR
from apps.parsing.answers.matching import match_words
from apps.parsing.answers.normalized_words import PageWords, answer_words, is_number, page_words, words_of
from apps.parsing.answers.parse_answer import read_answer
from apps.parsing.answers.witness import is_confirmed
from apps.parsing.errors import UnusableAnswer
from apps.parsing.page_parser import ParsedPage, new_end_mark
from apps.parsing.prompts import parts as prompting
from apps.parsing.prompts.messages import load
from apps.parsing.second_look.enlarged import enlarged
from apps.providers.calls.client import CompletionRequest, CompletionResponse
from apps.providers.calls.gateway import Completion, Gateway
from apps.providers.catalog import Target

Text = TypeVar("Text", Block, Cell)
NUMBERS_AGREED, NUMBERS_DISPUTED = "numbers_agreed", "numbers_disputed"
# Places that another deployment is asked for; the other numbers of the page stay disputed.
MAX_ASKED = 8
MARGIN_POINTS = 12.0
# Words on each side of a number that are shown with it.
WORDS_BESIDE = 4


class Dispute(msgspec.Struct, frozen=True, omit_defaults=True):
    """A number with two readings. ``read``: by OCR or in the text layer; ``second``: by the second deployment.

    ``agreed``: the reading that won; "" if all differ or none could be asked. ``deployment``: which read it a second
    time; "ocr" if OCR decided between the text layer and the answer.
    """

    box: Box
    read: str
    answer: str
    second: str = ""
    agreed: str = ""
    deployment: str = ""


def with_settled_numbers(parsed: ParsedPage, to_parse: PageToParse, gateway: Gateway) -> ParsedPage:
    """Return the page with its disputed numbers as two of the readings have them, and with a warning.

    Without money, quota or a second deployment they stay disputed. Raise ``Stopped`` alone.
    """
    if not to_parse.refuses or to_parse.instructions.texts:
        return parsed
    found = list(_disputes(to_parse, parsed))
    unsettled = [dispute for dispute in found if not dispute.agreed][:MAX_ASKED]
    completion = _second_reading(to_parse, unsettled, gateway, first=parsed.target) if unsettled else None
    if completion is not None:
        judged = [
            _judged(dispute, reading, completion.target.name)
            for dispute, reading in zip(unsettled, completion.checked, strict=True)
        ]
        found = [judged.pop(0) if judged and not dispute.agreed else dispute for dispute in found]
    page = parsed.page
    disputes = []
    for dispute in found:
        corrected = _with_number(page, dispute) if dispute.agreed == dispute.read else page
        disputes.append(msgspec.structs.replace(dispute, agreed="") if corrected is None else dispute)
        page = corrected or page
    if not disputes:
        return parsed
    codes = {NUMBERS_AGREED if dispute.agreed else NUMBERS_DISPUTED for dispute in disputes}
    compared = parsed.fidelity
    if page is not parsed.page:
        compared = fidelity.compare(to_parse.page, page.blocks, to_parse.words, image=True)
    costs = (parsed.cost_nanos, completion.cost_nanos if completion else 0)
    return replace(
        parsed,
        page=msgspec.structs.replace(page, warnings=(*page.warnings, *sorted(codes))),
        fidelity=compared,
        requests=parsed.requests + (completion.calls if completion else 0),
        cost_nanos=None if None in costs else sum(cost or 0 for cost in costs),
        facts={**parsed.facts, "disputed_numbers": msgspec.to_builtins(disputes)},
    )


def _disputes(to_parse: PageToParse, answer: ParsedPage) -> Iterator[Dispute]:
    """Yield the numbers that are others in the answer than on the page, in its order."""
    words, blocks = to_parse.words, answer.page.blocks
    from_ocr = source_of(to_parse.page) == OCR
    if not from_ocr and not answer.fidelity.confirmed:
        return
    said = answer_words(blocks)
    matches = match_words(said.tokens, words.tokens)
    seen = page_words(to_parse.recognized) if not from_ocr and to_parse.recognized else None
    for change in changes(words, said, in_order(words, said, matches), matches):
        read, written = ([word for word in side if is_number(word)] for side in (change.page, change.answer))
        if len(read) != len(written):
            continue
        is_settled = seen is not None and is_confirmed(change, words, seen)
        for old, new in zip(read, written, strict=True):
            if old != new and (from_ocr or is_settled):
                box = _box_of(change, words, to_parse.page)
                yield Dispute(box, old, new, agreed=new if is_settled else "", deployment=OCR if is_settled else "")


def _box_of(change: Difference, words: PageWords, page: Page) -> Box:
    """Return the box of a change and the words beside it, on its own line or row."""
    unit = words.units[change.place]
    beside = range(max(change.place - WORDS_BESIDE, 0), change.place + len(change.page) + WORDS_BESIDE)
    own = words.all_units[unit].box
    boxes = [words.all_units[words.units[place]].box for place in beside if place < len(words.units)]
    box = union([own, *(box for box in boxes if box.top < own.middle < box.bottom)])
    return Box(
        round(max(0.0, box.x0 - MARGIN_POINTS), 1),
        round(max(0.0, box.top - MARGIN_POINTS / 2), 1),
        round(min(page.width, box.x1 + MARGIN_POINTS), 1),
        round(min(page.height, box.bottom + MARGIN_POINTS / 2), 1),
    )


def _second_reading(
    to_parse: PageToParse, disputes: Sequence[Dispute], gateway: Gateway, *, first: Target
) -> Completion[list[list[str]]] | None:
    """Return the words that another deployment reads at each place; None if none can be asked."""
    marks = prompting.marks(new_end_mark(), len(disputes))
    near = tuple(block for block in to_parse.page.blocks if any(block.box.overlaps(each.box) for each in disputes))
    about = msgspec.structs.replace(to_parse.page, blocks=near)

    def request_for(target: Target) -> CompletionRequest:
        shown = [prompting.ShownPart(about, image=enlarged(to_parse, dispute.box, target)) for dispute in disputes]
        messages = prompting.part_messages(load("lvm"), shown, instructions=to_parse.instructions, marks=marks)
        return requests.request_of(messages, about, target)

    def check(answer: CompletionResponse, target: Target) -> list[list[str]]:
        return [list(_words_of(text, mark)) for text, mark in prompting.texts_of_parts(answer.text, marks)]

    # Models with a dialect of their own read whole pages only.
    others = to_parse.scope.exhausted | {first.id}
    scope = replace(to_parse.scope, exhausted=others, has_instructions=True, batch_until=None)
    try:
        return gateway.complete(scope, request_for, check=check)
    except PageError:
        return None


def _words_of(text: str, mark: str) -> Iterator[str]:
    """Yield the words of a reading; none of one that is no answer."""
    try:
        drafts = read_answer(text, marker=mark, is_finished=True)
    except UnusableAnswer:
        return
    for draft in drafts:
        for part in [cell.text for cell in draft.cells] or [draft.text]:
            yield from words_of(part)


def _judged(dispute: Dispute, reading: Sequence[str], deployment: str) -> Dispute:
    """Return the dispute with the reading of the second deployment."""
    has_read, has_answer = dispute.read in reading, dispute.answer in reading
    agreed = "" if has_read == has_answer else dispute.read if has_read else dispute.answer
    others = [word for word in reading if is_number(word)]
    second = agreed or (" ".join(others)[:100] if not has_read else "")
    return msgspec.structs.replace(dispute, second=second, agreed=agreed, deployment=deployment)


def _with_number(page: Page, dispute: Dispute) -> Page | None:
    """Return the page with ``read`` where the answer has another number; None if its place is not certain."""
    number = re.compile(rf"(?<![\d.,]){re.escape(dispute.answer)}(?![\d]|[.,]\d)")
    near = [place for place, block in enumerate(page.blocks) if block.box.overlaps(dispute.box)]
    found = [
        (place, index)
        for place in near
        for index, text in enumerate([cell.text for cell in page.blocks[place].cells] or [page.blocks[place].text])
        for _ in number.finditer(text)
    ]
    if len(found) != 1:
        return None
    [(place, index)] = found
    block = page.blocks[place]
    if block.cells:
        cells = list(block.cells)
        cells[index] = _replaced(cells[index], number, dispute.read)
        block = msgspec.structs.replace(block, cells=tuple(cells))
    else:
        block = _replaced(block, number, dispute.read)
    return msgspec.structs.replace(page, blocks=(*page.blocks[:place], block, *page.blocks[place + 1 :]))


def _replaced(text: Text, number: re.Pattern[str], read: str) -> Text:
    """Return a text with another number in the place of the one that the pattern finds."""
    match = number.search(text.text)
    assert match is not None
    start, end = match.span()
    more = len(read) - (end - start)

    def moved(place: int) -> int:
        return place if place <= start else max(start, place + more)

    spans = tuple(msgspec.structs.replace(span, start=moved(span.start), end=moved(span.end)) for span in text.spans)
    kept: tuple[TextSpan, ...] = tuple(span for span in spans if span.start < span.end)
    return msgspec.structs.replace(text, text=f"{text.text[:start]}{read}{text.text[end:]}", spans=kept)
