"""The fidelity check compares by place: order of words, rows and columns of tables, signs, units and negations."""

from __future__ import annotations

import msgspec
import pytest

from apps.pages.model.blocks import Block, BlockType, Cell, Page
from apps.pages.model.geometry import Box
from apps.parsing.answers.fidelity import TEXT_LAYER, Fidelity, compare, verdict
from apps.parsing.answers.parse_answer import end_line, parsed_page
from tests.unit.pages.drawing import page
from tests.unit.parsing.test_alignment import lines_block

PROSE = (
    "The buyer must not resell the goods within thirty days of delivery",
    "and pays 250.00 EUR for each case at a rate of 4.5 % a year",
    "while the seller stores all of them at -18 °C without any charge.",
)
WHOLE = " ".join(PROSE)
PRICES = (
    ("Article", "Pieces", "Price", "Amount"),
    ("Oats", "12", "2.50", "30.00"),
    ("Barley", "7", "4.10", "28.70"),
    ("Refund", "1", "-9.00", "-9.00"),
    ("Rye flour", "3", "5.25", "15.75"),
)


def table_block(rows: tuple[tuple[str, ...], ...], *, top: float = 300.0) -> Block:
    """A table as it is read from a page: each cell has the box of its text, 20 points below the one above."""
    cells = tuple(
        Cell(
            row, column, text, header=not row, box=Box(72 + 110 * column, y, 72 + 110 * column + 8 * len(text), y + 12)
        )
        for row, texts in enumerate(rows)
        for column, text in enumerate(texts)
        for y in [top + 20.0 * row]
        if text
    )
    return Block(BlockType.TABLE, Box(72, top, 500, top + 20.0 * len(rows)), cells=cells)


def html(rows: tuple[tuple[str, ...], ...]) -> str:
    lines = ("".join(f"<td>{text}</td>" for text in texts) for texts in rows)
    return f"<table>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


PAGE = page(lines_block(*PROSE, top=150, width=420), table_block(PRICES))


def measured(answer: str, of: Page = PAGE, *, image: bool = False) -> Fidelity:
    blocks = parsed_page(of, f"{answer}\n{end_line('m')}", marker="m").blocks
    return compare(of, blocks, image=image)


def judged(answer: str, of: Page = PAGE) -> str:
    return verdict(measured(answer, of), source=TEXT_LAYER)


def with_table(*rows: tuple[str, ...]) -> str:
    return f"{WHOLE}\n\n{html(rows)}"


def test_the_page_itself_is_accepted() -> None:
    assert judged(with_table(*PRICES)) == ""
    pipes = "\n".join(f"| {' | '.join(row)} |" for row in (PRICES[0], ("---",) * 4, *PRICES[1:]))
    assert judged(f"{WHOLE}\n\n{pipes}") == ""


@pytest.mark.parametrize(
    ("printed", "answered"),
    [
        ("must not", "must"),
        ("thirty", "sixty"),
        ("EUR", "USD"),
        ("4.5 %", "4.5"),
        ("-18", "18"),
        ("°C", "°F"),
        ("without any", "with any"),
        ("buyer", "seller"),
        ("250.00", "250,00"),
    ],
)
def test_a_word_that_changes_the_meaning_is_found(printed: str, answered: str) -> None:
    answer = with_table(*PRICES).replace(printed, answered, 1)
    assert judged(answer) == "output_altered"
    assert measured(answer).altered


@pytest.mark.parametrize(
    ("printed", "answered"),
    [
        ("-18 °C", "−18 °C"),
        ("-18 °C", "$-18^\\circ\\mathrm{C}$"),
        ("4.5 %", "4.5%"),
        ("4.5 %", "$4.5\\%$"),
        ("goods within", "goods with-\nin"),
        ("goods within", "**goods** within"),
        ("delivery", "de\u00adlivery"),
    ],
)
def test_another_spelling_of_the_same_is_no_change(printed: str, answered: str) -> None:
    assert judged(with_table(*PRICES).replace(printed, answered, 1)) == ""


def test_shuffled_words_are_found() -> None:
    words = WHOLE.split()
    assert judged(f"{' '.join(words[1::2] + words[::2])}\n\n{html(PRICES)}") != ""


def test_two_amounts_swapped_between_rows_are_found() -> None:
    rows = (PRICES[0], (*PRICES[1][:3], "28.70"), (*PRICES[2][:3], "30.00"), *PRICES[3:])
    assert measured(with_table(*rows)).coverage == 1.0
    assert judged(with_table(*rows)) == "output_altered"
    assert set(measured(with_table(*rows)).misplaced) >= {"28.70", "30.00"}


