"""Electronic invoices: every element is on the page, whichever the syntax is; invoices attached to PDFs."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pikepdf
import pytest
from lxml import etree

from apps.pages.model.document_facts import Attachment
from apps.pages.model.errors import DamagedDocument, TooManyElements
from apps.pages.reading.page_reading import inspect_document
from tests.documents.e_invoices import cii_invoice, ubl_invoice
from tests.unit.pages.office.office_files import markdown, read


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "invoice.xml"


def test_an_invoice_is_a_readable_page(path: Path) -> None:
    path.write_bytes(ubl_invoice())
    facts, [page] = read(path)
    text = markdown(page)

    assert (facts.media_type, facts.title) == ("application/xml", "Invoice R-7")
    for line in (
        "# Invoice R-7",
        "|Issue date|2026-12-01|",
        "## Seller",
        "|Electronic address|4000 (0088)|",
        "|Number|Item|Description|Properties|Quantity|Price|Tax|Tax category|Tax rate|Amount|",
        "|2|Rye flour 2|Fine & fresh|Colour: grey|2 KGM|2.00 EUR|VAT|S|7|4.00 EUR|",
        "|Due|6.42 EUR|",
        "|58|DE02120300000000202051|",
        "|Note|Thank you|",
    ):
        assert line in text.splitlines()


@pytest.mark.parametrize("content", [ubl_invoice(), ubl_invoice(kind="CreditNote"), cii_invoice()])
def test_no_element_is_lost(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    _facts, [page] = read(path)
    shown = re.sub(r"\s+", " ", " ".join(cell.text for block in page.blocks for cell in block.cells))
    shown += " " + re.sub(r"(\d{4})-(\d\d)-(\d\d)", r"\1\2\3", shown)

    for element in etree.fromstring(content).iter(etree.Element):
        assert " ".join((element.text or "").split()) in shown
        assert all(value in shown for name, value in element.attrib.items() if name != "format")


def test_elements_without_a_place_are_listed_with_their_path(path: Path) -> None:
    path.write_bytes(
        ubl_invoice(more="<cac:Delivery/><cac:Delivery><cac:Shipment><cbc:ID>7</cbc:ID></cac:Shipment></cac:Delivery>")
    )
    facts, [page] = read(path)

    assert "|Invoice/Delivery[2]/Shipment/ID|7|" in markdown(page).splitlines()
    assert {"path": "Invoice/InvoiceTypeCode/@listID", "value": "UNCL1001"} in facts.invoice["others"]


def test_both_syntaxes_have_the_same_names(path: Path) -> None:
    path.write_bytes(cii_invoice())
    facts, _pages = read(path)

    assert facts.invoice["syntax"] == "cii"
    assert facts.invoice["invoice"] == {
        "number": "F-8",
        "type_code": "380",
        "issue_date": "2026-12-01",
        "currency": "EUR",
    }
    assert facts.invoice["seller"] == {"name": "Müller AG", "tax_identifier": "DE1 (VA)"}
    assert facts.invoice["lines"][0]["quantity"] == "3 KGM"
    assert facts.invoice["totals"] == {"with_tax": "6.42"}
    assert facts.invoice["others"] == [
        {"path": "CrossIndustryInvoice/ExchangedDocument/IncludedNote/SubjectCode", "value": "AAI"}
    ]


def test_a_credit_note_is_called_so(path: Path) -> None:
    path.write_bytes(ubl_invoice(kind="CreditNote"))

    assert read(path)[0].title == "Credit note R-7"


def test_files_in_an_invoice_are_named(path: Path) -> None:
    content = b"%PDF-" + bytes(11_000_000)  # more than a text has otherwise
    file = base64.encodebytes(content).decode()
    attached = (
        "<cac:AdditionalDocumentReference><cbc:ID>1</cbc:ID><cac:Attachment><cbc:EmbeddedDocumentBinaryObject "
        f"mimeCode='application/pdf' filename='time.pdf'>{file}</cbc:EmbeddedDocumentBinaryObject></cac:Attachment>"
        "</cac:AdditionalDocumentReference>"
    )
    path.write_bytes(ubl_invoice(more=attached))
    facts, [page] = read(path)

    assert facts.attachments == (Attachment("time.pdf", "application/pdf", len(content)),)
    assert page.blocks[-1].text == "Attached file: time.pdf"
    assert page.warnings == ("embedded_files_not_read",)


def test_many_lines_are_on_the_page_and_counted_in_the_facts(path: Path) -> None:
    path.write_bytes(ubl_invoice(lines=1_200))
    facts, pages = read(path)
    rows = [cell.text for page in pages for block in page.blocks for cell in block.cells if cell.column == 1]

    assert "Rye flour 1200" in rows
    assert facts.invoice["left_out"]["lines"] == 1_200


def test_other_xml_is_plain_text(path: Path) -> None:
    path.write_bytes(b'<?xml version="1.0"?><Invoice xmlns="urn:other"><ID>1</ID></Invoice>')

    assert inspect_document(str(path), max_pages=9).media_type == "text/plain"


def test_entities_of_an_invoice_are_refused(path: Path) -> None:
    content = ubl_invoice().replace(b"<!-- made by hand -->", b'<!DOCTYPE x [<!ENTITY a "b">]>')
    path.write_bytes(content)
    facts = inspect_document(str(path), max_pages=9)
    assert facts.media_type == "text/plain"

    path.write_bytes(ubl_invoice() + b'<!DOCTYPE x [<!ENTITY a "b">]>')
    with pytest.raises(DamagedDocument):
        inspect_document(str(path), max_pages=9)


def test_an_invoice_of_deeply_nested_elements_has_a_code(path: Path) -> None:
    deep = (
        "<cac:AdditionalItemProperty>" + "<cac:A>" * 1_500 + "x" + "</cac:A>" * 1_500 + "</cac:AdditionalItemProperty>"
    )
    path.write_bytes(ubl_invoice().replace(b"</cac:Item>", deep.encode() + b"</cac:Item>"))
    with pytest.raises(TooManyElements):
        inspect_document(str(path), max_pages=9)


def pdf_with_attached(path: Path, content: bytes) -> Path:
    with pikepdf.new() as pdf:
        pdf.add_blank_page()
        pdf.attachments["factur-x.xml"] = pikepdf.AttachedFileSpec(
            pdf, content, filename="factur-x.xml", mime_type="text/xml", description="", creation_date="", mod_date=""
        )
        pdf.save(path, compress_streams=True)
    return path


def test_the_invoice_attached_to_a_pdf_is_a_fact(tmp_path: Path) -> None:
    path = pdf_with_attached(tmp_path / "invoice.pdf", cii_invoice())

    facts = inspect_document(str(path), max_pages=9)
    assert facts.invoice["invoice"]["number"] == "F-8"
    assert facts.warnings == ()


def test_an_attached_file_that_unpacks_without_end_is_not_read(tmp_path: Path) -> None:
    path = pdf_with_attached(tmp_path / "invoice.pdf", bytes(30_000_000))

    facts = inspect_document(str(path), max_pages=9)
    assert (facts.invoice, facts.warnings) == ({}, ("embedded_files_not_read",))
