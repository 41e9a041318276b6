"""Electronic books: chapters, titles, notes on what is missing, and protection."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from apps.pages.model.errors import DamagedDocument, UnsupportedEncryption
from apps.pages.reading.page_reading import inspect_document
from tests.unit.pages.office.office_files import markdown, read

CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
)
HEAD = '<?xml version="1.0"?><!DOCTYPE html><html xmlns="http://www.w3.org/1999/xhtml"><head><title/></head><body>'
ENCRYPTED = (
    '<encryption><EncryptedData><EncryptionMethod Algorithm="{}"/><CipherData><CipherReference URI="{}"/></CipherData>'
    "</EncryptedData></encryption>"
)
NAVIGATION = f'{HEAD}<nav><ol><li><a href="text/one%20a.xhtml">Beginning</a></li></ol></nav></body></html>'


def book(path: Path, chapters: dict[str, str], order: str = "", encryption: str = "", head: str = HEAD) -> Path:
    """Write a book. ``chapters``: name -> body."""
    items = "".join(
        f'<item id="c{number}" href="text/{name}" media-type="application/xhtml+xml"/>'
        for number, name in enumerate(chapters)
    )
    usual = "".join(f'<itemref idref="c{number}"/>' for number in range(len(chapters)))
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata>'
        "<dc:title>The Mill</dc:title><dc:creator>Ann Rye</dc:creator><dc:creator>Bo Wheat</dc:creator></metadata>"
        f'<manifest>{items}<item id="n" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/>'
        '<item id="p" href="cover.jpg" media-type="image/jpeg"/></manifest>'
        f"<spine>{order or usual}</spine></package>"
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/epub+zip")
        archive.writestr("META-INF/container.xml", CONTAINER)
        archive.writestr("OEBPS/book.opf", package)
        archive.writestr("OEBPS/nav.xhtml", NAVIGATION)
        for name, body in chapters.items():
            archive.writestr(f"OEBPS/text/{name.replace('%20', ' ')}", f"{head}{body}</body></html>")
        if encryption:
            archive.writestr("META-INF/encryption.xml", encryption)
    return path


def test_chapters_are_pages_with_titles_and_authors(tmp_path: Path) -> None:
    chapters = {
        "one%20a.xhtml": '<p>Rye&nbsp;bread.<a id="x"/> <i>See</i> <a href="two.xhtml">two</a>.</p>',
        "two.xhtml": '<h2>End</h2><p>Done. <a href="https://example.org/">site</a></p><img src="x.png" alt="A mill"/>',
    }
    facts, pages = read(book(tmp_path / "book.epub", chapters))

    assert (facts.media_type, facts.page_count, facts.title) == ("application/epub+zip", 2, "The Mill")
    assert facts.authors == ("Ann Rye", "Bo Wheat")
    assert markdown(pages[0]) == "# Beginning\n\nRye bread. *See* two."
    assert "[site](https://example.org/)" in markdown(pages[1])
    assert pages[1].blocks[-1].description == "A mill"
    assert [page.warnings for page in pages] == [(), ("pictures_not_read",)]


def test_a_book_is_known_without_its_declaration(tmp_path: Path) -> None:
    source, path = book(tmp_path / "whole", {"a.xhtml": "<p>Text</p>"}), tmp_path / "document"
    with zipfile.ZipFile(source) as whole, zipfile.ZipFile(path, "w") as archive:
        for name in whole.namelist():
            if name != "mimetype":
                archive.writestr(name, whole.read(name))

    assert inspect_document(str(path), max_pages=9).media_type == "application/epub+zip"


def test_a_chapter_that_is_no_xml_is_read_as_a_web_page(tmp_path: Path) -> None:
    _facts, [page] = read(book(tmp_path / "book.epub", {"a.xhtml": "<p>One<p>Two <b>bold</b>"}))

    assert markdown(page) == "One\n\nTwo **bold**"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("head", ['<?xml version="1.0" encoding="UTF-16"?>\n<html><body>', "\n<html><body>"])
@pytest.mark.parametrize("text", ["Rye bread Ā", "一丁七万丈三上下不与" * 40])
def test_chapters_of_16_bits_are_read(tmp_path: Path, encoding: str, head: str, text: str) -> None:
    path = tmp_path / "book.epub"
    with zipfile.ZipFile(book(tmp_path / "whole", {"a.xhtml": ""})) as whole, zipfile.ZipFile(path, "w") as archive:
        for name in whole.namelist():
            chapter = f"{head}<p>{text}</p></body></html>".encode(encoding)
            archive.writestr(name, chapter if name.endswith("a.xhtml") else whole.read(name))
    facts, [page] = read(path)

    assert (markdown(page), page.warnings, facts.warnings) == (text, (), ())


def test_missing_chapters_have_a_warning_and_pictures_are_pages(tmp_path: Path) -> None:
    order = '<itemref idref="p"/><itemref idref="c0"/><itemref idref="gone"/>'
    facts, pages = read(book(tmp_path / "book.epub", {"a.xhtml": "<p>Text</p>"}, order=order))

    assert facts.warnings == ("chapters_not_read",)
    assert [page.warnings for page in pages] == [("pictures_not_read",), ()]


def test_pictures_of_the_reading_order_are_pages_of_their_own(tmp_path: Path) -> None:
    path = book(tmp_path / "book.epub", {"a.xhtml": "<p>Text</p>"}, order='<itemref idref="p"/><itemref idref="s"/>')
    content = path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as whole, zipfile.ZipFile(path, "w") as archive:
        for name in whole.namelist():
            text = whole.read(name).decode()
            text = text.replace(
                '<item id="p"', '<item id="s" href="s.svg" media-type="image/svg+xml"/><item fallback="c0" id="p"'
            )
            archive.writestr(name, text)
        archive.writestr("OEBPS/s.svg", '<svg xmlns="http://www.w3.org/2000/svg"><text>Drawn</text></svg>')
    _facts, [photograph, drawing] = read(path)

    assert [block.type for block in photograph.blocks] == ["picture"]
    assert [(block.type, block.text) for block in drawing.blocks] == [("paragraph", "Drawn"), ("picture", "")]
    assert "pictures_not_read" in drawing.warnings


@pytest.mark.parametrize("method", ["http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC"])
def test_hidden_fonts_do_not_matter(tmp_path: Path, method: str) -> None:
    entry = ENCRYPTED.format(method, "OEBPS/text/a.xhtml")
    facts, _pages = read(book(tmp_path / "book.epub", {"a.xhtml": "<p>Text</p>"}, encryption=entry))

    assert facts.page_count == 1


def test_a_protected_book_is_refused(tmp_path: Path) -> None:
    entry = ENCRYPTED.format("http://www.w3.org/2001/04/xmlenc#aes128-cbc", "OEBPS/text/a.xhtml")
    path = book(tmp_path / "book.epub", {"a.xhtml": "<p>Text</p>"}, encryption=entry)

    with pytest.raises(UnsupportedEncryption):
        inspect_document(str(path), max_pages=9)


def test_a_book_without_a_list_of_its_files_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "book.epub"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/epub+zip")

    with pytest.raises(DamagedDocument):
        inspect_document(str(path), max_pages=9)


def test_entities_are_not_expanded(tmp_path: Path) -> None:
    declared = '<!DOCTYPE html [<!ENTITY a "aaaa"><!ENTITY f SYSTEM "file:///etc/passwd">]><html><body>'
    path = book(tmp_path / "book.epub", {"a.xhtml": "<p>&a;&f;x</p>"}, head=declared)
    _facts, [page] = read(path)

    assert "aaaa" not in page.blocks[0].text
    assert "root" not in page.blocks[0].text
