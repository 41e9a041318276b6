"""Form fields show the values that a viewer shows, beside their labels."""

from __future__ import annotations

from pathlib import Path

import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name

from apps.pages.model.blocks import Page
from apps.pages.reading import page_reading
from tests.unit.pages.tiny_pdf import Sheet, write_pdf


def text_of(
    path: Path, *fields: Dictionary, kids: tuple[Dictionary, ...] = (), rotate: int = 0, height: int = 16
) -> str:
    """Return the text of a page with a label and fields in a row beside it."""
    write_pdf(path, Sheet().text(72, 100, "Label:"), rotate=rotate)
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        made = [pdf.make_indirect(field) for field in fields]
        widgets = [pdf.make_indirect(kid) for kid in kids]
        for widget in widgets:
            widget.Parent = made[0]
        for number, widget in enumerate(widgets or made):
            widget.Type, widget.Subtype = Name.Annot, Name.Widget
            widget.Rect = Array([120 + 60 * number, 678, 170 + 60 * number, 678 + height])
        pdf.pages[0].obj.Annots = Array(widgets or made)
        pdf.Root.AcroForm = Dictionary(Fields=Array(made))
        pdf.save(path)
    (page,) = page_reading.read_pages(str(path), [1])
    assert isinstance(page, Page)
    return " ".join(f"{block.marker} {block.text}".strip() for block in page.blocks)


def test_a_choice_shows_its_text_and_not_its_value(tmp_path: Path) -> None:
    options = Array([Array(["de", "Germany"]), Array(["fr", "France"])])

    read = text_of(tmp_path / "a.pdf", Dictionary(FT=Name.Ch, T="land", V="fr", Opt=options))

    assert read == "Label: France"


def test_several_choices(tmp_path: Path) -> None:
    field = Dictionary(FT=Name.Ch, T="land", V=Array(["Rye", "Oats"]), Opt=Array(["Rye", "Oats", "Corn"]))

    assert text_of(tmp_path / "a.pdf", field) == "Label: Rye, Oats"


def test_a_list_shows_the_options_in_sight(tmp_path: Path) -> None:
    field = Dictionary(
        FT=Name.Ch, T="corn", V=Array(["Rye", "Rice"]), TI=1, Opt=Array(["Emmer", "Oats", "Rye", "Rice"])
    )

    read = text_of(tmp_path / "a.pdf", field, height=28)

    assert sorted(read.split()) == ["Label:", "Oats", "Rice", "Rye", "☐", "☑", "☑"]


def test_a_combo_box_shows_what_is_chosen(tmp_path: Path) -> None:
    field = Dictionary(FT=Name.Ch, Ff=1 << 17, T="corn", V="Rye", Opt=Array(["Oats", "Rye"]))

    assert sorted(text_of(tmp_path / "a.pdf", field, height=60).split()) == ["Label:", "Rye"]


def test_one_radio_button_of_a_group_is_on(tmp_path: Path) -> None:
    group = Dictionary(FT=Name.Btn, Ff=1 << 15, T="size", V=Name.b)
    kids = tuple(Dictionary(AP=Dictionary(N=Dictionary({f"/{name}": Name.x, "/Off": Name.x}))) for name in "abc")

    assert text_of(tmp_path / "a.pdf", group, kids=kids) == "Label: ○ ◉ ○"


@pytest.mark.parametrize("rotate", [0, 90, 180])
def test_a_value_without_appearance(tmp_path: Path, rotate: int) -> None:
    read = text_of(tmp_path / "a.pdf", Dictionary(FT=Name.Tx, T="name", V="Okonkwo"), rotate=rotate)

    assert sorted(read.split()) == ["Label:", "Okonkwo"]


def test_the_caption_of_a_button(tmp_path: Path) -> None:
    field = Dictionary(FT=Name.Btn, Ff=1 << 16, T="go", MK=Dictionary(CA="Send"))

    assert text_of(tmp_path / "a.pdf", field) == "Label: Send"


def test_a_password_is_not_shown(tmp_path: Path) -> None:
    assert text_of(tmp_path / "a.pdf", Dictionary(FT=Name.Tx, Ff=1 << 13, T="secret", V="sesame")) == "Label:"
