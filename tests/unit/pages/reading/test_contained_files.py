"""Files inside of documents: what is given, what is left out and why, and that nothing unpacks without end."""

from __future__ import annotations

import io
import random
import zipfile
import zlib
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pikepdf
import pytest

from apps.pages.model.document_facts import ContainedFile
from apps.pages.model.errors import DamagedDocument, EmptyFile, EncryptedDocument, UnsupportedDocument
from apps.pages.office import archive
from apps.pages.reading.contained_files import contained_files
from apps.pages.sandbox.client import Reader
from tests.documents.e_invoices import ubl_invoice
from tests.unit.pages.office.compound_files import compound_file, outlook_item

PDF = b"%PDF-1.7 and more"


def zipped(**files: bytes) -> bytes:
    """Return an archive of these files: name -> content."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as written:
        for name, file in files.items():
            written.writestr(name, file)
    return content.getvalue()


def found(path: Path, content: bytes) -> list[ContainedFile]:
    path.write_bytes(content)
    return [file for file, _content in contained_files(str(path))]


def codes(files: list[ContainedFile]) -> dict[str, str]:
    return {file.name: file.code for file in files}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "document"


def test_the_documents_of_an_archive_are_given_and_the_other_files_are_listed(path: Path) -> None:
    files = {
        "folder/": b"",
        "folder/a.pdf": PDF,
        "folder/A.PDF": PDF,
        "b.txt": b"text",
        "__MACOSX/folder/._a.pdf": b"x",
        ".DS_Store": b"x",
        "Thumbs.db": b"x",
        "inner.zip": zipped(**{"c.txt": b"text"}),
        "inner.tar.gz": b"\x1f\x8b\x08\x00",
        "film.mp4": b"\x00\x00\x00\x20ftypisom" + bytes(100),
        "empty.txt": b"",
        "word.docx": zipped(mimetype=b"application/vnd.oasis.opendocument.text"),
    }
    listed = codes(found(path, zipped(**files)))

    assert [name for name, code in listed.items() if not code] == ["folder/a.pdf", "folder/A.PDF", "b.txt", "word.docx"]
    assert listed["empty.txt"] == "file_empty"
    assert {code for name, code in listed.items() if name not in ("empty.txt",) and code} == {"unsupported_file_type"}
    assert len(listed) == len(files) - 1


def test_the_files_of_a_message_are_given(path: Path) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"], mail["Date"] = "a@example.org", "b@example.org", "Files", "x"
    mail.set_content("text")
    mail.add_attachment(PDF, maintype="application", subtype="pdf", filename="a.pdf")
    inner = EmailMessage()
    inner["Subject"] = "inner"
    mail.add_attachment(inner)

    assert codes(found(path, mail.as_bytes())) == {"a.pdf": "", "message/rfc822": "unsupported_file_type"}


def test_the_files_of_an_outlook_message_are_given(path: Path) -> None:
    part = outlook_item({0x3707: "a.pdf"}, contents={0x3701: PDF}, header_bytes=8)

    assert found(path, compound_file(outlook_item({0x001A: "IPM.Note"}, files=[part]))) == [ContainedFile("a.pdf", 17)]


def test_the_files_attached_to_a_pdf_are_given(path: Path) -> None:
    with pikepdf.new() as pdf:
        pdf.add_blank_page()
        pdf.attachments["factur-x.xml"] = pikepdf.AttachedFileSpec(
            pdf, b"<x/>", filename="factur-x.xml", mime_type="", description="", creation_date="", mod_date=""
        )
        pdf.save(path)

    assert found(path, path.read_bytes()) == [ContainedFile("factur-x.xml", 4)]


def test_files_of_a_pdf_that_cannot_be_unpacked_have_the_code_of_the_reason(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.pages.reading.contained_files.MAX_ENTRY_BYTES", 1_000)
    packed = zlib.compress("".join(random.Random(1).choices("The mill is old. ", k=900)).encode())
    predictor = pikepdf.Dictionary(Predictor=12, Columns=4)
    flate: dict[str, Any] = {"Filter": pikepdf.Name.FlateDecode}
    streams: dict[str, tuple[bytes, dict[str, Any]]] = {
        "whole": (packed, flate),
        "no parameters": (packed, {**flate, "DecodeParms": pikepdf.Array([pikepdf.Dictionary()])}),
        "not packed": (b"text", {}),
        "truncated": (packed[: len(packed) // 2], flate),
        "garbled": (b"text", flate),
        "predictor": (packed, {**flate, "DecodeParms": predictor}),
        "unusual": (packed.hex().encode(), {"Filter": pikepdf.Array([pikepdf.Name.ASCIIHexDecode, *flate.values()])}),
        "long": (zlib.compress(b"a" * 3_000), flate),
    }
    with pikepdf.new() as pdf:
        pdf.add_blank_page()
        names: list[object] = []
        for name, (content, facts) in streams.items():
            stream = pdf.make_stream(content, **facts)
            names += [name, pikepdf.Dictionary(Type=pikepdf.Name.Filespec, F=name, EF=pikepdf.Dictionary(F=stream))]
        pdf.Root.Names = pikepdf.Dictionary(EmbeddedFiles=pikepdf.Dictionary(Names=pikepdf.Array(names)))
        pdf.save(path, compress_streams=False, stream_decode_level=pikepdf.StreamDecodeLevel.none)

    assert codes(found(path, path.read_bytes())) == {
        "whole": "",
        "no parameters": "",
        "not packed": "",
        "truncated": "document_corrupt",
        "garbled": "document_corrupt",
        "predictor": "unsupported_file_type",
        "unusual": "unsupported_file_type",
        "long": "archive_too_large",
    }


def test_the_files_of_an_invoice_and_of_an_office_file_are_given(path: Path) -> None:
    attached = (
        "<cac:AdditionalDocumentReference><cac:Attachment><cbc:EmbeddedDocumentBinaryObject filename='a.pdf'>"
        "JVBERi0xLjc=</cbc:EmbeddedDocumentBinaryObject></cac:Attachment></cac:AdditionalDocumentReference>"
    )
    assert found(path, ubl_invoice(more=attached)) == [ContainedFile("a.pdf", 8)]
    parts = {"mimetype": b"application/x", "word/document.xml": b"<x/>", "word/embeddings/a.pdf": PDF}
    assert found(path, zipped(**parts)) == [ContainedFile("word/embeddings/a.pdf", 17)]


@pytest.mark.parametrize("content", [b"plain text", b"\x89PNG\r\n\x1a\n", b"{\\rtf1 text}"])
def test_a_document_of_a_kind_without_files_is_refused(path: Path, content: bytes) -> None:
    with pytest.raises(UnsupportedDocument):
        found(path, content)


def test_damaged_and_empty_files_have_a_code(path: Path) -> None:
    with pytest.raises(DamagedDocument):
        found(path, b"PK\x03\x04 and nothing else")
    with pytest.raises(EmptyFile):
        found(path, b"")
    assert found(path, zipped()) == []


def test_an_encrypted_file_has_a_code(path: Path) -> None:
    content = bytearray(zipped(**{"a.txt": b"text"}))
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + place] |= 1

    assert codes(found(path, bytes(content))) == {"a.txt": EncryptedDocument.code}


def test_a_bomb_is_left_out(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_ENTRY_BYTES", 1_000_000)
    listed = codes(found(path, zipped(**{"bomb.txt": b"a" * 3_000_000, "b.txt": b"text"})))

    assert listed == {"bomb.txt": "archive_too_large", "b.txt": ""}


def test_a_reader_gives_the_contents(path: Path) -> None:
    large = b"text " * 2_000_000
    path.write_bytes(zipped(**{"a.txt": b"text", "b.txt": large, "c.bin": b"\0"}))
    with Reader() as reader:
        files = [(file, content.read()) for file, content in reader.contained_files(path)]
        path.write_bytes(b"text")
        with pytest.raises(UnsupportedDocument):
            list(reader.contained_files(path))

    assert [(file.name, file.code) for file, _content in files][2] == ("c.bin", "unsupported_file_type")
    assert [content for _file, content in files] == [b"text", large, b""]