def test_price_and_amount_swapped_in_a_row_are_found() -> None:
    rows = (*PRICES[:2], ("Barley", "7", "28.70", "4.10"), *PRICES[3:])
    assert judged(with_table(*rows)) == "output_altered"


def test_minus_signs_dropped_in_a_table_are_found() -> None:
    assert judged(with_table(*PRICES).replace(">-9.00<", ">9.00<")) == "output_altered"


def test_a_header_shifted_by_a_column_is_found() -> None:
    assert judged(with_table(("Amount", "Article", "Pieces", "Price"), *PRICES[1:])) == "output_altered"


def test_rows_in_another_order_are_found() -> None:
    assert judged(with_table(*PRICES[:2], PRICES[4], PRICES[2], PRICES[3])) == "output_altered"


def test_rows_left_out_or_doubled_are_found() -> None:
    assert judged(with_table(*PRICES[:4])) != ""
    assert judged(with_table(*PRICES, PRICES[4])) == "output_altered"


def test_equal_amounts_in_many_rows_are_no_reason_to_refuse() -> None:
    rows = (PRICES[0], *((name, "1", "5.00", "5.00") for name in ("Oats", "Barley", "Wheat", "Millet", "Spelt")))
    of = page(*PAGE.blocks[:1], table_block(rows))
    assert judged(with_table(*rows), of) == ""


def test_a_merged_cell_may_be_repeated_in_each_row_that_it_covers() -> None:
    rows = (("Group", "Grain", "Amount"), ("Cereals", "Oats", "30.00"), ("", "Barley", "28.70"), ("", "Rye", "15.75"))
    of = page(*PAGE.blocks[:1], table_block(rows))
    repeated = (rows[0], *(("Cereals", *row[1:]) for row in rows[1:]))
    assert judged(with_table(*repeated), of) == ""
    assert judged(with_table(*rows), of) == ""


LEFT = lines_block(
    "Oats are sown early in the spring of", "the year when the ground is moist and", "cool enough for them", top=200
)
RIGHT = lines_block(
    "Rye is sown late in the autumn before",
    "the first frost so that it grows at",
    "once when snow melts",
    top=200,
    x=320,
)


def test_columns_in_either_order_are_accepted_and_read_across_are_not() -> None:
    of = page(LEFT, RIGHT)
    assert judged(f"{LEFT.text}\n\n{RIGHT.text}", of) == ""
    assert judged(f"{RIGHT.text}\n\n{LEFT.text}", of) == ""
    across = [f"{one.text} {other.text}" for one, other in zip(LEFT.lines, RIGHT.lines, strict=True)]
    assert judged(" ".join(across), of) != ""
    assert judged("\n\n".join(across), of) != ""


def test_a_heading_behind_the_text_below_it_is_found() -> None:
    heading = lines_block("How oats are sown", top=170)
    of = page(heading, LEFT, RIGHT)
    assert judged(f"# {heading.text}\n\n{LEFT.text}\n\n{RIGHT.text}", of) == ""
    assert judged(f"{LEFT.text}\n\n# {heading.text}\n\n{RIGHT.text}", of) == "output_altered"


def test_a_wrong_number_on_a_page_of_few_words_is_found() -> None:
    of = page(lines_block("Invoice total 1,250.00"))
    assert judged("Invoice total 1,250.00", of) == ""
    assert judged("Invoice total 1,520.00", of) == "output_altered"


CHART_LABELS = ("Harvest of the mill", "Oats", "Rye", "0", "50", "100", "150", "200")


def chart_page() -> Page:
    labels = [lines_block(text, top=420 + 15.0 * n, x=90, width=60) for n, text in enumerate(CHART_LABELS)]
    of = page(lines_block(*PROSE, top=150, width=420), *labels)
    chart = Box(80, 410, 400, 560)
    return msgspec.structs.replace(of, figures=(chart,), charts=(chart,))


def test_a_chart_as_a_table_of_its_values_is_accepted_from_a_model_that_sees_it() -> None:
    answer = f"{WHOLE}\n\n<table><caption>Harvest of the mill</caption><tr><td>Oats</td><td>120</td></tr>"
    answer += "<tr><td>Rye</td><td>85</td></tr></table>"
    seen = measured(answer, chart_page(), image=True)
    assert verdict(seen, source=TEXT_LAYER) == ""
    assert verdict(measured(answer, chart_page()), source=TEXT_LAYER) != ""
    changed = measured(answer.replace("250.00", "205.00"), chart_page(), image=True)
    assert verdict(changed, source=TEXT_LAYER) == "output_altered"


