"""Document models answer in forms of their own: each becomes the same kinds of blocks, with boxes where it has them."""

from __future__ import annotations

import json

import pytest

from apps.pages.model.blocks import Block, BlockType, Line, Page, TextSpan
from apps.pages.model.geometry import Box
from apps.pages.output.render import RenderOptions, page_markdown
from apps.parsing.answers.dialects.page_scale import PageScale
from apps.parsing.answers.dialects.readers import READERS
from apps.parsing.answers.drafts import Draft
from apps.parsing.answers.parse_answer import drafts_of, page_of_drafts
from apps.parsing.errors import UnusableAnswer
from apps.providers.model_facts.dialects import DIALECTS, dialect_problems

# A page of 500 x 1000 points, whose picture has 1000 x 2000 pixels.
SCALE = PageScale(500, 1000, 1008, 2016)

DOTS = json.dumps(
    [
        {"bbox": [100, 100, 908, 140], "category": "Title", "text": "# Annual report"},
        {"bbox": [100, 200, 908, 300], "category": "Text", "text": "Sales **rose** by 4 %."},
        {"bbox": [100, 310, 908, 330], "category": "Section-header", "text": "## 2 Costs"},
        {"bbox": [100, 340, 908, 400], "category": "List-item", "text": "- rent"},
        {"bbox": [100, 420, 908, 500], "category": "Formula", "text": "$$ E = mc^2 $$"},
        {"bbox": [100, 520, 908, 900], "category": "Table", "text": "<table><tr><td>Rent</td><td>7</td></tr></table>"},
        {"bbox": [100, 920, 908, 1200], "category": "Picture"},
        {"bbox": [100, 1210, 908, 1240], "category": "Caption", "text": "Figure 1: A chart"},
        {"bbox": [480, 1900, 520, 1930], "category": "Page-footer", "text": "3"},
    ]
)
DEEPSEEK = """\
<|ref|>title<|/ref|><|det|>[[99, 50, 900, 70]]<|/det|>
# Annual report

<|ref|>text<|/ref|><|det|>[[99, 100, 900, 150]]<|/det|>
Sales **rose** by 4 %.

<|ref|>sub_title<|/ref|><|det|>[[99, 155, 900, 165]]<|/det|>
## 2 Costs

<|ref|>text<|/ref|><|det|>[[99, 170, 900, 200]]<|/det|>
- rent

<|ref|>equation<|/ref|><|det|>[[99, 210, 900, 250]]<|/det|>
\\[ E = mc^2 \\]

<|ref|>table<|/ref|><|det|>[[99, 260, 900, 450]]<|/det|>
<table><tr><td>Rent</td><td>7</td></tr></table>

<|ref|>image<|/ref|><|det|>[[99, 460, 900, 600]]<|/det|>

<|ref|>image_caption<|/ref|><|det|>[[99, 605, 900, 620]]<|/det|>
Figure 1: A chart
"""
MINERU = (
    "<|box_start|>100 050 900 070<|box_end|><|ref_start|>title<|ref_end|><|md_start|># Annual report<|md_end|>\n"
    "<|box_start|>100 100 900 150<|box_end|><|ref_start|>text<|ref_end|><|rotate_up|><|md_start|>"
    "Sales **rose** by 4 %.<|md_end|>\n"
    "<|box_start|>100 155 900 165<|box_end|><|ref_start|>title<|ref_end|><|md_start|>## 2 Costs<|md_end|>\n"
    "<|box_start|>100 170 900 200<|box_end|><|ref_start|>list<|ref_end|><|md_start|>- rent<|md_end|>\n"
    "<|box_start|>100 210 900 250<|box_end|><|ref_start|>equation<|ref_end|><|md_start|>\\[E = mc^2\\]<|md_end|>\n"
    "<|box_start|>100 260 900 450<|box_end|><|ref_start|>table<|ref_end|><|md_start|>"
    "<fcel>Rent<fcel>7<nl><|md_end|>\n"
    "<|box_start|>100 460 900 600<|box_end|><|ref_start|>image<|ref_end|><|md_start|><|md_end|>\n"
    "<|box_start|>100 605 900 620<|box_end|><|ref_start|>image_caption<|ref_end|><|md_start|>"
    "Figure 1: A chart<|md_end|>\n"
)
DOCTAGS = """\
<doctag><page_header><loc_50><loc_5><loc_450><loc_12>Acme</page_header>
<title><loc_50><loc_25><loc_450><loc_35>Annual report</title>
<text><loc_50><loc_50><loc_450><loc_75>Sales rose by 4 %.</text>
<section_header_level_1><loc_50><loc_77><loc_450><loc_82>2 Costs</section_header_level_1>
<unordered_list><list_item><loc_50><loc_85><loc_450><loc_100>rent</list_item></unordered_list>
<formula><loc_50><loc_105><loc_450><loc_125>E = mc ^ { 2 }</formula>
<otsl><loc_50><loc_130><loc_450><loc_225><fcel>Rent<fcel>7<nl></otsl>
<picture><loc_50><loc_230><loc_450><loc_300><bar_chart><caption><loc_50><loc_302><loc_450><loc_310>\
Figure 1: A chart</caption></picture>
</doctag>"""
MARKDOWN_BODY = """\
# Annual report

Sales **rose** by 4 %.

## 2 Costs

- rent

$$ E = mc^2 $$

<table><tr><td>Rent</td><td>7</td></tr></table>
"""
OLMOCR = (
    "---\nprimary_language: en\nis_rotation_valid: True\nrotation_correction: 0\nis_table: False\nis_diagram: False\n"
    f"---\n{MARKDOWN_BODY}\n![A chart](page_101_922_806_280.png)\n\nFigure 1: A chart"
)
NANONETS = f"{MARKDOWN_BODY}\n<img>A chart</img>\n\nFigure 1: A chart\n\n<page_number>3</page_number>"
PADDLEOCR = MARKDOWN_BODY.replace("<table><tr><td>Rent</td><td>7</td></tr></table>", "<fcel>Rent<fcel>7<nl>")
ANSWERS = {
    "dots_ocr": DOTS,
    "deepseek_ocr": DEEPSEEK,
    "mineru": MINERU,
    "doctags": DOCTAGS,
    "olmocr": OLMOCR,
    "nanonets_ocr": NANONETS,
    "paddleocr_vl": PADDLEOCR,
}


