"""A right reading of a page wins over what was extracted from it, and a wrong one does not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from apps.jobs import queries
from apps.jobs.models import ParseJob
from apps.pages.sandbox.preload import assembled_pdf
from tests.documents.hostile import stream
from tests.fakes.deployments import deploy
from tests.fakes.provider import FakeProvider
from tests.integration.jobs.conftest import Submit, run

pytestmark = pytest.mark.usefixtures("gateway")
LINES = (
    "The mill grinds 1,234 tonnes of oats and 88 tonnes of rye",
    "in a year and has done so since 1871 without an interruption.",
    "Visitors are welcome on Sundays between 10 and 16 o'clock.",
)
PRICES = (("Oats", "12", "30.00"), ("Barley", "7", "28.70"), ("Rye flour", "3", "15.75"), ("Spelt", "4", "22.40"))
# A map of characters that names the next letter for each one.
NEXT_LETTER = (
    b"/CIDInit /ProcSet findresource begin begincmap 1 begincodespacerange <00> <FF> endcodespacerange "
    b"1 beginbfrange <30> <7A> <0031> endbfrange endcmap end"
)


def text_at(text: str, x: float, y: float) -> str:
    return f"BT /F 11 Tf {x} {y} Td ({text}) Tj ET "


PROSE = "".join(text_at(line, 60, 700 - 16 * n) for n, line in enumerate(LINES))
BARS = "".join(f"0.4 g {120 + 60 * n} 400 30 {height} re f " for n, height in enumerate((60, 43, 90, 71, 30)))
LABELS = "".join(text_at(str(50 * n), 85, 397 + 25 * n) for n in range(5))
NAMES = "".join(text_at(name, 118 + 60 * n, 385) for n, name in enumerate(("Oats", "Rye", "Spelt", "Corn", "Peas")))
CELLS = "".join(
    text_at(text, 60 + 150 * column, 600 - 18 * row)
    for row, texts in enumerate(PRICES)
    for column, text in enumerate(texts)
)


def pdf(content: str, *, shifted: bool = False) -> bytes:
    font = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica%s>>" % (b"/ToUnicode 6 0 R" if shifted else b"")
    return assembled_pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[4 0 R]/Count 1>>",
        font,
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 5 0 R/Resources<</Font<</F 3 0 R>>>>>>",
        stream(content.encode()),
        stream(NEXT_LETTER),
    )


def table(rows: tuple[tuple[str, ...], ...]) -> str:
    return f"<table>{''.join('<tr>' + ''.join(f'<td>{text}</td>' for text in row) + '</tr>' for row in rows)}</table>"


def parsed(
    submit: Submit, provider: FakeProvider, content: bytes, answer: str, mode: str
) -> tuple[str, dict[str, Any]]:
    """Return the Markdown and the facts of the page."""
    deploy(provider)
    provider.answer(answer)
    job: ParseJob = run(submit(content, mode=mode, tier=mode, uses_models=True))
    results = []
    for name in ("markdown.md", "metadata.json"):
        source = queries.open_result(job, name)
        assert source is not None
        with source:
            results.append(source.read().decode())
    return results[0], json.loads(results[1])["pages"][0]["parsing"]


MODES = pytest.mark.parametrize("mode", ["multimodal", "agentic"])


@MODES
def test_over_a_shifted_text_layer(submit: Submit, provider: FakeProvider, mode: str) -> None:
    markdown, facts = parsed(submit, provider, pdf(PROSE, shifted=True), " ".join(LINES), mode)
    assert (markdown.strip(), facts.get("fallback_used", False)) == (" ".join(LINES), False)


@MODES
def test_of_a_chart_as_a_table_of_values(submit: Submit, provider: FakeProvider, mode: str) -> None:
    values = table((("Oats", "120"), ("Rye", "86"), ("Spelt", "180"), ("Corn", "142"), ("Peas", "60")))
    content = pdf(PROSE + BARS + LABELS + NAMES)
    markdown, facts = parsed(submit, provider, content, f"{' '.join(LINES)}\n\n{values}", mode)
    assert "<td>142</td>" in markdown
    assert not facts.get("fallback_used", False)


@MODES
@pytest.mark.parametrize("swapped", [False, True])
def test_of_a_table_without_lines(submit: Submit, provider: FakeProvider, mode: str, swapped: bool) -> None:
    rows = ((*PRICES[0][:2], "28.70"), (*PRICES[1][:2], "30.00"), *PRICES[2:]) if swapped else PRICES
    _, facts = parsed(submit, provider, pdf(PROSE + CELLS), f"{' '.join(LINES)}\n\n{table(rows)}", mode)
    assert facts.get("fallback_used", False) == swapped