def test_a_title_behind_small_or_short_text_below_it_is_found() -> None:
    title = lines_block("Sowing oats", top=170)
    title = msgspec.structs.replace(title, lines=(msgspec.structs.replace(title.lines[0], bold=True),))
    small = lines_block("Sow them after the frost", top=190)
    small = msgspec.structs.replace(small, lines=(msgspec.structs.replace(small.lines[0], size=8.0),))
    body = lines_block(*PROSE, top=300, width=420)
    of = page(title, small, body)
    assert judged(f"# {title.text}\n\n{small.text}\n\n{WHOLE}", of) == ""
    assert judged(f"{small.text}\n\n# {title.text}\n\n{WHOLE}", of) == "output_altered"


def test_a_title_with_the_first_word_of_its_text_is_found_behind_it() -> None:
    text = "Barley grows on fields that are dry and far from the river"
    of = page(lines_block(*PROSE, top=100, width=420), lines_block("Barley", top=170), lines_block(text, top=200))
    assert judged(f"{WHOLE}\n\n# Barley\n\n{text}", of) == ""
    assert judged(f"{WHOLE}\n\n{text}\n\n# Barley", of) == "output_altered"


def test_a_merged_cell_of_a_header_is_no_measure_for_the_row_beside_it() -> None:
    head = (("Age group", "Rate", "", ""), ("", "of men", "of women", "Cases"))
    rows = (*head, ("45-54", "24.1", "8.7", "91"), ("55-64", "73.8", "31.9", "224"))
    table = table_block(rows)
    heights = {"Age group": (320.0, 336.0), "of men": (313.0, 321.0), "of women": (313.0, 321.0), "Cases": (328.0, 336)}
    cells = [
        msgspec.structs.replace(cell, box=Box(cell.box.x0, top, cell.box.x1, bottom))
        for cell in table.cells
        if cell.box
        for top, bottom in [heights.get(cell.text, (cell.box.top, cell.box.bottom))]
    ]
    of = page(lines_block(*PROSE, top=150, width=420), msgspec.structs.replace(table, cells=tuple(cells)))
    assert judged(with_table(*rows), of) == ""


def test_sentences_swapped_within_one_printed_line_are_found() -> None:
    of = page(lines_block("The mill stands still today. Its wheel turns again tomorrow.", width=420))
    assert judged("Its wheel turns again tomorrow. The mill stands still today.", of) != ""


def test_a_percent_sign_before_a_korean_particle_is_not_lost_unseen() -> None:
    of = page(lines_block("적어도 소프트웨어 공급담당자의 85%가 현재 교육 이수 상태 위의 정의 문서화된 방법"))
    assert judged(of.blocks[0].text, of) == ""
    assert judged(of.blocks[0].text.replace("%", ""), of) != ""


def test_rows_whose_boxes_overlap_are_found_in_another_order() -> None:
    table = table_block(PRICES)
    boxes = [cell.box for cell in table.cells if cell.box]
    tall = [
        msgspec.structs.replace(cell, box=Box(box.x0, box.top, box.x1, box.bottom + 10))
        for cell, box in zip(table.cells, boxes, strict=True)
    ]
    of = page(lines_block(*PROSE, top=150, width=420), msgspec.structs.replace(table, cells=tuple(tall)))
    assert judged(with_table(*PRICES), of) == ""
    assert judged(with_table(PRICES[0], PRICES[2], PRICES[1], *PRICES[3:]), of) == "output_altered"


def test_an_amount_in_an_empty_column_is_found() -> None:
    rows = [(one, two, "", three) for one, two, three in (("Year", "Public", "Private"), ("1996", "2,667", "384"))]
    rows += [("1997", "2,746", "", "391"), ("1998", "2,830", "", "400")]
    of = page(lines_block(*PROSE, top=150, width=420), table_block(tuple(rows)))
    assert judged(with_table(*rows), of) == ""
    assert judged(with_table(*rows[:3], ("1998", "", "2,830", "400")), of) == "output_altered"


def test_captions_behind_a_figure_with_rotated_labels_are_accepted() -> None:
    label = lines_block("Molecular orbital of the first kind in eV per atom", top=100)
    axis = lines_block("Atomic orbital and its number in the usual order", top=60)
    caption = lines_block("Figure 1: The coefficient matrix", top=200)
    of = page(label, axis, caption, lines_block(*PROSE, top=300, width=420))
    assert judged(f"{label.text}\n\n{axis.text}\n\n{WHOLE}\n\n{caption.text}", of) == ""


