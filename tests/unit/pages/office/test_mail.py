"""E-mail: fields, body, attached messages and files."""

from __future__ import annotations

from email.message import EmailMessage
from pathlib import Path

import pytest

from apps.pages.model.blocks import Page
from apps.pages.model.document_facts import DocumentFacts
from apps.pages.model.errors import UnsupportedEncryption
from apps.pages.model.office_options import OfficeOptions
from apps.pages.reading.page_reading import inspect_document, read_pages


def read(path: Path, content: bytes, suffix: str = ".eml") -> tuple[DocumentFacts, list[Page]]:
    path.write_bytes(content)
    office = OfficeOptions(suffix=suffix)
    facts = inspect_document(str(path), max_pages=200, office=office)
    numbers = range(1, facts.page_count + 1)
    pages = list(read_pages(str(path), numbers, media_type=facts.media_type, office=office))
    return facts, [page for page in pages if isinstance(page, Page)]


def message(subject: str, text: str, html: str = "") -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Müller <m@example.org>", "office@example.org", subject
    mail["Date"] = "Tue, 01 Dec 2026 10:00:00 +0000"
    mail.set_content(text)
    if html:
        mail.add_alternative(html, subtype="html")
    return mail


def texts(page: Page) -> list[str]:
    return [block.text for block in page.blocks]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "document"


@pytest.mark.parametrize("suffix", [".eml", "", ".txt"])
def test_a_message_has_its_fields_and_its_text(path: Path, suffix: str) -> None:
    facts, [page] = read(path, message("Größe", "First.\n\nSecond.").as_bytes(), suffix)

    assert (facts.media_type, facts.title) == ("message/rfc822", "Größe")
    assert texts(page)[0] == "Größe"
    assert "From: Müller <m@example.org>" in texts(page)
    assert texts(page)[-2:] == ["First.", "Second."]


@pytest.mark.parametrize(
    ("encoding", "charset"), [("utf-8", "us-ascii"), ("cp1252", "us-ascii"), ("cp1251", "windows-1251")]
)
def test_headers_in_eight_bits_are_decoded(path: Path, encoding: str, charset: str) -> None:
    subject = "Привет" if encoding == "cp1251" else "Größe"
    head = f"From: m@example.org\nTo: n@example.org\nDate: Tue, 01 Dec 2026 10:00:00 +0000\nSubject: {subject}\n"
    head += f"Content-Type: text/plain; charset={charset}\n\ntext\n"
    facts, _pages = read(path, head.encode(encoding))

    assert facts.title == subject


def test_the_web_page_of_a_message_is_read_instead_of_its_plain_text(path: Path) -> None:
    html = "<h2>Offer</h2><table><tr><th>Item</th></tr><tr><td>Rye</td></tr></table><img src='http://example.org/x'>"
    _facts, [page] = read(path, message("Offer", "plain", html).as_bytes())

    assert "plain" not in texts(page)
    assert "Offer" in texts(page)[1:]
    assert [cell.text for block in page.blocks for cell in block.cells] == ["Item", "Rye"]


def test_attached_files_are_read_or_named_with_a_warning(path: Path) -> None:
    mail = message("Invoice", "See the files.")
    mail.add_attachment(b"%PDF-1.7", maintype="application", subtype="pdf", filename="Rechnung Nr. 5.pdf")
    mail.add_attachment(b"item;price\nrye;2\nwheat;3\n", maintype="text", subtype="plain", filename="prices.csv")
    mail.add_attachment(b"PK\x03\x04 damaged", maintype="application", subtype="zip", filename="texts.docx")
    facts, [page, prices] = read(path, mail.as_bytes())

    assert [attached.name for attached in facts.attachments] == ["Rechnung Nr. 5.pdf", "prices.csv", "texts.docx"]
    assert texts(page)[-2:] == ["Attached file: Rechnung Nr. 5.pdf", "Attached file: texts.docx"]
    assert (page.warnings, page.attachment_name) == (("embedded_files_not_read",), "")
    assert (texts(prices)[0], prices.attachment_name, prices.number) == ("prices.csv", "prices.csv", 2)
    assert [cell.text for cell in prices.blocks[1].cells] == ["item", "price", "rye", "2", "wheat", "3"]


