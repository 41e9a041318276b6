"""Archives are read within limits, and office files are known by what is inside them."""

from __future__ import annotations

import io
import random
import zipfile
from pathlib import Path

import pytest
from msoffcrypto.format.ooxml import OOXMLFile

from apps.pages.model.errors import (
    ArchiveTooLarge,
    DamagedDocument,
    EncryptedDocument,
    TooManyElements,
    UnsupportedDocument,
    WrongPassword,
)
from apps.pages.model.office_options import OfficeOptions
from apps.pages.office import media_types, xml_parts
from apps.pages.office.archive import Archive

TEXT = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def archive_of(path: Path, parts: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def open_xml(path: Path, main: str = TEXT) -> Path:
    space = "http://schemas.openxmlformats.org/package/2006/content-types"
    types = f'<Types xmlns="{space}"><Override PartName="/word/document.xml" ContentType="{main}.main+xml"/></Types>'
    return archive_of(
        path, {"[Content_Types].xml": types.encode(), "word/document.xml": random.Random(1).randbytes(5_000)}
    )


def type_of(path: Path, password: str | None = None) -> str:
    return media_types.media_type_of(str(path), path.read_bytes()[:4096], OfficeOptions(), password)


def test_the_type_is_that_of_the_main_part_whatever_the_name_says(tmp_path: Path) -> None:
    assert type_of(open_xml(tmp_path / "sheet.xlsx")) == TEXT


def test_a_file_with_macros_is_a_document_like_others(tmp_path: Path) -> None:
    path = open_xml(tmp_path / "macros", "application/vnd.ms-word.document.macroEnabled")
    assert type_of(path) == "application/vnd.ms-word.document.macroEnabled.12"


def test_an_open_document_states_its_type(tmp_path: Path) -> None:
    path = archive_of(tmp_path / "text", {"mimetype": b"application/vnd.oasis.opendocument.text"})
    assert type_of(path) == "application/vnd.oasis.opendocument.text"


def test_another_archive_is_refused_with_the_way_to_send_it(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedDocument, match="in a batch"):
        type_of(archive_of(tmp_path / "archive.zip", {"letter.txt": b"Dear Ann"}))


def test_an_encrypted_file_opens_with_its_password_only(tmp_path: Path) -> None:
    plain, path = open_xml(tmp_path / "plain"), tmp_path / "encrypted"
    encrypted = io.BytesIO()
    with plain.open("rb") as source:
        OOXMLFile(source).encrypt("right", encrypted)
    path.write_bytes(encrypted.getvalue())

    with pytest.raises(EncryptedDocument):
        type_of(path)
    with pytest.raises(WrongPassword):
        type_of(path, "wrong")
    assert type_of(path, "right") == TEXT


def test_a_bomb_is_refused_before_it_is_whole(tmp_path: Path) -> None:
    path = archive_of(tmp_path / "bomb", {"word/document.xml": bytes(30_000_000)})
    with pytest.raises(ArchiveTooLarge):
        Archive(str(path)).read("word/document.xml")


def test_an_archive_whose_entries_overlap_is_refused(tmp_path: Path) -> None:
    path = archive_of(tmp_path / "bomb", {"first": b"1" * 100, "other": b"2" * 100})
    with zipfile.ZipFile(path) as archive:
        second = archive.infolist()[1].header_offset
    content = path.read_bytes()
    directory = content.rindex(b"PK\x01\x02")
    place = directory + 42
    assert int.from_bytes(content[place : place + 4], "little") == second
    path.write_bytes(content[:place] + bytes(4) + content[place + 4 :])

    with pytest.raises(ArchiveTooLarge, match="overlap"):
        Archive(str(path))


def test_an_archive_of_too_many_entries_is_refused(tmp_path: Path) -> None:
    path = archive_of(tmp_path / "many", {f"part{number}": b"" for number in range(10_001)})
    with pytest.raises(ArchiveTooLarge):
        Archive(str(path))


def test_a_cut_archive_is_damaged(tmp_path: Path) -> None:
    path = open_xml(tmp_path / "cut")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DamagedDocument):
        Archive(str(path))


def test_entities_are_not_expanded(tmp_path: Path) -> None:
    text = '<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;">]><a>&y;</a>'
    with pytest.raises(DamagedDocument, match="entities"):
        xml_parts.parsed(text.encode())


@pytest.mark.parametrize("content", [b"<a>" * 300 + b"</a>" * 300, b"<a>" + b"<b/>" * 2_000_001 + b"</a>"])
def test_xml_that_is_too_deep_or_too_long_is_refused(content: bytes) -> None:
    with pytest.raises(TooManyElements):
        xml_parts.parsed(content)
