"""What a page shows wins over a wrong text layer: the models here read nothing but the picture that they are sent."""

from __future__ import annotations

import re
import zlib

import pypdfium2
import pytest

from apps.pages.sandbox.preload import assembled_pdf
from tests.documents.hostile import stream
from tests.fakes.deployments import deploy
from tests.fakes.provider import FakeProvider
from tests.integration.jobs.conftest import Submit, run
from tests.integration.jobs.test_answer_check import BARS, LABELS, LINES, NAMES, PROSE, pdf, table, text_at
from tests.integration.jobs.test_second_look import result

pytestmark = pytest.mark.usefixtures("gateway")
ROWS = (("Grain", "Sacks", "Price"), ("Oats", "12", "30.00"), ("Barley", "17", "28.70"), ("Rye flour", "31", "15.75"))
WRONG = (ROWS[0], (*ROWS[1][:2], "28.70"), (*ROWS[2][:2], "15.75"), (*ROWS[3][:2], "30.00"))
BEGIN = "Grain is sold at the gate by the sack, from eight in the morning until noon, and only for cash."
END = "All prices are those of the first of March, and they hold until the mill says otherwise in writing."
MODES = pytest.mark.parametrize("mode", ["multimodal", "agentic"])


def cells(rows: tuple[tuple[str, ...], ...]) -> str:
    return "".join(
        text_at(text, 60 + 150 * column, 600 - 18 * row)
        for row, texts in enumerate(rows)
        for column, text in enumerate(texts)
    )


def scan(printed: str, layer: str) -> bytes:
    """Return a page that is a picture of ``printed``, with ``layer`` as its invisible text."""
    sheet = pypdfium2.PdfDocument(pdf(printed))[0].render(scale=200 / 72).to_pil().convert("L")
    samples = zlib.compress(sheet.tobytes())
    image = b"/Type/XObject/Subtype/Image/Width %d/Height %d/ColorSpace/DeviceGray/BitsPerComponent 8" % sheet.size
    content = "q 612 0 0 792 0 0 cm /I Do Q 3 Tr " + layer
    return assembled_pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[4 0 R]/Count 1>>",
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 5 0 R"
        b"/Resources<</Font<</F 3 0 R>>/XObject<</I 6 0 R>>>>>>",
        stream(content.encode()),
        stream(samples, image + b"/Filter/FlateDecode"),
    )


def rows_alone(markdown: str) -> str:
    """Return Markdown whose tables have no line breaks, and cells of one kind."""
    return re.sub(r"\s*\n\s*|</?t(?:head|body)>", "", markdown).replace("th>", "td>")


def read(submit: Submit, provider: FakeProvider, content: bytes, mode: str) -> str:
    """Return the Markdown of a page that a model has read; it is not the fallback text."""
    deploy(provider)
    provider.read_pictures()
    markdown, facts, _ = result(run(submit(content, mode=mode, tier=mode, uses_models=True)))
    assert not facts.get("fallback_used", False)
    return markdown.replace("\u2019", "'")


@MODES
def test_a_shifted_text_layer_loses(submit: Submit, provider: FakeProvider, mode: str) -> None:
    assert read(submit, provider, pdf(PROSE, shifted=True), mode).strip() == " ".join(LINES)


@MODES
def test_a_chart_becomes_a_table_of_its_values(submit: Submit, provider: FakeProvider, mode: str) -> None:
    markdown = read(submit, provider, pdf(PROSE + BARS + LABELS + NAMES), mode)
    values = {name: int(value) for name, value in re.findall(r"<td>(\w+)</td><td>(\d+)</td>", markdown)}
    for name, value in {"Oats": 120, "Rye": 86, "Spelt": 180, "Corn": 142, "Peas": 60}.items():
        assert abs(values[name] - value) <= 3
    assert " ".join(LINES) in markdown


def test_two_wrong_parts_are_read_again_in_their_pictures(submit: Submit, provider: FakeProvider) -> None:
    deploy(provider)
    wrong = f"{' '.join(LINES)}\n\n{BEGIN}\n\n{table(WRONG)}\n\n{END.replace('first', 'third')}"
    provider.answer(wrong, times=1)
    provider.read_pictures()
    content = PROSE + text_at(BEGIN, 60, 630) + cells(ROWS) + text_at(END, 60, 500)

    job = run(submit(pdf(content), mode="multimodal", tier="multimodal", uses_models=True))

    markdown, facts, _ = result(job)
    assert (facts["repaired_parts"], facts["fidelity"]["coverage"]) == (2, 1.0)
    assert END in markdown
    assert table(ROWS) in rows_alone(markdown)
    assert [len(entry["image_sizes"]) for entry in provider.requests()] == [1, 2]


@MODES
def test_a_table_wins_whose_text_layer_has_its_amounts_in_other_rows(
    submit: Submit, provider: FakeProvider, mode: str
) -> None:
    markdown = read(submit, provider, scan(PROSE + cells(ROWS), PROSE + cells(WRONG)), mode)
    assert rows_alone(markdown).endswith(table(ROWS))