def test_a_page_of_an_attached_file_has_the_warnings_of_the_file(path: Path) -> None:
    mail = message("Names", "See the file.")
    content = "Jos\xe9 Mu\xf1oz, Ren\xe9e".encode("cp1252")
    mail.add_attachment(content, maintype="text", subtype="plain", filename="a.txt")
    _facts, [_page, names] = read(path, mail.as_bytes())

    assert "encoding_guessed" in names.warnings


def test_a_message_in_a_message_in_a_message_is_read(path: Path) -> None:
    mail = message("1", "text 1")
    for number in range(2, 7):
        outer = message(str(number), f"text {number}")
        outer.add_attachment(mail)
        mail = outer
    _facts, pages = read(path, mail.as_bytes())

    assert [texts(page)[0] for page in pages] == ["6", "5", "4", "3"]
    assert [page.warnings for page in pages] == [(), (), (), ("embedded_files_not_read",)]


def test_only_some_of_many_attached_files_are_read(path: Path) -> None:
    mail = message("Many", "Files.")
    for number in range(103):
        mail.add_attachment(b"text", maintype="text", subtype="plain", filename=f"{number}.txt")
    facts, pages = read(path, mail.as_bytes())

    assert (facts.page_count, len(facts.attachments)) == (101, 103)
    assert texts(pages[0])[-1] == "Attached file: 102.txt"
    assert pages[0].warnings == ("embedded_files_not_read",)


@pytest.mark.parametrize(
    "kind",
    ['application/pkcs7-mime; smime-type=enveloped-data; name="smime.p7m"', 'multipart/encrypted; boundary="b"'],
)
def test_an_encrypted_message_is_refused(path: Path, kind: str) -> None:
    head = "From: a@example.org\r\nTo: b@example.org\r\nSubject: Secret\r\nDate: x\r\n"
    with pytest.raises(UnsupportedEncryption):
        read(path, f"{head}MIME-Version: 1.0\r\nContent-Type: {kind}\r\n\r\nMIAGCSqGSIb3DQEHA6".encode())


def test_a_signature_is_no_missing_text(path: Path) -> None:
    mail = message("Signed", "Text.")
    mail.add_attachment(b"0\x80", maintype="application", subtype="pkcs7-signature", filename="smime.p7s")
    facts, [page] = read(path, mail.as_bytes())

    assert [attached.name for attached in facts.attachments] == ["smime.p7s"]
    assert (texts(page)[-1], page.warnings) == ("Text.", ())


def test_a_text_about_mail_is_a_text(path: Path) -> None:
    facts, _pages = read(path, b"Note: the following\nFrom: the office\nis here.\n\nSubject: none", ".txt")

    assert facts.media_type == "text/plain"


def test_only_attachments_that_are_read_count_to_their_limit(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.pages.office.mail.mail_file.MAX_READ_ATTACHMENTS", 2)
    mail = message("Order", "See the files")
    for content, kind, name in (
        (b"\x89PNG\r\n\x1a\n", "image/png", "logo.png"),
        (b"", "text/csv", "empty.csv"),
        (b"PK\x03\x04 damaged", "application/zip", "damaged.docx"),
        (b"a,b\n1,2\n", "text/csv", "one.csv"),
        (b"a,b\n3,4\n", "text/csv", "two.csv"),
        (b"a,b\n5,6\n", "text/csv", "three.csv"),
    ):
        mail.add_attachment(content, *kind.split("/"), filename=name)
    _facts, pages = read(path, mail.as_bytes())

    assert [page.attachment_name for page in pages] == ["", "one.csv", "two.csv"]
    assert texts(pages[0])[-4:] == [
        f"Attached file: {name}" for name in ("logo.png", "empty.csv", "damaged.docx", "three.csv")
    ]
