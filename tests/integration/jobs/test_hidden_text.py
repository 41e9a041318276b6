"""Removal of text that people cannot see, and the warning about it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from apps.documents import storage
from apps.jobs.models import ParseJob
from tests.documents.hidden import HIDDEN, SHOWN, SMALL, pdf_with_hidden_text
from tests.integration.jobs.conftest import Submit, run

IGNORE = {"processing_options": {"ignore": {"ignore_hidden_text": True}}}
SMALL_STAYS = {"output_options": {"spatial_text": {"preserve_very_small_text": True}}}


def lines_of(job: ParseJob) -> list[str]:
    return [line for line in storage.read(f"{job.result_folder}/text.txt").decode().splitlines() if line]


@pytest.mark.parametrize("short_document_pages", [0, 16])
@pytest.mark.parametrize(
    ("options", "lines"),
    [
        ({}, [SHOWN, HIDDEN, SMALL]),
        (IGNORE, [SHOWN]),
        (IGNORE | SMALL_STAYS, [SHOWN, SMALL]),
    ],
)
def test_fast_mode_removes_hidden_text_only_on_request(
    submit: Submit, settings: Any, short_document_pages: int, options: dict[str, Any], lines: list[str]
) -> None:
    settings.SHORT_ROAD_PAGES = short_document_pages

    assert lines_of(run(submit(pdf_with_hidden_text(), options=options))) == lines


def test_removed_text_is_listed_in_the_metadata(submit: Submit) -> None:
    job = run(submit(pdf_with_hidden_text(), options=IGNORE))

    assert [warning["code"] for warning in job.warnings] == ["hidden_text"]
    (page,) = json.loads(storage.read(f"{job.result_folder}/metadata.json"))["pages"]
    assert page["hidden_text"] == [HIDDEN, SMALL]


def test_modes_with_a_model_always_remove_hidden_text(submit: Submit) -> None:
    assert lines_of(run(submit(pdf_with_hidden_text(), mode="balanced"))) == [SHOWN]
