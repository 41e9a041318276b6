"""Text that is raised, crossed out, bold or a link on the page is marked in the results."""

from __future__ import annotations

from apps.pages.layout.text.inline_marks import mark_shifted
from apps.pages.output.render import RenderOptions
from tests.unit.pages.conftest import Parse
from tests.unit.pages.drawing import run
from tests.unit.pages.tiny_pdf import Sheet


def with_mark(sheet: Sheet, x: float, top: float, text: str, mark: str, after: str = "", *, rise: float = 4) -> Sheet:
    """Write text, a smaller mark at its end, and the rest of the line, as office programs do."""
    content = b"BT /F0 11 Tf %g %g Td (%s) Tj /F0 7 Tf %g Ts (%s) Tj /F0 11 Tf 0 Ts (%s) Tj ET"
    return sheet.raw(content % (x, 792 - top - 11, text.encode(), rise, mark.encode(), after.encode()))


def test_exponents_and_marks_of_notes_stay_apart_from_their_number(parse: Parse) -> None:
    sheet = Sheet()
    with_mark(sheet, 72, 100, "The count is 10", "6", " of them all.")
    with_mark(sheet, 72, 130, "Profit rose to 1,234", "1", ", as expected.")
    with_mark(sheet, 72, 160, "A glass of H", "2", "O is water.", rise=-2)

    found = parse(sheet)

    assert found.markdown.split("\n\n") == [
        "The count is 10<sup>6</sup> of them all.",
        "Profit rose to 1,234<sup>1</sup>, as expected.",
        "A glass of H<sub>2</sub>O is water.\n",
    ]
    assert "10⁶ of" in found.text
    assert "1,234¹, as" in found.text
    assert "H₂O" in found.text
    assert [item["value"] for item in found.items()][1] == "Profit rose to 1,234¹, as expected."


def test_a_mark_in_a_table_cell_is_no_digit_of_its_number(parse: Parse) -> None:
    sheet = Sheet().grid([72, 172, 272], [100, 120, 140])
    sheet.text(80, 104, "Item").text(180, 104, "Sales").text(80, 124, "Flour")
    with_mark(sheet, 180, 124, "1,234", "1")

    found = parse(sheet)

    assert "<td>1,234<sup>1</sup></td>" in found.markdown
    assert found.items()[0]["rows"][1] == ["Flour", "1,234¹"]


def test_a_mark_before_its_note_is_raised(parse: Parse) -> None:
    sheet = Sheet().raw(b"BT /F0 6 Tf 72 303 Td (3) Tj /F0 9 Tf 5 -3 Td (Local time.) Tj ET")

    assert parse(sheet).markdown == "<sup>3</sup> Local time.\n"


def test_small_text_on_the_same_line_is_not_raised() -> None:
    runs = [run("SMITH ", 72, 100, size=12), run("AND", 115, 102.25, size=9)]
    runs[0].baseline = runs[1].baseline = 110

    mark_shifted(runs)

    assert [one.mark for one in runs] == [None, None]


def test_bold_and_italic_words_are_marked_where_the_rest_is_not(parse: Parse) -> None:
    sheet = Sheet().raw(b"BT /F0 11 Tf 72 600 Td (This is ) Tj /F1 11 Tf (important) Tj /F0 11 Tf ( to us.) Tj ET")
    sheet.text(72, 300, "All of this paragraph is bold", bold=True).text(72, 360, "and the rest of the page is not.")

    found = parse(sheet)

    assert "This is **important** to us." in found.markdown
    assert "This is important to us." in found.text
    assert "**All" not in found.markdown


def test_crossed_out_words_are_marked_and_underlined_ones_are_not(parse: Parse) -> None:
    sheet = Sheet().text(72, 100, "The tax is five percent seven percent.")
    sheet.rule(125, 107.5, 182, 107.5)
    sheet.rule(184, 112.5, 240, 112.5)

    assert parse(sheet).markdown == "The tax is ~~five percent~~ seven percent.\n"


def test_rules_of_a_table_cross_nothing_out(parse: Parse) -> None:
    sheet = Sheet().grid([72, 172, 272], [100, 120, 140])
    for y, texts in ((104, ("Item", "Sales")), (124, ("Flour", "12"))):
        for x, text in zip((80, 180), texts, strict=True):
            sheet.text(x, y, text)

    assert "<s>" not in parse(sheet).markdown


