"""Token estimates, from which quota is reserved, are near the real count and hardly ever below it."""

from __future__ import annotations

import base64
import io

import pytest

from apps.parsing.prompts.messages import load, page_messages
from apps.parsing.prompts.token_estimate import UNKNOWN_IMAGE_TOKENS, estimate_tokens, text_tokens
from tests.unit.pages.drawing import page, text_block


@pytest.mark.parametrize(
    ("text", "tokens"),
    [  # as cl100k_base (GPT-4) counts
        ("The quick brown fox jumps over the lazy dog, and nobody is surprised any more.", 17),
        ("Die Donaudampfschifffahrtsgesellschaft beschäftigte Binnenschiffer.", 21),
        ("<tr><td>1,400.50</td><td>12.5 %</td><td>(7)</td></tr>", 29),
        ("我们的报告涵盖二零二五财政年度的全部收入和支出。", 26),
        ("Отчёт охватывает все доходы и расходы за год.", 22),
        ("كل الإيرادات والمصروفات", 14),
    ],
)
def test_an_estimate_is_near_the_count_and_hardly_below_it(text: str, tokens: int) -> None:
    assert 0.9 * tokens <= text_tokens(text) <= 2 * tokens


def jpeg(width: int, height: int, comment: bytes = b"") -> str:
    from PIL import Image

    out = io.BytesIO()
    Image.new("L", (width, height)).save(out, "JPEG", comment=comment)
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()


def message_with(url: str) -> list[dict[str, object]]:
    return [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]


def test_tokens_of_a_picture_depend_on_its_pixels() -> None:
    assert estimate_tokens(message_with(jpeg(1240, 1754))) == pytest.approx(1240 * 1754 / 750, abs=10)
    assert estimate_tokens(message_with(jpeg(1240, 1754, b"x" * 20_000))) == pytest.approx(2900, abs=10)
    assert estimate_tokens(message_with(jpeg(10, 10))) >= 258


@pytest.mark.parametrize(
    ("model", "size", "tokens"),
    [  # the examples of OpenAI's documentation; and what its API counted for 128 x 64 pixels, less than our least
        ("gpt-4o-2024-08-06", (1024, 1024), 765),
        ("gpt-4.1", (2048, 4096), 1105),
        ("gpt-4.1-mini", (1024, 1024), 1659),
        ("openai/gpt-5-nano", (1800, 2400), 3779),
        ("gpt-4o-mini-2024-07-18", (128, 64), 8500),
        ("claude-sonnet-4-5", (1092, 1092), 1590),
    ],
)
def test_tokens_of_a_picture_are_counted_as_its_model_does(model: str, size: tuple[int, int], tokens: int) -> None:
    found = estimate_tokens(message_with(jpeg(*size)), model=model)
    assert found == pytest.approx(tokens, abs=5)  # with those of the message


@pytest.mark.parametrize(
    "url", ["https://example.org/a.jpg", "data:image/jpeg;base64,!!", "data:image/png;base64,AAAA"]
)
def test_a_picture_of_unknown_size_has_a_high_estimate(url: str) -> None:
    assert estimate_tokens(message_with(url)) >= UNKNOWN_IMAGE_TOKENS


def test_the_estimate_of_a_conversation_includes_messages_and_tools() -> None:
    sheet = page(text_block("Pay 12.50 EUR by 3 May."))
    conversation = page_messages(load("llm"), sheet)
    plain = estimate_tokens(conversation.messages)
    assert plain > text_tokens(str(conversation.messages[0]["content"]))
    assert estimate_tokens(conversation.messages, ({"type": "function", "function": {"name": "zoom"}},)) > plain
