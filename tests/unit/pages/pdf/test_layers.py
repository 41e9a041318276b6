"""Layers that a viewer does not show are no text of the page; their text is listed as hidden."""

from __future__ import annotations

from pathlib import Path

import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name

from apps.pages.model.blocks import Page
from apps.pages.model.errors import PageError
from apps.pages.pdf.text.characters import CharacterReader
from apps.pages.reading import page_reading

CONTENT = b"BT /F 12 Tf 72 700 Td (Plain) Tj ET /OC /A BDC BT /F 12 Tf 72 600 Td (Layered) Tj ET EMC"


class Drawing:
    """A document of one page with the layers "on" and "off"."""

    def __init__(self) -> None:
        self.pdf = pikepdf.new()
        self.on = self.pdf.make_indirect(Dictionary(Type=Name.OCG, Name="layer"))
        self.off = self.pdf.make_indirect(Dictionary(Type=Name.OCG, Name="layer"))
        self.default = Dictionary(OFF=Array([self.off]))
        font = Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica)
        self.resources = Dictionary(Font=Dictionary(F=font))

    def read(self, path: Path, content: bytes = CONTENT, *, compressed: bool = False, **layers: pikepdf.Object) -> Page:
        groups = Array([self.on, self.off])
        self.pdf.Root.OCProperties = self.pdf.make_indirect(Dictionary(OCGs=groups, D=self.default))
        self.resources.Properties = Dictionary({f"/{name}": layer for name, layer in layers.items()})
        page = self.pdf.add_blank_page(page_size=(612, 792))
        page.obj.Resources = self.resources
        page.obj.Contents = self.pdf.make_stream(content)
        modes = pikepdf.ObjectStreamMode
        self.pdf.save(path, object_stream_mode=modes.generate if compressed else modes.disable)
        (read,) = page_reading.read_pages(str(path), [1])
        assert isinstance(read, Page)
        return read


def texts(page: Page) -> list[str]:
    return [block.text for block in page.blocks]


@pytest.mark.parametrize("compressed", [False, True])
def test_a_layer_that_is_off_is_hidden_text(tmp_path: Path, compressed: bool) -> None:
    drawing = Drawing()

    page = drawing.read(tmp_path / "a.pdf", compressed=compressed, A=drawing.off)

    assert texts(page) == ["Plain"]
    assert (page.hidden, page.warnings) == (("Layered",), ("hidden_text",))


def test_a_layer_of_the_same_name_that_is_on_is_text(tmp_path: Path) -> None:
    drawing = Drawing()

    page = drawing.read(tmp_path / "a.pdf", A=drawing.on)

    assert (texts(page), page.hidden) == (["Plain", "Layered"], ())


def test_all_layers_are_off_but_those_listed_as_on(tmp_path: Path) -> None:
    drawing = Drawing()
    drawing.default = Dictionary(BaseState=Name.OFF, ON=Array([drawing.on]))
    content = CONTENT.replace(b"Layered", b"Shown") + CONTENT.replace(b"/A", b"/B").replace(b"600", b"500")

    page = drawing.read(tmp_path / "a.pdf", content, A=drawing.on, B=drawing.off)

    assert texts(page) == ["Plain", "Shown"]


def test_a_layer_for_print_alone_is_hidden(tmp_path: Path) -> None:
    drawing = Drawing()
    drawing.on.Usage = Dictionary(View=Dictionary(ViewState=Name.OFF), Print=Dictionary(PrintState=Name.ON))

    assert texts(drawing.read(tmp_path / "a.pdf", A=drawing.on)) == ["Plain"]


@pytest.mark.parametrize(
    ("policy", "shown"), [("/AnyOn", True), ("/AllOn", False), ("/AnyOff", True), ("/AllOff", False)]
)
def test_membership_of_several_layers(tmp_path: Path, policy: str, shown: bool) -> None:
    drawing = Drawing()
    member = Dictionary(Type=Name.OCMD, OCGs=Array([drawing.on, drawing.off]), P=Name(policy))

    assert ("Layered" in texts(drawing.read(tmp_path / "a.pdf", A=member))) == shown


@pytest.mark.parametrize(("operator", "shown"), [("/And", False), ("/Or", True)])
def test_membership_by_an_expression(tmp_path: Path, operator: str, shown: bool) -> None:
    drawing = Drawing()
    inner = Array([Name.Not, drawing.off])
    expression = Array([Name(operator), inner, drawing.off])
    member = Dictionary(Type=Name.OCMD, VE=expression)

    assert ("Layered" in texts(drawing.read(tmp_path / "a.pdf", A=member))) == shown


def test_a_form_of_a_hidden_layer_and_a_form_inside_hidden_content(tmp_path: Path) -> None:
    drawing = Drawing()
    drawing.resources.XObject = Dictionary()
    for name, layer in (("X", drawing.off), ("Y", drawing.on), ("Z", None)):
        text = b"BT /F 12 Tf 0 0 Td (Form %s) Tj ET" % name.encode()
        form = drawing.pdf.make_stream(text, Type=Name.XObject, Subtype=Name.Form, BBox=Array([0, -9, 99, 20]))
        form.Resources = Dictionary(Font=drawing.resources.Font)
        if layer is not None:
            form.OC = layer
        drawing.resources.XObject[f"/{name}"] = form
    content = b"q 1 0 0 1 72 700 cm /X Do Q q 1 0 0 1 72 600 cm /Y Do Q /OC /A BDC q 1 0 0 1 72 500 cm /Z Do Q EMC"

    page = drawing.read(tmp_path / "a.pdf", content, A=drawing.off)

    assert texts(page) == ["Form Y"]
    assert page.hidden == ("Form X\nForm Z",)


def test_links_and_fields_of_a_hidden_layer_are_left_out(tmp_path: Path) -> None:
    drawing = Drawing()
    drawing.read(tmp_path / "a.pdf")
    page = drawing.pdf.pages[0]
    note = Dictionary(Type=Name.Annot, Subtype=Name.FreeText, Rect=Array([72, 400, 200, 420]), Contents="Aside")
    page.obj.Annots = Array([Dictionary(**note, OC=drawing.off)])
    drawing.pdf.save(tmp_path / "b.pdf")

    (read,) = page_reading.read_pages(str(tmp_path / "b.pdf"), [1])

    assert isinstance(read, Page)
    assert texts(read) == ["Plain", "Layered"]


def test_the_second_reader_leaves_out_what_is_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawing = Drawing()
    drawing.resources.XObject = Dictionary()
    for name, layer in (("X", drawing.off), ("Y", drawing.on)):
        text = b"BT /F 12 Tf 0 0 Td (Form %s) Tj ET" % name.encode()
        form = drawing.pdf.make_stream(
            text, Type=Name.XObject, Subtype=Name.Form, BBox=Array([0, -9, 99, 20]), OC=layer
        )
        form.Resources = Dictionary(Font=drawing.resources.Font)
        drawing.resources.XObject[f"/{name}"] = form
    content = CONTENT + b" q 1 0 0 1 72 500 cm /X Do Q q 1 0 0 1 72 400 cm /Y Do Q"

    def unreadable(*_arguments: object, **_options: object) -> None:
        raise PageError

    monkeypatch.setattr(CharacterReader, "read", unreadable)
    page = drawing.read(tmp_path / "a.pdf", content, A=drawing.off)

    assert texts(page) == ["Plain", "Form Y"]
    assert (page.hidden, page.quality["reader"]) == (("LayeredForm X",), "pdfminer")
