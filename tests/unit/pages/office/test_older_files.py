"""Documents of older programs are known by their content, and those with a password are refused without it."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from apps.pages.model.conversions import CONVERSIONS, PPTX
from apps.pages.model.errors import EncryptedDocument, UnsupportedDocument, UnsupportedEncryption
from apps.pages.model.office_options import OfficeOptions
from apps.pages.office import media_types, office_file, older_files
from apps.pages.office.plain import text_types
from apps.pages.reading.inspection import inspect_document, may_be_read
from tests.unit.pages.office.older_workbooks import compound

DOCUMENTS = Path(__file__).resolve().parents[3] / "documents" / "older"
MANIFEST = '<manifest:file-entry manifest:media-type="{}" manifest:full-path="/"/>'
REVERSED = (
    '<manifest:file-entry manifest:full-path="/" manifest:version="1.2" manifest:media-type="{}"/>'
    '<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/>'
)
VISIO = '<Types><Override PartName="/v.xml" ContentType="application/vnd.ms-visio.drawing.main+xml"/></Types>'
FLAT = (
    '<?xml version="1.0"?>\n<!-- saved -->\n<office:document office:version="1.3" office:mimetype="{}"><office:body/>'
)
ODF = "application/vnd.oasis.opendocument."


def type_of(path: Path, password: str | None = None) -> str:
    head = path.read_bytes()[:65_540]
    assert may_be_read(head)
    return media_types.media_type_of(str(path), head, OfficeOptions(), password)


def archive_of(path: Path, parts: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize(
    ("stream", "media_type"),
    [
        ("WordDocument", "application/msword"),
        ("PowerPoint Document", "application/vnd.ms-powerpoint"),
        ("VisioDocument", "application/vnd.visio"),
        ("Quill", "application/x-mspublisher"),
        ("MatOST", "application/vnd.ms-works"),
    ],
)
def test_a_compound_file_is_known_by_its_streams(tmp_path: Path, stream: str, media_type: str) -> None:
    path = tmp_path / "letter.pdf"
    path.write_bytes(compound(stream, b"content"))

    assert type_of(path) == media_type
    assert inspect_document(str(path), max_pages=10).page_count == 0


def test_a_document_inside_a_document_does_not_decide_its_type(tmp_path: Path) -> None:
    path = tmp_path / "book.xls"
    workbook = bytearray(compound("Workbook", b"content"))
    letter = compound("WordDocument", b"content")
    # Its entry is in the directory, in the third of four places, but not below the root.
    workbook[1024 + 256 : 1024 + 384] = letter[1024 + 128 : 1024 + 256]
    path.write_bytes(workbook)

    assert type_of(path) == "application/vnd.ms-excel"


@pytest.mark.parametrize(
    ("parts", "media_type"),
    [
        ({"mimetype": "application/vnd.sun.xml.writer"}, "application/vnd.sun.xml.writer"),
        ({"META-INF/manifest.xml": MANIFEST.format("application/vnd.sun.xml.calc")}, "application/vnd.sun.xml.calc"),
        ({"META-INF/manifest.xml": REVERSED.format(f"{ODF}spreadsheet")}, f"{ODF}spreadsheet"),
        ({"mimetype": f"{ODF}graphics"}, f"{ODF}graphics"),
        ({"[Content_Types].xml": VISIO}, "application/vnd.ms-visio.drawing"),
        ({"index.apxl": "<key:presentation/>"}, "application/vnd.apple.keynote"),
        ({"Index/Slide-2.iwa": "", "Index/Document.iwa": ""}, "application/vnd.apple.keynote"),
        ({"index.xml": "<?xml version='1.0'?><sl:document/>"}, "application/vnd.apple.pages"),
        ({"index.xml": "<?xml version='1.0'?><ls:document/>"}, "application/vnd.apple.numbers"),
        ({"Index/Document.iwa": "\0\x15\x16\0\x08\x01\x12\x23\x08\x10"}, "application/vnd.apple.numbers"),
    ],
)
def test_an_archive_is_known_by_its_parts(tmp_path: Path, parts: dict[str, str], media_type: str) -> None:
    assert type_of(archive_of(tmp_path / "some.zip", parts)) == media_type


def test_pages_documents_of_today_are_known_by_their_first_object(tmp_path: Path) -> None:
    path = tmp_path / "letter"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("Index/Document.iwa", b"\0\x15\x16\0\xd0\x48\xf0\x52\x27\x08\x01\x12\x23\x08\x90\x4e\x12")

    assert type_of(path) == "application/vnd.apple.pages"


@pytest.mark.parametrize("kind", ["text", "spreadsheet", "presentation", "graphics"])
def test_an_open_document_of_one_file_states_its_type(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "flat.xml"
    for declared in (f"{ODF}{kind}", f"{ODF}{kind}-template"):
        path.write_text(FLAT.format(declared))

        assert type_of(path) == f"{ODF}{kind}-flat-xml"


def test_a_text_about_open_documents_is_a_text(tmp_path: Path) -> None:
    path = tmp_path / "about.txt"
    path.write_text(f"It begins with {FLAT.format(f'{ODF}text')}")

    assert type_of(path) == "text/plain"


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (b"\xffWPC\x95\x06\0\0\x01\x0a\x02\x01\0\0\0\x02", "application/vnd.wordperfect"),
        (b"HWP Document File V3.00 \x1a\x01\x02\x03\x04\x05\0\0\0\xff", "application/x-hwp"),
    ],
)
def test_other_files_are_known_by_their_first_bytes(tmp_path: Path, head: bytes, media_type: str) -> None:
    path = tmp_path / "letter"
    path.write_bytes(head)

    assert type_of(path) == media_type


def test_a_graphic_of_word_perfect_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "graphic.wpg"
    path.write_bytes(b"\xffWPC\x10\0\0\0\x01\x16\x01\0")

    with pytest.raises(UnsupportedDocument):
        media_types.media_type_of(str(path), path.read_bytes(), OfficeOptions())


def test_a_file_with_a_password_is_refused_without_it() -> None:
    with pytest.raises(EncryptedDocument):
        type_of(DOCUMENTS / "password.doc")
    assert type_of(DOCUMENTS / "password.doc", "any") in CONVERSIONS


def test_archives_with_a_password_are_refused_without_it(tmp_path: Path) -> None:
    pages = archive_of(tmp_path / "pages", {".iwph": "", "Index/Document.iwa": ""})
    sun = {"mimetype": "application/vnd.sun.xml.writer", "META-INF/manifest.xml": "<m><encryption-data/></m>"}
    letter = archive_of(tmp_path / "letter", sun)

    for path in (pages, letter):
        with pytest.raises(EncryptedDocument):
            type_of(path)
    with pytest.raises(UnsupportedEncryption):
        type_of(pages, "any")


def test_each_conversion_gives_a_type_that_is_read_as_it_is() -> None:
    for conversion in CONVERSIONS.values():
        target = conversion.target.media_type
        assert target not in CONVERSIONS
        assert target == "application/pdf" or target in office_file._MODULES
    assert CONVERSIONS["application/vnd.ms-powerpoint"].target.media_type == PPTX


@pytest.mark.parametrize("start", ["", "<?xml version='1.0'?>", "<!DOCTYPE svg>"])
def test_a_type_is_found_behind_many_comments_without_trying_all_their_combinations(start: str) -> None:
    head = f"{start}{'<!---->' * 100} office:document svg".encode()
    assert older_files.type_of_head(head) == ""
    assert text_types.type_of(head, "") == "text/plain"