def test_links_are_in_the_items_and_in_markdown_on_request(parse: Parse) -> None:
    sheet = Sheet().text(72, 100, "Read the handbook before you start.")
    sheet.link(72 + 49, 98, 72 + 98, 114, "https://example.org/handbook")
    sheet.text(72, 200, "Our prices").link(70, 198, 130, 214, "https://example.org/prices")
    sheet.text(72, 300, "Do not run this").link(70, 298, 160, 314, "javascript:alert(1)")

    found = parse(sheet)

    assert "Read the handbook before" in found.markdown
    linked = "Read the [handbook](https://example.org/handbook) before you start."
    assert found.items()[0]["md"] == linked
    assert found.items()[1]["type"] == "link"
    assert found.items()[1]["url"] == "https://example.org/prices"
    assert found.items()[2]["md"] == "Do not run this"
    assert linked in parse(sheet, options=RenderOptions(links=True)).markdown


def test_exponents_that_are_drawn_after_all_other_text(parse: Parse) -> None:
    sheet = Sheet().text(72, 100, "a", size=14).text(86, 100, "+ 1 = 0", size=14, bold=True)
    sheet.text(80, 101, "2", size=9)

    assert parse(sheet).markdown.startswith("a<sup>2</sup>+ 1")


def test_letters_of_a_logo_at_different_heights_are_one_word(parse: Parse) -> None:
    sheet = Sheet()
    with_mark(sheet, 72, 100, "typeset in L", "A", "TEX here")

    assert "typeset in LATEX here" in parse(sheet).markdown


def quads(*boxes: tuple[float, float, float, float]) -> bytes:
    corners = []
    for x0, top, x1, bottom in boxes:
        corners += [x0, 792 - top, x1, 792 - top, x0, 792 - bottom, x1, 792 - bottom]
    return b"/QuadPoints[%s]" % b" ".join(b"%g" % corner for corner in corners)


def test_words_that_a_note_crosses_out(parse: Parse) -> None:
    sheet = Sheet().text(72, 100, "The tax is five percent seven percent.")
    sheet.note(72, 98, 300, 114, b"/StrikeOut" + quads((124, 98, 183, 114)))
    sheet.text(72, 200, "Nothing here.").note(72, 198, 200, 214, b"/StrikeOut/F 2")

    assert parse(sheet).markdown == "The tax is ~~five percent~~ seven percent.\n\nNothing here.\n"


def test_a_link_over_two_lines_leads_from_its_own_words_only(parse: Parse) -> None:
    sheet = Sheet().lines(72, 100, ["Read all of the long hand-", "book of the mill before the wheel turns."])
    action = b"/A<</S/URI/URI(https://example.org/)>>"
    sheet.note(72, 98, 300, 128, b"/Link" + action + quads((152, 98, 230, 112), (72, 112, 97, 126)))

    found = parse(sheet, options=RenderOptions(links=True))

    assert (
        found.markdown == "Read all of the [long handbook](https://example.org/) of the mill before the wheel turns.\n"
    )


def test_a_line_that_is_drawn_word_by_word_crosses_out_all_of_them(parse: Parse) -> None:
    sheet = Sheet().text(72, 100, "The tax is five percent seven percent.")
    for x0, x1 in ((125, 141), (141, 144), (144, 160), (160, 182)):
        sheet.raw(b"%g 684 %g 0.8 re f" % (x0, x1 - x0))

    assert parse(sheet).markdown == "The tax is ~~five percent~~ seven percent.\n"


def test_marks_beside_the_numbers_of_a_table_that_are_drawn_last(parse: Parse) -> None:
    sheet = Sheet()
    for row, (name, amount) in enumerate(
        [("Total", "1,234"), ("Net", "2,345"), ("Gross", "3,345"), ("Other", "4,345")]
    ):
        sheet.text(72, 100 + 15 * row, name).text(300, 100 + 15 * row, amount)
    for row in (0, 3):
        sheet.text(328, 99 + 15 * row, "1", size=6.5)

    found = parse(sheet)

    assert found.items()[0]["rows"] == [["Total", "1,234¹"], ["Net", "2,345"], ["Gross", "3,345"], ["Other", "4,345¹"]]