def of_type(drafts: list[Draft], kind: BlockType) -> list[Draft]:
    return [draft for draft in drafts if draft.type is kind]


def test_every_dialect_has_a_reader_and_an_answer_here() -> None:
    assert set(READERS) == set(ANSWERS) == set(DIALECTS) - {"", "markdown"}


@pytest.mark.parametrize("dialect", ANSWERS)
def test_an_answer_becomes_blocks(dialect: str) -> None:
    drafts = READERS[dialect](ANSWERS[dialect], SCALE)
    title, section = of_type(drafts, BlockType.HEADING)
    assert (title.text, title.level, section.text, section.level) == ("Annual report", 1, "2 Costs", 2)
    assert "Sales rose by 4 %." in [draft.text for draft in of_type(drafts, BlockType.PARAGRAPH)]
    [item] = of_type(drafts, BlockType.LIST_ITEM)
    assert (item.text, item.marker, item.level) == ("rent", "-", 1)
    [formula] = [draft for draft in drafts if draft.latex]
    assert formula.latex.replace(" ", "").replace("{2}", "2") == "E=mc^2"
    [table] = of_type(drafts, BlockType.TABLE)
    assert [(cell.row, cell.column, cell.text) for cell in table.cells] == [(0, 0, "Rent"), (0, 1, "7")]


@pytest.mark.parametrize("dialect", ["dots_ocr", "deepseek_ocr", "mineru", "doctags"])
def test_boxes_of_an_answer_are_places_on_the_page(dialect: str) -> None:
    drafts = READERS[dialect](ANSWERS[dialect], SCALE)
    [table] = of_type(drafts, BlockType.TABLE)
    [picture] = of_type(drafts, BlockType.PICTURE)
    [caption] = of_type(drafts, BlockType.CAPTION)
    for draft, sides in ((table, (50, 260, 450, 450)), (picture, (50, 460, 450, 600)), (caption, (50, 605, 450, 620))):
        assert draft.box is not None
        found = (draft.box.x0, draft.box.top, draft.box.x1, draft.box.bottom)
        assert found == pytest.approx(sides, abs=6)
    assert caption.text == "Figure 1: A chart"


def test_a_picture_has_the_place_and_the_description_of_olmocr() -> None:
    [picture] = of_type(READERS["olmocr"](OLMOCR, SCALE), BlockType.PICTURE)
    assert picture.text == "A chart"
    assert picture.box is not None
    assert (picture.box.x0, picture.box.top) == pytest.approx((50.1, 457.3), abs=0.1)


def test_nanonets_tags_are_a_picture_a_page_number_and_a_watermark() -> None:
    drafts = READERS["nanonets_ocr"]("<watermark>DRAFT</watermark>\nText\n<img>A <b>seal</b></img>", SCALE)
    assert [draft.text for draft in of_type(drafts, BlockType.PICTURE)] == ["A seal"]
    assert {draft.text for draft in of_type(drafts, BlockType.PARAGRAPH)} >= {"Text", "DRAFT"}
    assert [draft.text for draft in of_type(READERS["nanonets_ocr"](NANONETS, SCALE), BlockType.PAGE_FOOTER)] == ["3"]


def test_deepseek_without_its_special_tokens_is_read() -> None:
    plain = DEEPSEEK.replace("<|ref|>", "").replace("<|/ref|><|det|>", "").replace("<|/det|>", "")
    assert READERS["deepseek_ocr"](plain, SCALE) == READERS["deepseek_ocr"](DEEPSEEK, SCALE)


