"""An OCR engine that a picture takes over reaches nothing but its own result."""

from __future__ import annotations

import sys

import pytest

from apps.pages.sandbox.confinement import landlock_version
from ocr_worker.engine import EngineProcess
from tests.documents.scans import LINES, picture
from tests.integration.ocr.conftest import process_with
from tests.integration.ocr.test_recognition import read, text_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has these restrictions")
LEFT = frozenset() if landlock_version() else frozenset({"files", "writing"})


def test_the_engines_are_confined_and_measured(engine: EngineProcess) -> None:
    assert text_of(read(engine, picture(), "en")) == " ".join(LINES)
    assert engine.escapes == LEFT


def test_an_engine_that_runs_programs_has_no_network() -> None:
    with process_with("pytesseract") as process:
        assert text_of(read(process, picture(), "en")) == " ".join(LINES)
        assert process.escapes is not None
        assert process.escapes & {"calls", "limits", "signals"} == set()
    with process_with("tests.fakes.attacking_engine:make_with_programs") as process:
        done = text_of(read(process, picture(), "en")).removeprefix("succeeded:").split("+")
    assert set(done) & {"socket", "connect", "parent", "signal"} == set()
    assert "program" in done


def test_no_attempt_of_an_engine_succeeds() -> None:
    with process_with("tests.fakes.attacking_engine:make") as process:
        text = text_of(read(process, picture(), "en"))
    assert text == ("succeeded:" if landlock_version() else "succeeded:write+read")
