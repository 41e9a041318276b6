"""LibreOffice itself prints office documents to PDF, also for the command line."""

from __future__ import annotations

import io
from pathlib import Path

import docx
import pikepdf
import pytest
from msoffcrypto.format.ooxml import OOXMLFile

from apps.pages.conversion.converter import AUTO, ConverterLimits, converted, find_program
from apps.pages.model.blocks import Page
from apps.pages.model.conversions import DOCX, PPTX, Conversion, conversion_of, print_of
from apps.pages.sandbox.client import shared_reader
from tests.integration.test_parse_command import parse

FLAT = "application/vnd.oasis.opendocument.presentation-flat-xml"
_OPEN_DOCUMENT = "urn:oasis:names:tc:opendocument:xmlns"
_FRAME = (
    '<draw:frame svg:x="2cm" svg:y="2cm" svg:width="9cm" svg:height="2cm">'
    "<draw:text-box><text:p>{}</text:p></draw:text-box></draw:frame>"
)
_SLIDES = f"""\
<?xml version="1.0" encoding="UTF-8"?>
<office:document xmlns:office="{_OPEN_DOCUMENT}:office:1.0" xmlns:style="{_OPEN_DOCUMENT}:style:1.0"
 xmlns:draw="{_OPEN_DOCUMENT}:drawing:1.0" xmlns:text="{_OPEN_DOCUMENT}:text:1.0"
 xmlns:presentation="{_OPEN_DOCUMENT}:presentation:1.0" xmlns:svg="{_OPEN_DOCUMENT}:svg-compatible:1.0"
 office:version="1.3" office:mimetype="application/vnd.oasis.opendocument.presentation">
<office:automatic-styles><style:style style:name="hidden" style:family="drawing-page">
<style:drawing-page-properties presentation:visibility="hidden"/></style:style></office:automatic-styles>
<office:body><office:presentation>
<draw:page draw:name="one">{_FRAME.format("Plan")}</draw:page>
<draw:page draw:name="two" draw:style-name="hidden">{_FRAME.format("Secret plan")}</draw:page>
</office:presentation></office:body></office:document>
"""


def made(document: Path, conversion: Conversion | None, password: str | None = None) -> bytes:
    program = find_program(AUTO)
    assert conversion is not None
    assert program is not None
    with converted(document, conversion, program=program, limits=ConverterLimits(), password=password) as path:
        return path.read_bytes()


@pytest.mark.parametrize(("hidden_slides", "pages"), [(False, 1), (True, 2)])
def test_a_slide_is_a_page(tmp_path: Path, hidden_slides: bool, pages: int) -> None:
    source, slides, printed = tmp_path / "slides.fodp", tmp_path / "slides.pptx", tmp_path / "slides.pdf"
    source.write_text(_SLIDES)
    slides.write_bytes(made(source, conversion_of(FLAT)))

    printed.write_bytes(made(slides, print_of(PPTX, hidden_slides=hidden_slides)))

    found = shared_reader().read_range(printed, range(1, pages + 1))
    assert shared_reader().inspect(printed).page_count == pages
    assert ["Plan" in str(found[0]), "Secret plan" in str(found[-1])] == [True, hidden_slides]


def test_a_text_with_a_password_is_printed_without_it(tmp_path: Path) -> None:
    plain, path, content = io.BytesIO(), tmp_path / "letter.docx", io.BytesIO()
    letter = docx.Document()
    letter.add_paragraph("Dear Ann")
    letter.save(plain)
    OOXMLFile(plain).encrypt("sesame", content)
    path.write_bytes(content.getvalue())

    with pikepdf.open(io.BytesIO(made(path, print_of(DOCX), "sesame"))) as printed:
        assert (len(printed.pages), printed.is_encrypted) == (1, False)


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    path = tmp_path / "letter.docx"
    document = docx.Document()
    document.add_paragraph("Dear Ann")
    document.add_page_break()
    document.add_paragraph("Yours, Ben")
    document.save(str(path))
    return path


@pytest.mark.parametrize("name", ["pdf", "searchable_pdf", "archive_pdf"])
def test_the_command_prints_office_documents(letter: Path, name: str) -> None:
    printed = letter.with_suffix(".pdf")
    arguments = () if name == "pdf" else ("--format", name)
    done = parse(letter, "-o", printed, *arguments)

    assert (done.returncode, done.stdout) == (0, b"")
    pages = shared_reader().read_range(printed, range(1, 3))
    assert [[block.text for block in page.blocks] for page in pages if isinstance(page, Page)] == [
        ["Dear Ann"],
        ["Yours, Ben"],
    ]
    with pikepdf.open(printed) as pdf:
        assert [len(page.get_images()) for page in pdf.pages] == [name == "archive_pdf"] * 2


def test_only_slides_that_are_parsed_are_in_the_pdf(tmp_path: Path) -> None:
    source, slides, archive = tmp_path / "slides.fodp", tmp_path / "slides.pptx", tmp_path / "archive.pdf"
    source.write_text(_SLIDES)
    slides.write_bytes(made(source, conversion_of(FLAT)))

    shown = ("--option", "include_hidden_slides", "--pages", "2")
    assert parse(slides, "--format", "archive_pdf", "-o", archive, *shown).returncode == 0
    assert shared_reader().inspect(archive).page_count == 1
    assert "Secret plan" in str(shared_reader().read_range(archive, [1]))


def test_without_libreoffice_the_command_names_the_packages(letter: Path) -> None:
    done = parse(letter, "--format", "pdf", CONVERTER="off")

    assert (done.returncode, done.stdout) == (3, b"")
    assert done.stderr.startswith(b"converter_missing: Office documents are printed to PDF by LibreOffice")
    assert parse(letter, "-q", CONVERTER="off").stdout == b"Dear Ann\n\nYours, Ben\n"