def test_merged_cells_of_otsl() -> None:
    otsl = "<ched>Year<ched>Sales<lcel><nl><ucel><fcel>A<fcel>**B**<nl><fcel>1<fcel>2<xcel><nl>"
    [table] = READERS["doctags"](f"<doctag><otsl>{otsl}</otsl></doctag>", SCALE)
    cells = {cell.text: cell for cell in table.cells}
    assert (cells["Year"].row_span, cells["Year"].header, cells["Sales"].column_span) == (2, True, 2)
    assert cells["B"].spans == (TextSpan(0, 1, bold=True),)
    assert (cells["1"].row, cells["1"].column) == (2, 0)


def test_doctags_lists_keep_their_numbers_levels_and_check_boxes() -> None:
    answer = (
        "<doctag><ordered_list><list_item>one</list_item><list_item>two</list_item>"
        "<unordered_list><list_item>deep</list_item></unordered_list></ordered_list>"
        "<checkbox_selected>Yes</checkbox_selected><list_item>b) letter</list_item></doctag>"
    )
    found = [(draft.marker, draft.level, draft.text) for draft in READERS["doctags"](answer, SCALE)]
    assert found == [("1.", 1, "one"), ("2.", 1, "two"), ("-", 2, "deep"), ("[x]", 1, "Yes"), ("b)", 1, "letter")]


def test_code_in_doctags_keeps_its_lines() -> None:
    [code] = READERS["doctags"](
        "<doctag><code><loc_1><loc_1><loc_9><loc_9><_Python_>def f():\n    pass</code></doctag>", SCALE
    )
    assert (code.type, code.text) == (BlockType.CODE, "def f():\n    pass")


@pytest.mark.parametrize("dialect", ANSWERS)
def test_no_text_of_an_answer_is_lost(dialect: str) -> None:
    """What stands outside of the expected form is kept as text, or the answer is refused."""
    for answer in ("Just a sentence of the page.", ANSWERS[dialect] + "\n\nOne more line at the end."):
        try:
            drafts = READERS[dialect](answer, SCALE)
        except UnusableAnswer:
            continue
        said = " ".join(draft.text for draft in drafts)
        assert "sentence" in said or ("One more line at the end." in said) or dialect == "dots_ocr"


@pytest.mark.parametrize("dialect", ANSWERS)
@pytest.mark.parametrize(
    "hostile",
    [
        "<otsl>" * 20_000,
        "<fcel>" * 200_000,
        "<|ref|>" * 50_000,
        "<|box_start|>1 1 1 1<|box_end|><|ref_start|>text<|ref_end|>" * 5_000,
        "<|det|>text[[1,1,1,1]]<|/det|>" * 5_000,
        "[" * 100_000,
        '[{"category": "Text", "bbox": [1e308, -1e308, 1, 2], "text": "x"}]',
        "<text>" * 50_000,
        "---\n" * 50_000,
        "<img>" * 50_000,
        "<list_item>a</list_item>" * 20_000,
    ],
)
@pytest.mark.timeout(30)
def test_hostile_answers_are_read_or_refused_in_time(dialect: str, hostile: str) -> None:
    try:
        drafts = READERS[dialect](hostile, SCALE)
    except UnusableAnswer:
        return
    assert all(draft.box is None or 0 <= draft.box.x0 <= draft.box.x1 <= 500 for draft in drafts)


def test_blocks_without_words_on_the_page_are_where_the_model_says() -> None:
    place = Box(50, 605, 450, 620)
    page = Page(
        1,
        500,
        1000,
        blocks=(Block(BlockType.PARAGRAPH, place, "Figure 1: A chart", (Line("Figure 1: A chart", place),)),),
    )
    made = page_of_drafts(page, drafts_of(page, DEEPSEEK, dialect="deepseek_ocr", is_finished=True))
    boxes = {block.text: block.box for block in made.blocks}
    title = boxes["Annual report"]
    assert (title.x0, title.top, title.x1, title.bottom) == pytest.approx((49.55, 50.05, 450.45, 70.07), abs=0.01)
    assert boxes["Figure 1: A chart"] == place
    assert page_markdown(made.blocks, RenderOptions()).startswith("# Annual report\n\nSales **rose** by 4 %.")


def form_problems(dialect: str, prompt: str, picture_pixels: int | None, page_parsers: list[str]) -> list[str]:
    return dialect_problems(dialect=dialect, prompt=prompt, picture_pixels=picture_pixels, page_parsers=page_parsers)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (("dots", "", None, ["lvm"]), "dialect: 'dots' is not one of"),
        (("dots_ocr", "", None, ["lvm", "llm"]), "dialect: a model with its own form"),
        (("", "Read this", None, ["lvm"]), "prompt: "),
        (("olmocr", "", 10, ["lvm"]), "picture_pixels: 256 to 4000"),
        (("olmocr", "", True, ["lvm"]), "picture_pixels"),
    ],
)
def test_a_form_that_cannot_work_is_refused(settings: tuple[str, str, int | None, list[str]], problem: str) -> None:
    assert [found for found in form_problems(*settings) if problem in found]


def test_a_form_with_its_own_prompt_and_picture_is_accepted() -> None:
    assert form_problems("markdown", "Read it all.", 1024, ["lvm"]) == []
    assert form_problems("", "", None, ["llm", "lvm", "agent"]) == []
