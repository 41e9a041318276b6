"""Wrong answers of a model to a page, made from its finished blocks: what models leave out, change, add and move.

Each function gets a case and a random generator. It returns the Markdown of the answer, or None if the page has nothing
that can be changed in this way.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Sequence

import msgspec

from apps.pages.layout.document.captions_notes import has_caption_label
from apps.pages.layout.document.page_margins import margin_of
from apps.pages.model.blocks import BlockType, Cell
from bench.fidelity.changes import cells_swapped, found_changed, one_text_changed, rows_changed, with_texts
from bench.fidelity.fluent_alterations import FLUENT
from bench.fidelity.rewritings import SENTENCE, Case, Rewriting, in_prose, markdown, shown

_DIGITS = re.compile(r"\d+(?:[.,]\d+)*")
_NOT = re.compile(
    r" (?:not|no|never|nicht|kein|keine|pas|non|não|niet|nie|не|δεν|nunca|without|ohne|sans|tidak|لا|لم)(?= )|[不未没]"
)
_NUMERALS = {"one": "two", "two": "three", "three": "five", "four": "six", "five": "nine", "ten": "two"}
_NUMERALS |= {"thirty": "sixty", "hundred": "thousand", "million": "billion", "zwei": "drei", "drei": "zwei"}
_NUMERALS |= {"deux": "trois", "trois": "deux", "dois": "três", "due": "tre", "dos": "tres"}
_MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October"]
_MONTHS += ["November", "December"]
_OPPOSITES = {"must": "may", "may": "must", "should": "must", "can": "cannot", "all": "some", "more": "less"}
_OPPOSITES |= {"less": "more", "high": "low", "low": "high", "increase": "decrease", "before": "after"}
_OPPOSITES |= {"after": "before", "above": "below", "with": "without", "allow": "deny", "public": "private"}
_OPPOSITES |= {"internal": "external", "first": "last", "new": "old", "true": "false", "same": "different"}
_CURRENCIES = {"EUR": "USD", "USD": "EUR", "GBP": "EUR", "€": "$", "$": "€", "£": "€"}
_UNITS = {"kg": "mg", "mg": "kg", "km": "m", "cm": "mm", "mm": "cm", "ml": "l", "kW": "MW", "MW": "kW", "kWh": "MWh"}
_UNITS |= {"GHz": "MHz", "KB": "MB", "MB": "GB"}
INVENTED = "The committee has approved the final version without any further changes to the annex."


# --- words and sentences ---


def without_sentence(case: Case, rng: random.Random) -> str | None:
    def drop_sentence(text: str) -> str | None:
        sentences = SENTENCE.split(text)
        long = [number for number, sentence in enumerate(sentences) if sentence.count(" ") >= 7]
        if len(sentences) < 2 or not long:
            return None
        del sentences[rng.choice(long)]
        return " ".join(sentences)

    return one_text_changed(case, rng, drop_sentence)


def sentences_swapped(case: Case, rng: random.Random) -> str | None:
    def swap(text: str) -> str | None:
        sentences = SENTENCE.split(text)
        if len(sentences) < 2 or min(sentence.count(" ") for sentence in sentences[:2]) < 4:
            return None
        return " ".join([sentences[1], sentences[0], *sentences[2:]])

    return one_text_changed(case, rng, swap)


def sentence_invented(case: Case, rng: random.Random) -> str:
    blocks = in_prose(case, str).split("\n\n")
    blocks.insert(rng.randrange(len(blocks) + 1), INVENTED)
    return "\n\n".join(blocks)


def all_shuffled(case: Case, rng: random.Random) -> str:
    words = in_prose(case, str).split()
    rng.shuffle(words)
    return " ".join(words)


def paragraph_shuffled(case: Case, rng: random.Random) -> str | None:
    def shuffle(text: str) -> str | None:
        words = text.split()
        if len(words) < 12:
            return None
        rng.shuffle(words)
        return " ".join(words)

    return one_text_changed(case, rng, shuffle)


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


def without_list_item(case: Case, rng: random.Random) -> str | None:
    blocks = shown(case)
    items = [
        number
        for number, block in enumerate(blocks)
        if block.type is BlockType.LIST_ITEM and block.text.count(" ") >= 3 and not margin_of(case[0], block)
    ]
    if not items:
        return None
    del blocks[rng.choice(items)]
    return markdown(blocks)


def heading_moved(case: Case, rng: random.Random) -> str | None:
    """Move a heading behind the long paragraph below it."""
    blocks = shown(case)
    places = [
        number
        for number, (one, two) in enumerate(itertools.pairwise(blocks))
        if one.type is BlockType.HEADING
        and not has_caption_label(one.text)
        and two.type is BlockType.PARAGRAPH
        and two.text.count(" ") >= 12
        if one.box.bottom <= two.box.top and min(one.box.x1, two.box.x1) > max(one.box.x0, two.box.x0)
    ]
    if not places:
        return None
    place = rng.choice(places)
    blocks[place : place + 2] = [blocks[place + 1], blocks[place]]
    return markdown(blocks)


def columns_read_across(case: Case, rng: random.Random) -> str | None:
    """Read each line of two columns to the end of the page, as if there were one column."""
    page, blocks = case[0], shown(case)
    middle = page.width / 2
    lines = [line for block in blocks if block.type is BlockType.PARAGRAPH for line in block.lines]
    left = [line for line in lines if line.box.x1 <= middle + 10 and line.text.count(" ") >= 4]
    beside = [line for line in lines if line.box.x0 >= middle - 10 and line.text.count(" ") >= 4]
    rows = [
        (one, other)
        for one in left
        for other in beside
        if abs(one.box.middle - other.box.middle) < 0.4 * one.box.height
    ]
    aligned = [one for one, _ in rows if abs(one.box.x0 - rows[0][0].box.x0) < 20]
    if len(rows) < 8 or len(aligned) < 0.8 * len(rows):
        return None
    others = [block for block in blocks if not any(one in block.lines or other in block.lines for one, other in rows)]
    return " ".join(f"{one.text} {other.text}" for one, other in rows) + "\n\n" + markdown(others)


# --- numbers and words that change the meaning of a sentence ---


def digit_changed(case: Case, rng: random.Random) -> str | None:
    def change(number: str) -> str | None:
        place = rng.choice([place for place, sign in enumerate(number) if sign.isdigit()])
        return number[:place] + rng.choice([d for d in "0123456789" if d != number[place]]) + number[place + 1 :]

    return found_changed(case, rng, _DIGITS, change)


def digits_swapped(case: Case, rng: random.Random) -> str | None:
    def change(number: str) -> str | None:
        places = [p for p in range(len(number) - 1) if number[p : p + 2].isdigit() and number[p] != number[p + 1]]
        if not places:
            return None
        place = rng.choice(places)
        return number[:place] + number[place + 1] + number[place] + number[place + 2 :]

    return found_changed(case, rng, _DIGITS, change)


def point_moved(case: Case, rng: random.Random) -> str | None:
    def change(number: str) -> str | None:
        whole, point, rest = number.partition(".")
        if not point or "." in rest or "," in rest:
            return None
        if len(rest) > 1:
            return f"{whole}{rest[0]}.{rest[1:]}"
        return f"{whole[:-1]}.{whole[-1]}{rest}" if len(whole) > 1 else None

    return found_changed(case, rng, _DIGITS, change)


def separator_changed(case: Case, rng: random.Random) -> str | None:
    def change(number: str) -> str | None:
        return number.translate(str.maketrans(".,", ",.")) if len(number) > 3 and re.search("[.,]", number) else None

    return found_changed(case, rng, _DIGITS, change)


def date_changed(case: Case, rng: random.Random) -> str | None:
    def change(date: str) -> str | None:
        if date in _MONTHS:
            return rng.choice([month for month in _MONTHS if month != date])
        sign = next(sign for sign in "./-" if sign in date)
        parts = date.split(sign)
        return sign.join([parts[1], parts[0], *parts[2:]]) if parts[0] != parts[1] else None

    months = "|".join(_MONTHS)
    pattern = re.compile(rf"\b(?:{months})\b|\b\d{{1,4}}([./-])\d{{1,2}}\1\d{{1,4}}\b")
    return found_changed(case, rng, pattern, change)


def minus_dropped(case: Case, rng: random.Random) -> str | None:
    pattern = re.compile(r"(?<![\w)\]}.,%'’-])[-−–](?=[.,]?\d)|(?<![\w])\(\d[\d.,]{2,}\)")
    return found_changed(case, rng, pattern, lambda found: found.strip("-−–()"))


def percent_dropped(case: Case, rng: random.Random) -> str | None:
    return found_changed(case, rng, re.compile(r"(?<=\d)\s?%"), lambda _: "")


def negation_dropped(case: Case, rng: random.Random) -> str | None:
    return found_changed(case, rng, _NOT, lambda _: "")


def numeral_changed(case: Case, rng: random.Random) -> str | None:
    return found_changed(case, rng, _any_of(_NUMERALS), lambda word: _NUMERALS[word])


def currency_changed(case: Case, rng: random.Random) -> str | None:
    pattern = re.compile(r"\b(?:EUR|USD|GBP)\b|[€£]|\$(?=\d)")
    return found_changed(case, rng, pattern, lambda sign: _CURRENCIES[sign])


def unit_changed(case: Case, rng: random.Random) -> str | None:
    pattern = re.compile(rf"(?<=\d)\s?(?:{'|'.join(_UNITS)})\b")
    return found_changed(case, rng, pattern, lambda unit: unit.replace(unit.strip(), _UNITS[unit.strip()]))


def opposite(case: Case, rng: random.Random) -> str | None:
    return found_changed(case, rng, _any_of(_OPPOSITES), lambda word: _OPPOSITES[word])


def word_replaced(case: Case, rng: random.Random) -> str | None:
    """Replace a word by another one of the page."""
    words = re.findall(r"[^\W\d_]{5,}", in_prose(case, str))

    def change(word: str) -> str | None:
        others = [other for other in words if other[:2].lower() != word[:2].lower()]
        return rng.choice(others) if others else None

    return found_changed(case, rng, re.compile(r"(?<= )[^\W\d_]{5,}(?= )"), change)


def note_merged(case: Case, rng: random.Random) -> str | None:
    return found_changed(case, rng, re.compile(r"(?<=\d)[¹²³⁴⁵⁶⁷⁸⁹]"), lambda sign: str("⁰¹²³⁴⁵⁶⁷⁸⁹".index(sign)))


# --- tables ---


def without_row(case: Case, rng: random.Random) -> str | None:
    def drop(rows: list[list[Cell]]) -> list[list[Cell]] | None:
        full = [row for row in rows if sum(len(cell.text) for cell in row) >= 6]
        dropped = rng.choice(full) if full else None
        return [row for row in rows if row is not dropped] if dropped else None

    return rows_changed(case, rng, drop)


def row_doubled(case: Case, rng: random.Random) -> str | None:
    def double(rows: list[list[Cell]]) -> list[list[Cell]] | None:
        full = [n for n, row in enumerate(rows) if sum(len(cell.text) for cell in row) >= 6]
        if not full:
            return None
        place = rng.choice(full)
        return [*rows[: place + 1], rows[place], *rows[place + 1 :]]

    return rows_changed(case, rng, double)


def rows_swapped(case: Case, rng: random.Random) -> str | None:
    def swap(rows: list[list[Cell]]) -> list[list[Cell]] | None:
        body = [n for n, row in enumerate(rows) if n and sum(bool(cell.text) for cell in row) > 1]
        if len(body) < 2:
            return None
        one, other = rng.sample(body, 2)
        if [cell.text for cell in rows[one]] == [cell.text for cell in rows[other]]:
            return None
        rows[one], rows[other] = rows[other], rows[one]
        return rows

    return rows_changed(case, rng, swap)


def values_swapped_in_column(case: Case, rng: random.Random) -> str | None:
    return cells_swapped(case, rng, lambda one, other: one.column == other.column and one.row != other.row)


def values_swapped_in_row(case: Case, rng: random.Random) -> str | None:
    return cells_swapped(case, rng, lambda one, other: one.row == other.row and one.column != other.column)


def header_shifted(case: Case, rng: random.Random) -> str | None:
    """Move the texts of the header one column to the right; the last one comes first."""

    def shift(rows: list[list[Cell]]) -> list[list[Cell]] | None:
        head = [cell for cell in rows[0] if cell.column_span == cell.row_span == 1]
        texts = [cell.text for cell in head]
        if len(head) < 3 or len(head) < len(rows[0]) or len(set(texts)) < 3 or len(rows) < 3:
            return None
        moved = [texts[-1], *texts[:-1]]
        return [[msgspec.structs.replace(c, text=t, spans=()) for c, t in zip(head, moved, strict=True)], *rows[1:]]

    return rows_changed(case, rng, shift)


def value_in_next_column(case: Case, rng: random.Random) -> str | None:
    """Move a number into the empty cell beside it."""
    blocks = shown(case)
    places = []
    for number, block in enumerate(blocks):
        at = {(cell.row, cell.column): n for n, cell in enumerate(block.cells)}
        for n, cell in enumerate(block.cells):
            beside = at.get((cell.row, cell.column + 1))
            if cell.text[:1].isdigit() and cell.column and beside is not None and not block.cells[beside].text:
                places.append((number, n, beside))
    if not places:
        return None
    number, one, other = rng.choice(places)
    blocks[number] = with_texts(blocks[number], {one: "", other: blocks[number].cells[one].text})
    return markdown(blocks)


def cell_emptied(case: Case, rng: random.Random) -> str | None:
    blocks = shown(case)
    places = [
        (n, c) for n, block in enumerate(blocks) for c, cell in enumerate(block.cells) if _DIGITS.search(cell.text)
    ]
    if not places:
        return None
    number, cell = rng.choice(places)
    blocks[number] = with_texts(blocks[number], {cell: ""})
    return markdown(blocks)


# --- whole answers ---


def without_last(share: float) -> Rewriting:
    def rewrite(case: Case, rng: random.Random) -> str:
        text = in_prose(case, str)
        return text[: int(len(text) * (1 - share))]

    return rewrite


def another_page(case: Case, rng: random.Random) -> str | None:
    return markdown(case[2]) if case[2] else None


def repeated(case: Case, rng: random.Random) -> str | None:
    text = in_prose(case, str)
    return text + "\n\n" + "\n\n".join([text.split("\n\n")[-1]] * 40)


def _any_of(words: Sequence[str] | dict[str, str]) -> re.Pattern[str]:
    return re.compile(rf"(?<= )(?:{'|'.join(words)})(?= )")


WRONG: dict[str, Rewriting] = {
    "all words shuffled": all_shuffled,
    "a paragraph shuffled": paragraph_shuffled,
    "columns read across": columns_read_across,
    "two sentences swapped": sentences_swapped,
    "a heading moved": heading_moved,
    "a sentence left out": without_sentence,
    "a sentence invented": sentence_invented,
    "a paragraph left out": without_paragraph,
    "a list item left out": without_list_item,
    "a word replaced by another": word_replaced,
    "a word replaced by its opposite": opposite,
    "a negation dropped": negation_dropped,
    "a numeral changed": numeral_changed,
    "a digit changed": digit_changed,
    "two digits swapped": digits_swapped,
    "a decimal point moved": point_moved,
    "points and commas swapped": separator_changed,
    "a date changed": date_changed,
    "a minus sign dropped": minus_dropped,
    "a percent sign dropped": percent_dropped,
    "a currency changed": currency_changed,
    "a unit changed": unit_changed,
    "a note merged into a number": note_merged,
    "two amounts swapped between rows": values_swapped_in_column,
    "two amounts swapped in a row": values_swapped_in_row,
    "an amount in the next column": value_in_next_column,
    "a header shifted by a column": header_shifted,
    "two rows swapped": rows_swapped,
    "a table row left out": without_row,
    "a table row doubled": row_doubled,
    "an amount left out": cell_emptied,
    "the last 10 % left out": without_last(0.1),
    "the last 30 % left out": without_last(0.3),
    "the answer of another page": another_page,
    "a loop at the end": repeated,
    **FLUENT,
}
