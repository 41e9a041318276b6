"""The questions that show whether a deployment can do its work: a page of text, and a small picture with words."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

from apps.providers.calls.client import CompletionRequest, CompletionResponse
from apps.providers.catalog import Target
from apps.providers.requests.messages import picture_part

_MARK = "c4e1"
_END = f"<!-- end {_MARK} -->"
_PAGE = "\n".join(
    [
        "Delivery note 20417",
        "Mill Lane Paper Works, delivered on 3 November 2026 to the printers' guild.",
        *(f"Item {n}: {n * 7} reams of paper, {60 + n} g, shelf {n % 9 + 1}, {n * 12.35:.2f} euros" for n in range(61)),
        "The goods remain ours until they are paid. Complaints within eight days.",
    ]
)
_MIN_SHARE_OF_WORDS = 0.9
_SHOWN = ("Harbour register 58213", "Seventeen barrels of lamp oil", "received on Thursday")
_PICTURE_SIZE, _FONT_SIZE = (800, 400), 44
_MIN_SHARE_OF_SHOWN_WORDS = 0.6  # words that no model guesses; small models misread some


@dataclass(frozen=True)
class CheckQuestion:
    """A request for the check. ``problem_of``: what is wrong with its answer, "" if nothing is.

    ``remedy``: what to do if the provider answers other questions and refuses this one.
    """

    page_parser: str
    request: CompletionRequest
    problem_of: Callable[[CompletionResponse], str]
    passed: str
    remedy: str = ""


def questions_for(target: Target) -> list[CheckQuestion]:
    """Return the questions for the deployment. One with a dialect reads nothing but pictures."""
    questions = [] if target.dialect else [_PAGE_OF_TEXT]
    if target.page_parsers & {"lvm", "agent"}:
        questions.append(_question_with_picture(target))
    return questions


def _problem_of_page(response: CompletionResponse) -> str:
    share = _share_of_words(_PAGE, response.text)
    if share < _MIN_SHARE_OF_WORDS:
        return f"the answer has only {share:.0%} of the words of a page of text: {response.text[:80]!r}"
    return "" if _END in response.text else "the answer lacks the last line that was asked for"


_PAGE_OF_TEXT = CheckQuestion(
    "llm",
    CompletionRequest(
        [
            {
                "role": "user",
                "content": "Write the page below as Markdown. Keep every word and number. After it write this last "
                f'line: {_END}\n\n<document_page marker="{_MARK}">\n{_PAGE}\n</document_page marker="{_MARK}">\n',
            }
        ],
        max_tokens=6000,
        input_tokens=2200,
    ),
    _problem_of_page,
    "answers a page of text",
)
"""It has the size of a page: thinking and limits that are too small show only there."""


def _question_with_picture(target: Target) -> CheckQuestion:
    wish = f"Write every word and number that this picture shows. After it write this last line: {_END}"
    content = [picture_part(_picture()), {"type": "text", "text": target.own_prompt or wish}]
    # Forms with boxes need more tokens than the words.
    request = CompletionRequest([{"role": "user", "content": content}], max_tokens=1000, input_tokens=1000)
    remedy = "The model may not see pictures, or the server in between drops them: "
    if target.dialect:
        remedy += "serve the model with its vision part, and check that the dialect is the model's"
    else:
        remedy += "choose a model that sees pictures, or take lvm and agent out of page_parsers"
    return CheckQuestion("lvm", request, partial(_problem_of_picture, remedy=remedy), "reads a picture", remedy)


def _problem_of_picture(response: CompletionResponse, *, remedy: str) -> str:
    share = _share_of_words(" ".join(_SHOWN).lower(), response.text.lower())
    if share >= _MIN_SHARE_OF_SHOWN_WORDS:
        return ""
    return f"the answer has only {share:.0%} of the words of a small picture: {response.text[:80]!r}. {remedy}"


def _share_of_words(wanted: str, answer: str) -> float:
    words, found = (Counter(re.findall(r"[\w.]+", text)) for text in (wanted, answer))
    return (words & found).total() / words.total()


@cache
def _picture() -> bytes:
    """Return a JPEG of three printed lines."""
    from PIL import Image, ImageDraw, ImageFont

    image = Image.new("RGB", _PICTURE_SIZE, "white")
    ImageDraw.Draw(image).multiline_text(
        (40, 60), "\n".join(_SHOWN), "black", ImageFont.load_default(_FONT_SIZE), spacing=40
    )
    written = io.BytesIO()
    image.save(written, "JPEG", quality=90)
    return written.getvalue()
