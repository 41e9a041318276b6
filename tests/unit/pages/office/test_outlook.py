"""Outlook's messages: fields, bodies of every form, attached messages and files, damaged files."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from apps.pages.model.blocks import Page
from apps.pages.model.document_facts import DocumentFacts
from apps.pages.model.errors import DamagedDocument, UnsupportedEncryption
from apps.pages.office.mail import compressed_rtf, properties
from apps.pages.reading.page_reading import inspect_document
from tests.unit.pages.office import office_files
from tests.unit.pages.office.compound_files import Tree, compound_file, outlook_item

CLASS, SUBJECT, BODY, RTF, HTML = 0x001A, 0x0037, 0x1000, 0x1009, 0x1013
# The examples of MS-OXRTFCP 3.1.
COMPRESSED = bytes.fromhex(
    "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0"
)


def item(subject: str, texts: dict[int, str] | None = None, **more: Any) -> Tree:
    usual = {CLASS: "IPM.Note", SUBJECT: subject, 0x0C1A: "Ann Müller", 0x5D01: "ann@example.org"}
    return outlook_item(usual | (texts or {}), **more)


def attached(name: str, content: bytes = b"", message: Tree | None = None) -> Tree:
    part = outlook_item({0x3707: name}, contents={0x3701: content} if content else None, header_bytes=8)
    if message is not None:
        part["__substg1.0_3701000D"] = message
    return part


def receiver(name: str, address: str, kind: int) -> Tree:
    return outlook_item({0x3001: name, 0x39FE: address}, numbers={0x0C15: kind}, header_bytes=8)


def read(path: Path, tree: Tree) -> tuple[DocumentFacts, list[Page]]:
    path.write_bytes(compound_file(tree))
    return office_files.read(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "message.msg"


def test_a_message_has_its_fields_and_its_text(path: Path) -> None:
    receivers = [receiver("Bo", "bo@example.org", 1), receiver("Cy", "cy@example.org", 2)]
    texts = {BODY: "First.\r\n\r\nSecond.\r\n"}
    sent_at = datetime(2026, 12, 1, 10, tzinfo=UTC)
    facts, [page] = read(path, item("Größe", texts=texts, receivers=receivers, sent_at=sent_at))

    assert (facts.media_type, facts.title) == ("application/vnd.ms-outlook", "Größe")
    assert [block.text for block in page.blocks] == [
        "Größe",
        "From: Ann Müller <ann@example.org>",
        "To: Bo <bo@example.org>",
        "Cc: Cy <cy@example.org>",
        "Date: Tue, 01 Dec 2026 10:00:00 +0000",
        "First.",
        "Second.",
    ]
    assert page.warnings == ()


def test_the_web_page_is_read_in_its_code_page(path: Path) -> None:
    html = "<p>Grüße</p><ul><li>one</li></ul>".encode("cp1252")
    tree = item("Offer", texts={BODY: "plain"}, contents={HTML: html}, numbers={0x3FDE: 1252})
    _facts, [page] = read(path, tree)

    assert [block.text for block in page.blocks][2:] == ["Grüße", "one"]


def test_formatted_text_is_read_where_there_is_no_web_page(path: Path) -> None:
    rtf = rb"{\rtf1\ansi Hello {\b bold}\par Bye\par}"
    packed = struct.pack("<4I", len(rtf) + 12, len(rtf), 0x414C454D, 0) + rtf
    _facts, [page] = read(path, item("Rich", texts={BODY: "plain"}, contents={RTF: packed}))

    assert [block.text for block in page.blocks][2:] == ["Hello bold", "Bye"]
    assert page.blocks[2].spans[0].bold


def test_formatted_text_that_ends_with_a_nul_has_nothing_after_it(path: Path) -> None:
    rtf = b"{\\rtf1\\ansi\\ansicpg65001 A\\'a0B\\par}\0"
    packed = struct.pack("<4I", len(rtf) + 12, len(rtf), 0x414C454D, 0) + rtf
    _facts, [page] = read(path, item("Rich", contents={RTF: packed}))

    assert [block.text for block in page.blocks][2:] == ["A\u00a0B"]


def test_compressed_text_is_unpacked() -> None:
    assert compressed_rtf.unpacked(COMPRESSED) == b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"
    repeated = bytes.fromhex("1a0000001c0000004c5a4675e2d44b51410004205758595a0d6e7d010eb0")
    assert compressed_rtf.unpacked(repeated) == b"{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}"


@pytest.mark.parametrize("content", [b"", b"short", bytes(32), struct.pack("<4I", 9, 1 << 31, 0x75465A4C, 0)])
def test_what_is_no_compressed_text_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="no compressed RTF"):
        compressed_rtf.unpacked(content)


def test_attached_messages_and_files_are_read_or_named(path: Path) -> None:
    inner = item("Inner", texts={BODY: "inner text"}, header_bytes=24)
    files = [
        attached("notes.txt", b"Some notes"),
        attached("", message=inner),
        attached("scan.png", b"\x89PNG\r\n\x1a\n"),
    ]
    facts, pages = read(path, item("Outer", texts={BODY: "outer text"}, files=files))

    assert [attachment.name for attachment in facts.attachments] == ["notes.txt", "Message", "scan.png"]
    assert [page.blocks[0].text for page in pages] == ["Outer", "notes.txt", "Inner"]
    assert [page.attachment_name for page in pages] == ["", "notes.txt", "Message"]
    assert pages[0].blocks[-1].text == "Attached file: scan.png"
    assert pages[0].warnings == ("embedded_files_not_read",)


def test_messages_are_read_down_to_three_levels(path: Path) -> None:
    tree = item("0", header_bytes=24)
    for number in range(1, 6):
        tree = item(str(number), files=[attached("m", message=tree)], header_bytes=24 if number < 5 else 32)
    _facts, pages = read(path, tree)

    assert [page.blocks[0].text for page in pages] == ["5", "4", "3", "2"]
    assert pages[-1].warnings == ("embedded_files_not_read",)


def test_an_appointment_has_a_warning(path: Path) -> None:
    _facts, [page] = read(path, item("Meeting", texts={CLASS: "IPM.Appointment", BODY: "Agenda"}))

    assert page.warnings == ("fields_not_read",)


def test_an_encrypted_message_is_refused(path: Path) -> None:
    path.write_bytes(
        compound_file(item("Secret", texts={CLASS: "IPM.Note.SMIME"}, files=[attached("smime.p7m", b"0")]))
    )
    with pytest.raises(UnsupportedEncryption):
        inspect_document(str(path), max_pages=9)


@pytest.mark.parametrize(
    ("code_page", "encoding", "subject"),
    [(1251, "cp1251", "Привет"), (65001, "utf-8", "Größe"), (65001, "cp1252", "Größe")],
)
def test_text_of_eight_bits_has_the_code_page_of_the_item(
    path: Path, code_page: int, encoding: str, subject: str
) -> None:
    tree = outlook_item({CLASS: "IPM.Note"}, numbers={0x3FFD: code_page})
    tree["__substg1.0_0037001E"] = subject.encode(encoding)
    facts, _pages = read(path, tree)

    assert facts.title == subject


def test_cut_files_have_a_code_or_a_result(path: Path) -> None:
    content = compound_file(item("Subject", texts={BODY: "text " * 2000}, files=[attached("a.txt", b"a" * 5000)]))
    for length in range(0, len(content), 1111):
        try:
            properties.opened(content[:length])
        except DamagedDocument:
            continue
    path.write_bytes(content[:1536])
    with pytest.raises(DamagedDocument):
        inspect_document(str(path), max_pages=9)
