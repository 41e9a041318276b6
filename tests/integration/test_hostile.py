"""The real reader ends hostile documents with a result or an error code, within limits of time and memory."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from apps.pages.model.blocks import Page, PageFailure
from apps.pages.model.errors import DocumentError, EncryptedDocument, PageError, WrongPassword
from apps.pages.sandbox.client import Limits, Reader
from tests.chaos.results import FaultResult, record
from tests.documents import hostile
from tests.documents.hostile import Hostile
from tests.documents.hostile_rows import ROWS

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus" / "hostile"
LIMITS = Limits(wall_seconds=10, cpu_seconds=10, memory_bytes=512 << 20)
# The time limit of two pages, and the time that a busy machine needs to start a process.
MAX_SECONDS = 2 * LIMITS.wall_seconds + 10
COMMAND = "python -m pytest tests/integration/test_hostile.py -m 'long or not long' -k rows_of_the_table"
PASSWORD_CODES = {"document_encrypted", "wrong_password", "encryption_unsupported"}


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    with Reader() as reader:
        yield reader


def codes_and_text(reader: Reader, document: Path, password: str | None = None) -> tuple[set[str], str]:
    """Return the codes of a document's first 16 pages ("result" for a good one), and their text."""
    started = time.monotonic()
    try:
        facts, entries = reader.inspect_and_read(
            document,
            page_numbers=lambda facts: range(1, min(16, facts.page_count) + 1),
            password=password,
            limits=LIMITS,
        )
    except DocumentError as error:
        codes, text = {error.code if error.detail else "no sentence"}, ""
    else:
        assert entries
        assert len(entries) == min(16, facts.page_count)
        codes = {entry.code if isinstance(entry, PageFailure) else "result" for entry in entries}
        text = "\n".join(block.text for entry in entries if isinstance(entry, Page) for block in entry.blocks)
    assert time.monotonic() - started < MAX_SECONDS
    return codes, text


@pytest.mark.parametrize(
    "row",
    [pytest.param(row, id=f"{row.row}-{row.name}", marks=[pytest.mark.long] if row.is_slow else []) for row in ROWS],
)
def test_rows_of_the_table_of_hostile_inputs(tmp_path: Path, row: Hostile, reader: Reader) -> None:
    """Read a document and render its first page: each ends with a result or a code that its row allows."""
    document = tmp_path / f"document.{row.ending}"
    document.write_bytes(row.make())
    if is_recorded := "CHAOS_RESULTS" in os.environ:
        reader.close()  # so that the peak is that of this document
        reader.escapes()
    started = time.monotonic()

    codes, text = codes_and_text(reader, document, row.password)
    if "result" in codes:
        codes |= rendering_codes(reader, document, row.password)

    unexpected = sorted(codes - row.codes)
    if is_recorded:
        figures: dict[str, float | int | str] = {
            "seconds": round(time.monotonic() - started, 2),
            "peak MB": reader.peak_bytes >> 20,
            "expected": " ".join(sorted(row.codes)),
            "found": " ".join(sorted(codes)),
        }
        record(FaultResult(f"D{row.row}", row.name, "reader", COMMAND, violations=unexpected, figures=figures))
    assert unexpected == []
    assert "\x00" not in text
    assert text == text.encode("utf-8", "replace").decode()
    assert "root:" not in text


def rendering_codes(reader: Reader, document: Path, password: str | None) -> set[str]:
    """Render the first page at 150 dpi for OCR; return the code of its failure, if any."""
    started = time.monotonic()
    media_type = reader.inspect(document, password=password, limits=LIMITS).media_type
    try:
        reader.render(document, 1, dpi=150, password=password, media_type=media_type, limits=LIMITS)
    except PageError as error:
        return {error.code}
    finally:
        assert time.monotonic() - started < MAX_SECONDS
    return set()


@pytest.mark.parametrize("name", sorted(hostile.DOCUMENTS))
def test_generated_hostile_documents(reader: Reader, tmp_path: Path, name: str) -> None:
    make, expected = hostile.DOCUMENTS[name]
    document = tmp_path / "document"
    document.write_bytes(make())

    codes, text = codes_and_text(reader, document)

    assert codes <= expected
    assert "\x00" not in text
    assert text == text.encode("utf-8", "replace").decode()
    assert "root:" not in text


@pytest.mark.parametrize("make", [hostile.nested_forms, hostile.self_calling_form])
def test_forms_without_end_are_refused_before_they_fill_the_memory(
    reader: Reader, tmp_path: Path, make: hostile.Make
) -> None:
    document = tmp_path / "document"
    document.write_bytes(make())
    reader.start()
    assert reader.pid is not None
    process = psutil.Process(reader.pid)
    before = process.cpu_times().children_user

    (page,) = reader.read_range(document, [1], limits=Limits(wall_seconds=100, memory_bytes=4 << 30))

    assert isinstance(page, PageFailure)
    assert (page.code, "forms inside of forms" in page.detail) == ("page_memory_exceeded", True)
    assert process.cpu_times().children_user - before < 4


def test_a_password_opens_an_encrypted_document(reader: Reader, tmp_path: Path) -> None:
    document = tmp_path / "document.pdf"
    document.write_bytes(hostile.encrypted("sesame"))

    with pytest.raises(EncryptedDocument, match="--password-file"):
        reader.inspect(document)
    with pytest.raises(WrongPassword):
        reader.inspect(document, password="open")
    codes, text = codes_and_text(reader, document, password="sesame")
    assert (codes, "Ready" in text) == ({"result"}, True)


def manifest() -> list[dict[str, str]]:
    path = CORPUS / "manifest.json"
    if not path.exists():
        return []
    entries: list[dict[str, str]] = json.loads(path.read_text())["files"]
    return entries


@pytest.mark.corpus
@pytest.mark.skipif(not manifest(), reason="the corpus is not installed beside this clone")
@pytest.mark.parametrize("entry", [pytest.param(entry, id=entry["file"][:40]) for entry in manifest()])
def test_hostile_files_of_the_corpus(reader: Reader, entry: dict[str, str]) -> None:
    document = CORPUS / entry["file"]
    expected = entry["expect"]

    codes, text = codes_and_text(reader, document)

    if expected == "parse":
        assert "result" in codes
    elif expected == "error":
        assert "result" not in codes
    elif expected in {"parse-with-password", "password-error"}:
        assert codes <= PASSWORD_CODES
    if expected == "parse-with-password":
        assert codes_and_text(reader, document, password=entry["password"])[0] == {"result"}
    assert "root:" not in text


def test_a_hostile_document_leaves_no_memory_in_the_reader(reader: Reader, tmp_path: Path) -> None:
    """The reader only forks and waits, so neither it nor the worker grows with the document."""
    document = tmp_path / "document"
    document.write_bytes(hostile.self_calling_form())
    before = psutil.Process(os.getpid()).memory_info().rss

    codes_and_text(reader, document)

    assert reader.pid is not None
    assert psutil.Process(reader.pid).memory_info().rss < 200 << 20
    assert psutil.Process(os.getpid()).memory_info().rss - before < 80 << 20
    # A child that can go on waits a second for the next range.
    _gone, alive = psutil.wait_procs(psutil.Process(reader.pid).children(), timeout=20)
    assert alive == []
