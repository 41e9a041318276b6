"""Parts of a page that a model read wrong, and numbers on which readings disagree, are asked for again, enlarged."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from apps.documents import storage
from apps.jobs import queries
from apps.jobs.models import JobPage, ParseJob
from apps.jobs.stages.page_contents import stored_page
from apps.jobs.states import PageState, Stage
from apps.pages.model.blocks import Block, Page, Source, encode_page
from apps.providers.models import Usage
from tests.fakes.deployments import deploy
from tests.fakes.provider import FakeProvider
from tests.integration.jobs.conftest import Submit, run, run_to
from tests.integration.jobs.test_answer_check import CELLS, LINES, PRICES, PROSE, pdf, table, text_at

pytestmark = pytest.mark.usefixtures("gateway")
END = "The prices are those of the first of March and hold until the mill says otherwise in writing."
MORE = "".join(text_at(line, 60, 480 - 16 * n) for n, line in enumerate((END, *LINES)))
SWAPPED = ((*PRICES[0][:2], "28.70"), (*PRICES[1][:2], "30.00"), *PRICES[2:])


def answer(rows: tuple[tuple[str, ...], ...]) -> str:
    return f"{' '.join(LINES)}\n\n{table(rows)}\n\n{END} {' '.join(LINES)}"


def result(job: ParseJob) -> tuple[str, dict[str, Any], list[str]]:
    """Return the Markdown, how the page was parsed, and its warnings."""
    found = []
    for name in ("markdown.md", "metadata.json"):
        source = queries.open_result(job, name)
        assert source is not None
        with source:
            found.append(source.read().decode())
    page = json.loads(found[1])["pages"][0]
    return found[0], page["parsing"], page.get("warnings", [])


@pytest.mark.parametrize("mode", ["balanced", "multimodal", "agentic"])
def test_only_the_wrong_table_is_asked_for_again(submit: Submit, provider: FakeProvider, mode: str) -> None:
    deploy(provider)
    provider.answer(answer(SWAPPED), times=1)
    provider.answer(table(PRICES), when="Part 1:")

    job = run(submit(pdf(PROSE + CELLS + MORE), mode=mode, tier=mode, uses_models=True))

    markdown, facts, warnings = result(job)
    assert "<td>28.70</td>" in markdown.split("Barley")[1].split("</tr>")[0]
    assert markdown.count("The mill grinds") == 2
    assert (facts["repaired_parts"], facts["fidelity"]["coverage"], warnings) == (1, 1.0, [])
    first, last = provider.requests()
    assert "30.00" in last["text"].split("<findings")[1]
    assert END not in last["text"]
    if mode == "balanced":
        assert not last["image_sizes"]
        assert last["input_tokens"] < first["input_tokens"]
    else:
        [(width, height)], [(page_width, page_height)] = last["image_sizes"], first["image_sizes"]
        assert width * height < 0.5 * page_width * page_height
    assert last["output_tokens"] < 0.6 * first["output_tokens"]


def test_a_page_that_is_wrong_in_most_of_its_words_is_asked_for_again_with_what_was_wrong(
    submit: Submit, provider: FakeProvider
) -> None:
    deploy(provider)
    provider.answer("The annual report of a bank has been approved by all its owners.", times=1)
    provider.answer(answer(PRICES), when="was refused")

    _, facts, _ = result(run(submit(pdf(PROSE + CELLS + MORE), mode="multimodal", tier="multimodal", uses_models=True)))

    assert "repaired_parts" not in facts
    first, last = provider.requests()
    assert first["image_sizes"] == last["image_sizes"]
    assert "of the page's words are missing" in last["text"]


def test_a_part_that_stays_wrong_goes_to_the_next_deployment(submit: Submit, provider: FakeProvider) -> None:
    deploy(provider)
    deploy(provider, "anthropic", order=2)
    provider.answer(answer(PRICES), model="claude*")
    provider.answer(table(SWAPPED), when="Part 1:")
    provider.answer(answer(SWAPPED))

    _, facts, _ = result(run(submit(pdf(PROSE + CELLS + MORE), mode="multimodal", tier="multimodal", uses_models=True)))

    assert facts["deployment"] == "anthropic"
    refused = Usage.objects.filter(error_code__in=("output_altered", "output_incomplete"))
    assert refused.count() == 2


def recognized(page: Page) -> Page:
    """The page as if OCR had read it, with a misread number."""

    def misread(block: Block) -> Block:
        lines = tuple(msgspec.structs.replace(line, text=line.text.replace("1,234", "1,284")) for line in block.lines)
        text = block.text.replace("1,234", "1,284")
        return msgspec.structs.replace(block, text=text, lines=lines, source=Source.OCR)

    return msgspec.structs.replace(page, blocks=tuple(map(misread, page.blocks)))


def parsed_scan(submit: Submit, mode: str = "multimodal") -> ParseJob:
    job = run_to(submit(pdf(PROSE), mode=mode, tier=mode, uses_models=True), Stage.ROUTE)
    row = JobPage.objects.get(job=job, state=PageState.SUCCEEDED)
    storage.write(row.content, encode_page(recognized(stored_page(row))) + b"\n")
    return run(job)


@pytest.mark.parametrize(
    ("mode", "second", "kept", "warning"),
    [
        ("multimodal", "1,234 tonnes of oats", "1,234", "numbers_agreed"),
        ("agentic", "1,284 tonnes of oats", "1,284", "numbers_agreed"),
        ("multimodal", "1,254 tonnes of oats", "1,234", "numbers_disputed"),
    ],
)
def test_a_second_deployment_reads_a_number_on_which_model_and_ocr_disagree(
    submit: Submit, provider: FakeProvider, mode: str, second: str, kept: str, warning: str
) -> None:
    deploy(provider)
    deploy(provider, "anthropic", order=2)
    provider.answer(second, model="claude*")
    provider.answer(" ".join(LINES))

    markdown, facts, warnings = result(parsed_scan(submit, mode))

    assert f"grinds {kept} tonnes" in markdown
    assert warning in warnings
    [dispute] = facts["disputed_numbers"]
    assert (dispute["read"], dispute["answer"], dispute["deployment"]) == ("1,284", "1,234", "anthropic")
    assert dispute["second"] == second.split()[0]
    _, top, _, bottom = dispute["box"]
    assert top < 90 < bottom
    assert provider.stats()["anthropic/claude-sonnet-4-5"]["requests"] == 1
    assert facts["requests"] == len(provider.requests())


def test_without_a_second_deployment_or_money_a_number_stays_disputed(submit: Submit, provider: FakeProvider) -> None:
    deploy(provider)
    deploy(provider, "anthropic", order=2, prices=("2500", "2500"), quota={"dollars_per_day": "0.01"})
    provider.answer(" ".join(LINES))

    markdown, facts, warnings = result(parsed_scan(submit))

    assert "grinds 1,234 tonnes" in markdown
    assert warnings == ["numbers_disputed"]
    assert "deployment" not in facts["disputed_numbers"][0]
    assert len(provider.requests()) == 1
