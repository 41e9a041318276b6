"""Answers that are a list of regions, each with a kind, a box and its content: dots.ocr, DeepSeek-OCR, MinerU."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from apps.pages.model.blocks import BlockType
from apps.pages.model.geometry import Box
from apps.parsing.answers.dialects import otsl
from apps.parsing.answers.dialects.page_scale import PageScale
from apps.parsing.answers.drafts import Draft
from apps.parsing.answers.markup import formulas, markdown
from apps.parsing.errors import UnusableAnswer

# dots.ocr's processor makes both sides of a picture multiples of this, and answers in pixels of the result.
DOTS_GRID_PIXELS = 28
DEEPSEEK_GRID = 999
MINERU_GRID = 1000
MAX_REGIONS = 2_000
_KINDS = {
    **dict.fromkeys(("title", "doc_title"), BlockType.HEADING),
    **dict.fromkeys(("section-header", "sub_title", "paragraph_title"), BlockType.HEADING),
    **dict.fromkeys(("page-header", "header"), BlockType.PAGE_HEADER),
    **dict.fromkeys(("page-footer", "footer", "page_number"), BlockType.PAGE_FOOTER),
    **dict.fromkeys(("footnote", "page_footnote", "table_footnote", "image_footnote"), BlockType.FOOTNOTE),
    **dict.fromkeys(("caption", "image_caption", "table_caption", "code_caption", "figure_title"), BlockType.CAPTION),
    **dict.fromkeys(("picture", "image", "figure", "chart"), BlockType.PICTURE),
    **dict.fromkeys(("code", "algorithm"), BlockType.CODE),
}
_FORMULAS = frozenset({"formula", "equation", "interline_equation", "isolate_formula"})
_NUMBERS = r"\[\[?\s*([\d.,\s]+?)\s*\]"
_DEEPSEEK = re.compile(
    rf"<\|ref\|>(?P<kind>[^<|]{{1,40}})<\|/ref\|>\s*<\|det\|>{_NUMBERS}[^<]{{0,200}}<\|/det\|>"
    rf"|<\|det\|>(?P<kind_inside>\w{{1,40}})\s*{_NUMBERS}[^<]{{0,200}}<\|/det\|>"
    rf"|^(?P<bare_kind>[a-z_]{{1,40}}){_NUMBERS}\][ \t]*$",  # where the server has removed the tokens
    re.MULTILINE,
)
_MINERU = re.compile(
    r"<\|box_start\|>\s*([\d\s]{1,40}?)\s*<\|box_end\|><\|ref_start\|>(\w{1,40})<\|ref_end\|>(?:<\|rotate_\w{1,10}\|>)?"
    r"\s*(?:<\|md_start\|>)?"
)


class _Element(msgspec.Struct):
    """An element of dots.ocr's answer."""

    category: str
    bbox: list[float] = []
    text: str = ""


def read_dots(text: str, scale: PageScale) -> list[Draft]:
    """Read dots.ocr's JSON: a list of elements, whose text is Markdown, HTML (tables) or LaTeX (formulas)."""
    begin, end = text.find("["), text.rfind("]")
    try:
        elements = msgspec.json.decode(text[begin : end + 1].encode(), type=list[_Element])
    except msgspec.MsgspecError as error:
        raise UnusableAnswer("The answer is not a list of elements in JSON.") from error
    width, height = (
        max(DOTS_GRID_PIXELS, round(side / DOTS_GRID_PIXELS) * DOTS_GRID_PIXELS)
        for side in (scale.picture_width, scale.picture_height)
    )
    return _drafts([(each.category.lower(), scale.box(each.bbox, width, height), each.text) for each in elements])


def read_deepseek(text: str, scale: PageScale) -> list[Draft]:
    """Read DeepSeek-OCR's Markdown with a mark before each region; its boxes are thousandths of the picture."""
    return _drafts(_marked_regions(text, _DEEPSEEK, scale, DEEPSEEK_GRID))


def read_mineru(text: str, scale: PageScale) -> list[Draft]:
    """Read MinerU's regions; their text is Markdown, OTSL or HTML (tables) or LaTeX (formulas)."""
    return _drafts(_marked_regions(text.replace("<|md_end|>", ""), _MINERU, scale, MINERU_GRID))


def _marked_regions(
    text: str, mark: re.Pattern[str], scale: PageScale, grid: int
) -> Iterator[tuple[str, Box | None, str]]:
    """Yield the kind, box and content of each region; text before the first mark has no box."""
    found = list(mark.finditer(text))
    yield "text", None, text[: found[0].start()] if found else text
    for place, each in enumerate(found):
        following = found[place + 1].start() if place + 1 < len(found) else len(text)
        parts = [part for part in each.groups() if part]
        numbers = next(part for part in parts if part[0].isdigit())
        kind = next(part for part in parts if not part[0].isdigit())
        sides = [float(number) for number in re.findall(r"\d{1,9}(?:\.\d{1,9})?", numbers)]
        yield kind.strip().lower(), scale.box(sides[:4], grid, grid), text[each.end() : following]


def _drafts(regions: Iterator[tuple[str, Box | None, str]] | list[tuple[str, Box | None, str]]) -> list[Draft]:
    drafts: list[Draft] = []
    for kind, box, content in regions:
        drafts += [msgspec.structs.replace(draft, box=box) for draft in _region_drafts(kind, content)]
        if len(drafts) > MAX_REGIONS:
            raise UnusableAnswer(f"The answer has more than {MAX_REGIONS} regions.")
    return drafts


def _region_drafts(kind: str, content: str) -> list[Draft]:
    """Return the blocks of one region. What its content looks like decides, then what the model calls it."""
    if kind in _FORMULAS:
        source = content.strip().removeprefix("$$").removesuffix("$$").removeprefix("\\[").removesuffix("\\]")
        if latex := formulas.safe_latex(source):
            return [Draft(BlockType.PARAGRAPH, latex, latex=latex)]
    if otsl.TOKEN.search(content):
        return [otsl.table_of(content)]
    block_type = _KINDS.get(kind)
    if block_type is BlockType.CODE and "```" not in content:
        return [Draft(BlockType.CODE, content.strip("\n"))] if content.strip() else []
    drafts = markdown.drafts_of(content)
    if block_type is BlockType.PICTURE and not any(draft.type is BlockType.PICTURE for draft in drafts):
        return [Draft(BlockType.PICTURE), *drafts]
    if block_type is None or block_type is BlockType.PICTURE:
        return drafts
    level = 1 if kind in ("title", "doc_title") else 2
    return [
        msgspec.structs.replace(
            draft, type=block_type, level=draft.level or level if block_type is BlockType.HEADING else 0
        )
        if draft.type in (BlockType.PARAGRAPH, BlockType.HEADING)
        else draft
        for draft in drafts
    ]
