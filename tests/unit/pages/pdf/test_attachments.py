"""Files attached to a PDF are named, from its list of embedded files and from its annotations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name

from apps.pages.model.document_facts import Attachment
from apps.pages.reading.page_reading import inspect_document
from tests.unit.pages.tiny_pdf import Sheet, write_pdf


def specification(pdf: Any, name: str, media_type: str = "", content: bytes = b"<x/>") -> Any:
    stream = pdf.make_stream(content, Type=Name.EmbeddedFile)
    if media_type:
        stream.Subtype = Name("/" + media_type)
        stream.Params = Dictionary(Size=len(content))
    return pdf.make_indirect(Dictionary(Type=Name.Filespec, F=name, UF=name, EF=Dictionary(F=stream)))


def written(path: Path) -> Any:
    return pikepdf.open(write_pdf(path, Sheet().text(72, 100, "Invoice"), Sheet()), allow_overwriting_input=True)


def attachments_of(path: Path) -> tuple[Attachment, ...]:
    return inspect_document(str(path), max_pages=10).attachments


def test_the_data_of_an_invoice_is_named_once(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    with written(path) as pdf:
        invoice = specification(pdf, "factur-x.xml", "text/xml")
        leaf = pdf.make_indirect(Dictionary(Names=Array(["factur-x.xml", invoice])))
        pdf.Root.Names = Dictionary(EmbeddedFiles=pdf.make_indirect(Dictionary(Kids=Array([leaf]))))
        pdf.Root.AF = Array([invoice])
        pdf.save(path)

    assert attachments_of(path) == (Attachment("factur-x.xml", "text/xml", 4),)


def test_an_annotation_that_stands_for_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    with written(path) as pdf:
        note = Dictionary(Type=Name.Annot, Subtype=Name.FileAttachment, Rect=Array([9, 9, 19, 19]))
        note.FS = specification(pdf, "plan.dwg")
        pdf.pages[1].obj.Annots = Array([pdf.make_indirect(note)])
        pdf.save(path)

    assert attachments_of(path) == (Attachment("plan.dwg", "", None),)


def test_a_list_that_loops_and_a_broken_entry(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    with written(path) as pdf:
        node = pdf.make_indirect(Dictionary())
        node.Kids = Array([node, node])
        node.Names = Array(["a", 7, "b", specification(pdf, "b\u202e.txt"), "c"])
        pdf.Root.Names = Dictionary(EmbeddedFiles=node)
        pdf.save(path)

    assert [attachment.name for attachment in attachments_of(path)] == ["b.txt"]


def test_at_most_a_thousand_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    with written(path) as pdf:
        pairs = [part for number in range(1_050) for part in (f"{number:04}", specification(pdf, f"{number}.txt"))]
        pdf.Root.Names = Dictionary(EmbeddedFiles=Dictionary(Names=Array(pairs)))
        pdf.save(path)

    assert len(attachments_of(path)) == 1_000