def test_text_in_brackets_is_no_formula() -> None:
    of = page(lines_block("The ring of polynomials R[X1 and X2] over the real numbers is not a field"))
    answer = of.blocks[0].text.replace("[X1", "\\[X<sub>1</sub>").replace("X2]", "X<sub>2</sub>\\]")
    made = parsed_page(of, f"{answer}\n{end_line('m')}", marker="m")
    assert made.blocks[0].text == "The ring of polynomials R[X₁ and X₂] over the real numbers is not a field"


@pytest.mark.parametrize(
    ("printed", "answered"),
    [
        ("goods within", "within goods"),
        ("Miller", "Muller"),
        ("x ∪ y", "x ∩ y"),
        ("x ∪ y", "$x \\cap y$"),
        ("x ∪ y", "x ∪ z"),
        ("a + b", "a − b"),
        ("☑ paid", "☐ paid"),
    ],
)
def test_a_fluent_change_is_found(printed: str, answered: str) -> None:
    text = f"{WHOLE} as John Miller writes of x ∪ y and of a + b with its box ☑ paid"
    of = page(lines_block(*PROSE, text.removeprefix(WHOLE).strip(), top=150, width=420))
    assert judged(text, of) == ""
    assert judged(text.replace(printed, answered, 1), of) == "output_altered"


@pytest.mark.parametrize(
    ("printed", "answered"),
    [("x ∪ y ≤ z", "$x \\cup y \\leq z$"), ("log x", "$\\log x$"), ("☑ paid", "[x] paid"), ("⇔", "$\\iff$")],
)
def test_a_formula_in_latex_is_the_same(printed: str, answered: str) -> None:
    text = f"{WHOLE} of x ∪ y ≤ z and of log x ⇔ w with its box ☑ paid"
    of = page(lines_block(*PROSE, text.removeprefix(WHOLE).strip(), top=150, width=420))
    assert judged(text.replace(printed, answered, 1), of) == ""


def test_a_title_or_a_cell_of_one_word_is_not_left_out_unseen() -> None:
    title = lines_block("Conditions", top=240)
    title = msgspec.structs.replace(title, lines=(msgspec.structs.replace(title.lines[0], bold=True),))
    of = page(lines_block(*PROSE, top=150, width=420), title, table_block((*PRICES, ("Lentils", "", "", ""))))
    whole = with_table(*PRICES, ("Lentils", "", "", ""))
    titled = whole.replace("<table>", "# Conditions\n\n<table>")
    assert judged(titled, of) == ""
    assert judged(whole, of) == "output_altered"
    row = html((("Lentils", "", "", ""),)).removeprefix("<table>").removesuffix("</table>")
    assert judged(titled.replace(row, ""), of) == "output_altered"
    assert judged(titled.replace(row, 2 * row), of) == "output_altered"


def test_a_tick_in_another_column_is_found() -> None:
    rows = (("Rule", "Level one", "Level two"), ("Passwords", "✓", "✓"), ("Sessions", "", "✓"), ("Logs", "", "✓"))
    of = page(lines_block(*PROSE, top=150, width=420), table_block(rows))
    assert judged(with_table(*rows), of) == ""
    assert judged(with_table(*rows[:3], ("Logs", "✓", "")), of) == "output_altered"


def test_the_numbers_of_a_list_are_those_of_the_page() -> None:
    texts = ("The buyer pays within thirty days", "The seller stores the goods")
    items = [
        msgspec.structs.replace(lines_block(f"{n}. {text}", top=100 + 20 * n), type=BlockType.LIST_ITEM, text=text)
        for n, text in enumerate(texts, 4)
    ]
    printed = [msgspec.structs.replace(item, marker=f"{n}.") for n, item in enumerate(items, 4)]
    for answer in ("1. {}\n1. {}", "6. {}\n7. {}", "- {}\n- {}"):
        made = parsed_page(page(*printed), f"{answer.format(*texts)}\n{end_line('m')}", marker="m")
        assert [block.marker for block in made.blocks] == ["4.", "5."]


def test_a_blank_that_a_model_fills_in_is_found() -> None:
    text = f"{WHOLE} signed by ________ at the mill"
    of = page(lines_block(*PROSE, text.removeprefix(WHOLE).strip(), top=150, width=420))
    assert judged(text.replace("_", "\\_"), of) == ""
    assert judged(text.replace("________", "John Miller"), of) == "output_altered"
