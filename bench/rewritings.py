"""Answers of a model to a page, made from its finished blocks: right ones in many forms, and wrong ones.

Each function gets a case and a random generator. It returns the Markdown of the answer, or None if the page has nothing
that can be changed in this way.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

import msgspec

from apps.pages.layout.document.page_margins import margin_of
from apps.pages.model.blocks import Block, BlockType, Page
from apps.pages.output.render import RenderOptions, page_markdown

HTML, PIPE = RenderOptions(), RenderOptions(table_format="pipe")
_LATEX: dict[str, str | int | None] = {"²": "^{2}", "³": "^{3}", "×": "\\times ", "±": "\\pm ", "≤": "\\leq "}
_LATEX |= {"∫": "\\int ", "√": "\\sqrt ", "→": "\\to ", "∈": "\\in ", "∑": "\\sum ", "≥": "\\geq "}
_STRAIGHT: dict[str, str | int | None] = {"“": '"', "”": '"', "’": "'", "‘": "'", "…": "..."}
_SENTENCE = re.compile(r"(?<=[.!?。])\s*(?=\S)")
_DIGITS = re.compile(r"\d+(?:[.,]\d+)*")
INVENTED = "The committee has approved the final version without any further changes to the annex."

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

    return re.sub(r"\b([a-z]{3,})([a-z]{3,})(?= [a-z])", broken, _prose(case))


def other_lists(case: Case, rng: random.Random) -> str:
    text = re.sub(r"^( *)- ", r"\1* ", markdown(case[1]), flags=re.MULTILINE)
    return re.sub(r"^\d{1,3}[.)] ", rng.choice(["1. ", "- "]), text, flags=re.MULTILINE)


def other_spaces(case: Case, rng: random.Random) -> str:
    spread = re.sub(r"(?<=[a-z]) (?=[a-z])", lambda _: rng.choice([" ", " ", "\n", "  "]), _prose(case))
    return spread.replace("\n\n", "\n\n\n")


def formulas_as_latex(case: Case, rng: random.Random) -> str:
    text = _prose(case).translate(str.maketrans(_LATEX))
    return re.sub(r"(?<= )([a-z]) = ", r"$\1 = $ ", text)


def typography(case: Case, rng: random.Random) -> str:
    text = markdown(case[1], PIPE)
    straight = text.translate(str.maketrans(_STRAIGHT))
    return straight if straight != text else text.replace("'", "’").replace(" - ", " – ")


def running_lines_kept(case: Case, rng: random.Random) -> str:
    kinds = (BlockType.PAGE_HEADER, BlockType.PAGE_FOOTER)
    return markdown([msgspec.structs.replace(b, type=BlockType.PARAGRAPH) if b.type in kinds else b for b in case[1]])


def other_order(case: Case, rng: random.Random) -> str | None:
    blocks = shown(case)
    middle = len(blocks) // 2
    return markdown(blocks[middle:] + blocks[:middle]) if middle else None


def block_moved(case: Case, rng: random.Random) -> str | None:
    blocks = shown(case)
    if len(blocks) < 3:
        return None
    moved = blocks.pop(rng.randrange(len(blocks)))
    blocks.insert(rng.randrange(len(blocks)), moved)
    return markdown(blocks)


def emphasis(case: Case, rng: random.Random) -> str:
    def bold(found: re.Match[str]) -> str:
        return f"**{found.group()}**" if rng.random() < 0.1 else found.group()

    return re.sub(r"(?<= )[a-z]{4,}(?= )", bold, _prose(case))


def fenced_with_chat(case: Case, rng: random.Random) -> str:
    return f"Sure, here is the page converted to Markdown:\n\n```markdown\n{markdown(case[1])}\n```"


def one_line_per_line(case: Case, rng: random.Random) -> str:
    return "\n\n".join(
        "\n".join(line.text for line in block.lines)
        if block.type is BlockType.PARAGRAPH and block.lines
        else markdown([block])
        for block in shown(case)
    )


def _prose(case: Case) -> str:
    return "\n\n".join(text for block in shown(case) if (text := markdown([block], PIPE)))


# --- wrong answers ---


def without_sentence(case: Case, rng: random.Random) -> str | None:
    def drop_sentence(text: str) -> str | None:
        sentences = _SENTENCE.split(text)
        long = [number for number, sentence in enumerate(sentences) if sentence.count(" ") >= 7]
        if len(sentences) < 2 or not long:
            return None
        del sentences[rng.choice(long)]
        return " ".join(sentences)

    return _one_changed(case, rng, drop_sentence)


def without_paragraph(case: Case, rng: random.Random) -> str | None:
    blocks = shown(case)
    # Text left out in the margins is restored from the page (``align``), so only body paragraphs count.
    long = [
        number
        for number, block in enumerate(blocks)
        if block.type is BlockType.PARAGRAPH and block.text.count(" ") >= 12 and not margin_of(case[0], block)
    ]
    if len(blocks) < 2 or not long:
        return None
    del blocks[rng.choice(long)]
    return markdown(blocks)


def without_row(case: Case, rng: random.Random) -> str | None:
    blocks = shown(case)
    rows = [
        (number, row)
        for number, block in enumerate(blocks)
        for row in sorted({cell.row for cell in block.cells})
        if sum(len(cell.text) for cell in block.cells if cell.row == row) >= 12
    ]
    if not rows:
        return None
    number, row = rng.choice(rows)
    block = blocks[number]
    blocks[number] = msgspec.structs.replace(block, cells=tuple(cell for cell in block.cells if cell.row != row))
    return markdown(blocks)


def without_last(share: float) -> Rewriting:
    def rewrite(case: Case, rng: random.Random) -> str:
        text = _prose(case)
        return text[: int(len(text) * (1 - share))]

    return rewrite


def digit_changed(case: Case, rng: random.Random) -> str | None:
    def change(number: str) -> str | None:
        place = rng.choice([place for place, sign in enumerate(number) if sign.isdigit()])
        return number[:place] + rng.choice([d for d in "0123456789" if d != number[place]]) + number[place + 1 :]

    return _number_changed(case, rng, change)


def digits_swapped(case: Case, rng: random.Random) -> str | None:
    def change(number: str) -> str | None:
        places = [p for p in range(len(number) - 1) if number[p : p + 2].isdigit() and number[p] != number[p + 1]]
        if not places:
            return None
        place = rng.choice(places)
        return number[:place] + number[place + 1] + number[place] + number[place + 2 :]

    return _number_changed(case, rng, change)


def point_moved(case: Case, rng: random.Random) -> str | None:
    def change(number: str) -> str | None:
        whole, point, rest = number.partition(".")
        if not point or "." in rest or "," in rest:
            return None
        return (
            f"{whole}{rest[0]}.{rest[1:]}"
            if len(rest) > 1
            else f"{whole[:-1]}.{whole[-1]}{rest}"
            if len(whole) > 1
            else None
        )

    return _number_changed(case, rng, change)


def sentence_invented(case: Case, rng: random.Random) -> str:
    blocks = _prose(case).split("\n\n")
    blocks.insert(rng.randrange(len(blocks) + 1), INVENTED)
    return "\n\n".join(blocks)


def another_page(case: Case, rng: random.Random) -> str | None:
    return markdown(case[2]) if case[2] else None


def repeated(case: Case, rng: random.Random) -> str | None:
    text = _prose(case)
    return text + "\n\n" + "\n\n".join([text.split("\n\n")[-1]] * 40)


def _one_changed(case: Case, rng: random.Random, change: Callable[[str], str | None]) -> str | None:
    blocks = shown(case)
    order = [number for number, block in enumerate(blocks) if block.text]
    rng.shuffle(order)
    for number in order:
        text = change(blocks[number].text)
        if text is not None:
            blocks[number] = msgspec.structs.replace(blocks[number], text=text)
            return markdown(blocks)
    return None


def _number_changed(case: Case, rng: random.Random, change: Callable[[str], str | None]) -> str | None:
    """Return the answer with one number changed, in a text or a cell."""
    blocks = shown(case)
    places: list[tuple[int, int | None, re.Match[str]]] = []
    for n, block in enumerate(blocks):
        places += [(n, None, found) for found in _DIGITS.finditer(block.text)]
        places += [(n, c, found) for c, cell in enumerate(block.cells) for found in _DIGITS.finditer(cell.text)]
    rng.shuffle(places)
    for number, index, found in places:
        new = change(found.group())
        if new is None:
            continue
        block = blocks[number]
        text = block.text if index is None else block.cells[index].text
        text = text[: found.start()] + new + text[found.end() :]
        if index is None:
            blocks[number] = msgspec.structs.replace(block, text=text)
        else:
            cells = list(block.cells)
            cells[index] = msgspec.structs.replace(cells[index], text=text)
            blocks[number] = msgspec.structs.replace(block, cells=tuple(cells))
        return markdown(blocks)
    return None


RIGHT: tuple[Rewriting, ...] = (
    as_it_is,
    pipe_tables,
    other_headings,
    hyphens_as_printed,
    other_lists,
    other_spaces,
    typography,
    running_lines_kept,
    other_order,
    block_moved,
    emphasis,
    fenced_with_chat,
    one_line_per_line,
    formulas_as_latex,
)
WRONG: dict[str, Rewriting] = {
    "a sentence left out": without_sentence,
    "a paragraph left out": without_paragraph,
    "a table row left out": without_row,
    "the last 10 % left out": without_last(0.1),
    "the last 30 % left out": without_last(0.3),
    "a digit changed": digit_changed,
    "two digits swapped": digits_swapped,
    "a decimal point moved": point_moved,
    "a sentence invented": sentence_invented,
    "the answer of another page": another_page,
    "a loop at the end": repeated,
}
# The wrong answers that are measured on pages read by OCR, where the model corrects OCR errors.
OCR_WRONG = [name for name in WRONG if "left out" in name or "page" in name or "loop" in name]
