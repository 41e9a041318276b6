"""Right answers of a model to a page in many forms, made from its finished blocks.

Each function gets a case and a random generator. It returns the Markdown of the answer, or None if the page has nothing
that can be changed in this way.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

import msgspec

from apps.pages.layout.document.captions_notes import has_caption_label
from apps.pages.model.blocks import Block, BlockType, Page
from apps.pages.output.render import RenderOptions, page_markdown

HTML, PIPE = RenderOptions(), RenderOptions(table_format="pipe")
_LATEX: dict[str, str | int | None] = {"²": "^{2}", "³": "^{3}", "×": "\\times ", "±": "\\pm ", "≤": "\\leq "}
_LATEX |= {"∫": "\\int ", "√": "\\sqrt ", "→": "\\to ", "∈": "\\in ", "∑": "\\sum ", "≥": "\\geq "}
_STRAIGHT: dict[str, str | int | None] = {"“": '"', "”": '"', "’": "'", "‘": "'", "…": "..."}
SENTENCE = re.compile(r"(?<=[.!?])\s+(?=\S)|(?<=。)(?=\S)")
_UNITS = {"%": "\\%", "°C": "^\\circ\\mathrm{C}"}

Case = tuple[Page, list[Block], list[Block]]  # the page, its finished blocks, those of another page
Rewriting = Callable[[Case, random.Random], str | None]


def shown(case: Case) -> list[Block]:
    """Return the blocks that the Markdown of a page shows."""
    left_out = (BlockType.PICTURE, BlockType.PAGE_HEADER, BlockType.PAGE_FOOTER)
    return [block for block in case[1] if block.type not in left_out]


def markdown(blocks: Sequence[Block], options: RenderOptions = HTML) -> str:
    return page_markdown(blocks, options)


# --- right answers ---


def as_it_is(case: Case, rng: random.Random) -> str:
    return markdown(case[1])


def pipe_tables(case: Case, rng: random.Random) -> str:
    return markdown(case[1], PIPE)


def other_headings(case: Case, rng: random.Random) -> str:
    return re.sub(r"^#{1,6}(?= )", lambda _: "#" * rng.randint(1, 4), markdown(case[1]), flags=re.MULTILINE)


def hyphens_as_printed(case: Case, rng: random.Random) -> str:
    def broken(found: re.Match[str]) -> str:
        return f"{found.group(1)}-\n{found.group(2)}" if rng.random() < 0.1 else found.group()

    return in_prose(case, lambda text: re.sub(r"\b([a-z]{3,})([a-z]{3,})(?= [a-z])", broken, text))


def other_lists(case: Case, rng: random.Random) -> str:
    text = re.sub(r"^( *)- ", r"\1* ", markdown(case[1]), flags=re.MULTILINE)
    return re.sub(r"^\d{1,3}[.)] ", rng.choice(["1. ", "- "]), text, flags=re.MULTILINE)


def other_spaces(case: Case, rng: random.Random) -> str:
    def spread(text: str) -> str:
        return re.sub(r"(?<=[a-z]) (?=[a-z])", lambda _: rng.choice([" ", " ", "\n", "  "]), text)

    return in_prose(case, spread).replace("\n\n", "\n\n\n")


def formulas_as_latex(case: Case, rng: random.Random) -> str:
    def marked(text: str) -> str:
        text = re.sub(r"(?<= )([a-z]) = ", r"$\1 = $ ", text.translate(str.maketrans(_LATEX)))
        return re.sub(r"(?<= )(\d+(?:[.,]\d+)?) ?(%|°C)", lambda m: f"${m[1]} {_UNITS[m[2]]}$", text)

    return in_prose(case, marked)


def typography(case: Case, rng: random.Random) -> str:
    text = markdown(case[1], PIPE)
    straight = text.translate(str.maketrans(_STRAIGHT))
    return straight if straight != text else text.replace("'", "’").replace(" - ", " – ")


def running_lines_kept(case: Case, rng: random.Random) -> str:
    kinds = (BlockType.PAGE_HEADER, BlockType.PAGE_FOOTER)
    return markdown([msgspec.structs.replace(b, type=BlockType.PARAGRAPH) if b.type in kinds else b for b in case[1]])


def columns_in_other_order(case: Case, rng: random.Random) -> str | None:
    """Read the right one of two columns first."""
    page, blocks = case[0], shown(case)
    middle = page.width / 2
    left = [block for block in blocks if block.box.x1 <= middle + 10]
    beside = [block for block in blocks if block.box.x0 >= middle - 10]
    if len(left) < 2 or len(beside) < 2 or len(left) + len(beside) < len(blocks):
        return None
    return markdown(beside + left)


def captions_and_notes_last(case: Case, rng: random.Random) -> str | None:
    blocks = shown(case)
    last = [
        b for b in blocks if b.type is BlockType.FOOTNOTE or (b.type is BlockType.CAPTION and has_caption_label(b.text))
    ]
    return markdown([block for block in blocks if block not in last] + last) if last else None


def paragraphs_joined(case: Case, rng: random.Random) -> str | None:
    blocks = shown(case)
    for number in range(len(blocks) - 1):
        one, two = blocks[number : number + 2]
        if one.type is two.type is BlockType.PARAGRAPH:
            joined = msgspec.structs.replace(one, text=f"{one.text} {two.text}", spans=())
            return markdown([*blocks[:number], joined, *blocks[number + 2 :]])
    return None


def paragraph_parted(case: Case, rng: random.Random) -> str | None:
    blocks = shown(case)
    for number, block in enumerate(blocks):
        sentences = SENTENCE.split(block.text)
        if block.type is BlockType.PARAGRAPH and len(sentences) > 1:
            parts = [msgspec.structs.replace(block, text=text, spans=()) for text in sentences]
            return markdown([*blocks[:number], *parts, *blocks[number + 1 :]])
    return None


def ligatures(case: Case, rng: random.Random) -> str:
    return markdown(case[1]).replace("ffi", "\ufb03").replace("fi", "\ufb01").replace("fl", "\ufb02")


def other_dashes(case: Case, rng: random.Random) -> str:
    text = re.sub(r"(?<=\d)[-\u2013](?=\d)", lambda _: rng.choice("-\u2013"), markdown(case[1]))
    return re.sub(r"(?<=[ >])[-\u2212\u2013](?=\d)", "\u2212", text)


def spaces_at_units(case: Case, rng: random.Random) -> str:
    return re.sub(r"(?<=\d)[ \u00a0]?(?=%|kg\b|mm\b)", lambda _: rng.choice(["", " ", "\u00a0"]), markdown(case[1]))


def bold_cells(case: Case, rng: random.Random) -> str:
    return re.sub(r"<t([hd])([^>]*)>([^<>*]{2,40})</t", r"<t\1\2>**\3**</t", markdown(case[1]))


def emphasis(case: Case, rng: random.Random) -> str:
    def bold(found: re.Match[str]) -> str:
        return f"**{found.group()}**" if rng.random() < 0.1 else found.group()

    return in_prose(case, lambda text: re.sub(r"(?<= )[a-z]{4,}(?= )", bold, text))


def fenced_with_chat(case: Case, rng: random.Random) -> str:
    return f"Sure, here is the page converted to Markdown:\n\n```markdown\n{markdown(case[1])}\n```"


def one_line_per_line(case: Case, rng: random.Random) -> str:
    return "\n\n".join(
        "\n".join(line.text.replace("<", "&lt;") for line in block.lines)
        if block.type is BlockType.PARAGRAPH and block.lines
        else markdown([block])
        for block in shown(case)
    )


def in_prose(case: Case, rewrite: Callable[[str], str]) -> str:
    """Return the answer with everything but its tables rewritten."""
    texts = [(block, markdown([block], PIPE)) for block in shown(case)]
    return "\n\n".join(text if block.cells else rewrite(text) for block, text in texts if text)


RIGHT: tuple[Rewriting, ...] = (
    as_it_is,
    pipe_tables,
    other_headings,
    hyphens_as_printed,
    other_lists,
    other_spaces,
    typography,
    ligatures,
    other_dashes,
    spaces_at_units,
    running_lines_kept,
    columns_in_other_order,
    captions_and_notes_last,
    paragraphs_joined,
    paragraph_parted,
    emphasis,
    bold_cells,
    fenced_with_chat,
    one_line_per_line,
    formulas_as_latex,
)
