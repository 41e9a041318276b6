"""Vector pictures: their text with places, what is left to OCR, and that nothing else is opened."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from PIL import Image

from apps.pages.model.blocks import Page
from apps.pages.model.document_facts import DocumentFacts
from apps.pages.model.errors import DamagedDocument, ImageTooLarge
from apps.pages.reading.page_reading import inspect_document, read_pages, render_for_ocr
from apps.pages.reading.svg import svg_text

NAMES = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
SIZE = 'width="400" height="200"'


def picture(content: str, size: str = SIZE, before: str = "") -> str:
    return f"{before}<svg {NAMES} {size}>{content}</svg>"


def read(path: Path, source: str) -> tuple[DocumentFacts, Page]:
    path.write_text(source)
    facts = inspect_document(str(path), max_pages=9)
    [page] = read_pages(str(path), [1], media_type=facts.media_type)
    assert isinstance(page, Page)
    return facts, page


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "document"


def texts(page: Page) -> list[str]:
    return [block.text for block in page.blocks]


def test_texts_have_places_on_the_page(path: Path) -> None:
    lines = '<text x="40" y="100"><tspan>The mill</tspan><tspan x="40" dy="20">is <tspan>old</tspan>.</tspan></text>'
    facts, page = read(path, picture(f"<title>A mill</title>{lines}"))

    assert (facts.media_type, facts.title, facts.page_count) == ("image/svg+xml", "A mill", 1)
    assert (page.width, page.height, page.needs_ocr) == (300, 150, "")
    assert texts(page) == ["The mill is old."]
    assert [round(line.box.x0) for line in page.blocks[0].lines] == [30, 30]
    assert 60 < page.blocks[0].box.top < 70


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('<g transform="translate(100 50)"><text x="0" y="20">mill</text></g>', (75, 52)),
        ('<g transform="scale(2)"><text x="50" y="35">mill</text></g>', (75, 52)),
        ('<text transform="matrix(1 0 0 1 100 70)">mill</text>', (75, 52)),
        ('<svg x="100" y="50"><text y="20">mill</text></svg>', (75, 52)),
        ('<defs><text id="a" y="20">mill</text></defs><use xlink:href="#a" x="100" y="50"/>', (75, 52)),
        ('<text x="100" y="70" text-anchor="middle">mill</text>', (62, 52)),
        ('<text x="75pt" y="0.5in" dy="22px">mill</text>', (75, 52)),
    ],
)
def test_places_follow_transformations(path: Path, text: str, place: tuple[int, int]) -> None:
    _facts, page = read(path, picture(text))

    box = page.blocks[0].box
    assert abs(box.x0 - place[0]) < 2
    assert abs(box.bottom - place[1]) < 7


def test_lines_below_each_other_are_a_paragraph_and_labels_are_not(path: Path) -> None:
    column = "".join(f'<text x="20" y="{40 + 18 * number}">Line {number}</text>' for number in range(3))
    _facts, page = read(path, picture(f'{column}<text x="200" y="40">Label</text>'))

    assert texts(page) == ["Line 0 Line 1 Line 2", "Label"]


def test_text_that_is_not_shown_is_listed(path: Path) -> None:
    style = "<style>.a{display:none} text.b, .c {opacity:0; font-weight: bold}</style>"
    hidden = '<text class="a">one</text><text class="b">two</text><text visibility="hidden">three</text>'
    _facts, page = read(path, picture(f'{style}{hidden}<text x="5" y="20" style="font-weight:bold">shown</text>'))

    assert (texts(page), page.hidden) == (["shown"], ("one", "two", "three"))
    assert page.blocks[0].lines[0].bold
    assert "hidden_text" in page.warnings


def test_a_picture_without_text_is_left_to_ocr(path: Path) -> None:
    _facts, page = read(path, picture('<title>Drawn</title><rect width="200" height="200"/>'))
    image = render_for_ocr(str(path), 1, media_type="image/svg+xml", dpi=150)

    assert (page.needs_ocr, page.blocks[0].description) == ("no_text_layer", "Drawn")
    pixels = Image.frombytes("L", (image.width, image.height), image.pixels)
    assert (pixels.getpixel((100, 100)), pixels.getpixel((image.width - 10, 100))) == (0, 255)
    assert image.width * 72 / image.dpi == pytest.approx(page.width, rel=0.01)


@pytest.mark.parametrize("size", ['width="100mm"', 'viewBox="0 0 10 5"', 'width="100%" height="3em"', "", 'width="-1"'])
def test_every_size_can_be_rendered(path: Path, size: str) -> None:
    read(path, picture('<rect width="5" height="5"/>', size))

    assert render_for_ocr(str(path), 1, media_type="image/svg+xml", dpi=150).width > 1


def test_other_files_and_addresses_are_not_opened(path: Path, tmp_path: Path) -> None:
    Image.new("RGB", (10, 10), "black").save(tmp_path / "secret.png")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/x.png"
        images = (
            f'<image xlink:href="{tmp_path}/secret.png" width="400" height="200"/><image href="{address}" width="9"/>'
        )
        nested = "<image href='data:image/svg+xml;utf8,&lt;svg/&gt;' width='9' height='9'/>"
        _facts, page = read(path, picture(images + nested + '<text x="9" y="99">Text</text>'))
        image = render_for_ocr(str(path), 1, media_type="image/svg+xml", dpi=150)
        with pytest.raises(TimeoutError):
            server.accept()

    assert page.warnings == ("linked_pictures_left_out", "picture_format_not_read")
    assert Image.frombytes("L", (image.width, image.height), image.pixels).getpixel((400, 30)) == 255


def test_short_entities_of_drawing_programs_are_replaced(path: Path) -> None:
    before = '<?xml version="1.0"?><!-- a --><!DOCTYPE svg [ <!ENTITY red "#f00"> <!ENTITY name "Mill"> ]>'
    _facts, page = read(path, picture('<text y="20" fill="&red;">&name;</text>', before=before))

    assert texts(page) == ["Mill"]


@pytest.mark.parametrize(
    "before",
    [
        '<!DOCTYPE svg [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]>',
        '<!DOCTYPE svg [<!ENTITY b SYSTEM "file:///etc/passwd">]>',
    ],
)
def test_other_entities_are_refused(path: Path, before: str) -> None:
    path.write_text(picture("<text>&b;</text>", before=before))
    with pytest.raises(DamagedDocument):
        inspect_document(str(path), max_pages=9)


def test_a_picture_that_repeats_itself_without_end_is_cut(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(svg_text, "MAX_USES", 50)
    groups = "<g id='g0'><text>x</text></g>"
    for number in range(1, 8):
        groups += f"<g id='g{number}'>" + f"<use xlink:href='#g{number - 1}'/>" * 10 + "</g>"
    _facts, page = read(path, picture(groups + "<g id='own'><use xlink:href='#own'/></g>"))

    assert "text_truncated" in page.warnings


@pytest.mark.parametrize(
    ("size", "points"),
    [("0.5in", 36), ("3pc", 36), ("4ex", 24), ("2em", 24), ("10mm", 28.35), ("150%", 18), ("9", 6.75)],
)
def test_every_unit_of_letters_is_known(path: Path, size: str, points: float) -> None:
    _facts, page = read(path, picture(f'<text x="9" y="60" style="font-size:{size}">Mill</text>'))

    assert page.blocks[0].lines[0].size == pytest.approx(points, abs=0.01)


@pytest.mark.parametrize(("count", "warnings"), [(3, ()), (4, ("text_truncated",)), (5, ("text_truncated",))])
def test_texts_beyond_the_limit_are_cut_with_a_warning(
    path: Path, monkeypatch: pytest.MonkeyPatch, count: int, warnings: tuple[str, ...]
) -> None:
    monkeypatch.setattr(svg_text, "MAX_TEXTS", 3)
    _facts, page = read(path, picture("".join(f'<text x="{99 * at}" y="20">{at}</text>' for at in range(count))))

    assert (texts(page), page.warnings) == (["0", "1", "2"], warnings)


def test_text_that_is_nested_too_deeply_is_cut_with_a_warning(path: Path) -> None:
    depth = svg_text.MAX_DEPTH + 1
    nested = "<tspan>" * depth + "{}" + "</tspan>" * depth
    _facts, page = read(path, picture(f'<text y="20">shown{nested.format("deep")}</text>'))
    assert (texts(page), page.warnings) == (["shown"], ("text_truncated",))

    _facts, page = read(path, picture(f'<text y="20">shown{nested.format("")}</text>'))
    assert (texts(page), page.warnings) == (["shown"], ())


@pytest.mark.parametrize(
    "content",
    [
        f"<style>{'a' * 500_000}</style>",
        f"<style>{'a{' * 250_000}</style>",
        f"<style>.a{{font:{'1' * 490_000}}}</style>",
        f'<g transform="{"matrix(" * 70_000}"/>',
    ],
)
def test_long_styles_without_an_end_are_read(path: Path, content: str) -> None:
    _facts, page = read(path, picture(f'{content}<text y="20">Mill</text>'))

    assert texts(page) == ["Mill"]


def test_extreme_sizes_have_a_code_or_a_page(path: Path) -> None:
    path.write_text(picture("", 'width="1" height="100000"'))
    with pytest.raises(ImageTooLarge):
        inspect_document(str(path), max_pages=9)
    read(path, picture('<rect width="9" height="9"/>', 'width="90000000" height="90000000"'))
    assert render_for_ocr(str(path), 1, media_type="image/svg+xml", dpi=150).width <= 4000
    path.write_text(picture("<g>"))
    with pytest.raises(DamagedDocument):
        inspect_document(str(path), max_pages=9)
