"""A number that OCR confirms against the text layer is reported; no other model is asked."""

from __future__ import annotations

import uuid
from typing import Any, cast

from apps.parsing.answer_check import PageToParse, check_answer
from apps.parsing.answers.parse_answer import end_line
from apps.parsing.page_parser import ParsedPage
from apps.parsing.prompts.messages import CustomInstructions
from apps.parsing.second_look.disputed_numbers import with_settled_numbers
from apps.providers.calls.attempts import CallScope
from apps.providers.ledger import CallFor
from tests.unit.pages.drawing import page
from tests.unit.parsing.test_alignment import lines_block
from tests.unit.parsing.test_answer_check import PRINTED, RIGHT, Scan

NO_GATEWAY = cast(Any, None)


def settled(*layer: str, custom_prompt: str = "") -> ParsedPage:
    """Return the page of a right answer to a page with this text layer, on which OCR reads what is printed."""
    scope = CallScope(CallFor(uuid.UUID(int=1), "pjb-1", 1, "lvm"))
    to_parse = PageToParse(
        page(lines_block(*layer, top=200, width=360)),
        CustomInstructions(custom_prompt=custom_prompt),
        scope,
        Scan(*PRINTED),
    )
    answer = check_answer(to_parse, f"{RIGHT}\n{end_line('m')}", marker="m", sees_picture=True)
    made = ParsedPage(answer.page, answer.fidelity, NO_GATEWAY, "lvm-2", requests=1, cost_nanos=5)
    return with_settled_numbers(made, to_parse, NO_GATEWAY)


def test_ocr_decides_between_the_text_layer_and_the_answer() -> None:
    found = settled(PRINTED[0].replace("88", "98"), *PRINTED[1:])
    [dispute] = found.facts["disputed_numbers"]
    assert (dispute["read"], dispute["answer"], dispute["agreed"], dispute["deployment"]) == ("98", "88", "88", "ocr")
    assert "numbers_agreed" in found.page.warnings
    assert (found.requests, found.cost_nanos) == (1, 5)


def test_a_page_without_disputes_has_no_warning() -> None:
    found = settled(*PRINTED)
    assert (found.page.warnings, found.facts) == ((), {})


def test_with_a_custom_prompt_numbers_may_be_others() -> None:
    assert settled(PRINTED[0].replace("88", "98"), *PRINTED[1:], custom_prompt="Write in bold.").facts == {}
