"""Wrong answers that read well: what a fluent model rewords, translates, rounds, converts, completes and makes up."""

from __future__ import annotations

import random
import re

import msgspec

from apps.pages.model.blocks import BlockType, Cell
from apps.pages.model.text.shifted_text import SHIFTED_CHARACTERS
from bench.fidelity.changes import found_changed, one_text_changed, rows_changed
from bench.fidelity.rewritings import SENTENCE, Case, Rewriting, in_prose, markdown, shown

_SYNONYMS = {"use": "employ", "used": "employed", "show": "demonstrate", "shows": "demonstrates", "need": "require"}
_SYNONYMS |= {"help": "assist", "important": "significant", "because": "since", "however": "nevertheless"}
_SYNONYMS |= {"begin": "start", "many": "numerous", "also": "additionally", "people": "persons", "number": "amount"}
_SYNONYMS |= {"between": "among", "within": "inside", "about": "regarding", "such": "these", "through": "via"}
_SYNONYMS |= {"based": "founded", "include": "contain", "includes": "contains", "provide": "supply", "other": "further"}
_SYNONYMS |= {"different": "various", "several": "some", "results": "outcomes", "which": "that", "where": "when"}
_SYNONYMS |= {"and": "as well as", "for": "in order to serve", "is": "represents", "are": "represent", "from": "out of"}
_SYNONYMS |= {"und": "sowie", "oder": "beziehungsweise", "eine": "irgendeine", "werden": "sollten"}
_MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October"]
_MONTHS += ["November", "December"]
_UNITS = {"km": (0.6214, "mi"), "mi": (1.609, "km"), "kg": (2.205, "lb"), "cm": (0.3937, "in"), "m": (3.281, "ft")}
_UNITS |= {"mm": (0.03937, "in"), "°C": (1.8, "°F"), "miles": (1.609, "km"), "feet": (0.3048, "m")}
_CLOSING = "This concludes the overview of the topics that were presented on this page."
_SIGNS = str.maketrans("∪∩⊆∈≤≥+×√∞∀∃⇒<>=αβγδλμπστ", "∩∪⊇∋≥≤−÷∛∅∃∀⇐><≈βαδγμλστπ")


# --- sentences and paragraphs ---


def paraphrased(case: Case, rng: random.Random) -> str | None:
    """Replace common words of one sentence by others of about the same meaning."""

    def reword(text: str) -> str | None:
        sentences = SENTENCE.split(text)
        for number in rng.sample(range(len(sentences)), len(sentences)):
            words = sentences[number].split(" ")
            if len(words) >= 8 and sum(word in _SYNONYMS for word in words) >= 3:
                sentences[number] = " ".join(_SYNONYMS.get(word, word) for word in words)
                return " ".join(sentences)
        return None

    return one_text_changed(case, rng, reword)


def translated(case: Case, rng: random.Random) -> str | None:
    """Write the small words of a paragraph in another language, here spelled backwards; names and numbers stay."""

    def translate(text: str) -> str | None:
        if text.count(" ") < 12:
            return None
        return re.sub(r"\b[^\W\d_]{3,}\b", lambda word: word[0][::-1] if word[0].islower() else word[0], text)

    return one_text_changed(case, rng, translate)


def summarized(case: Case, rng: random.Random) -> str | None:
    """Keep the first words of a long paragraph and end it there."""

    def shorten(text: str) -> str | None:
        words = text.split(" ")
        return " ".join(words[: len(words) // 2]) + "." if len(words) >= 24 else None

    return one_text_changed(case, rng, shorten)


def paragraph_doubled(case: Case, rng: random.Random) -> str | None:
    blocks = shown(case)
    long = [n for n, block in enumerate(blocks) if block.type is BlockType.PARAGRAPH and block.text.count(" ") >= 12]
    if not long:
        return None
    place = rng.choice(long)
    blocks.insert(rng.randrange(place, len(blocks)) + 1, blocks[place])
    return markdown(blocks)


def invented_at_the_end(case: Case, rng: random.Random) -> str:
    return f"{in_prose(case, str)}\n\n{_CLOSING}"


def neighbours_swapped(case: Case, rng: random.Random) -> str | None:
    pattern = re.compile(r"(?<= )[^\W\d_]{4,} [^\W\d_]{4,}(?= )")
    return found_changed(case, rng, pattern, lambda words: " ".join(reversed(words.split(" "))))


def word_left_out(case: Case, rng: random.Random) -> str | None:
    return found_changed(case, rng, re.compile(r"(?<=[a-z]) [a-z]{4,}(?= [a-z])"), lambda _: "")


def title_left_out(case: Case, rng: random.Random) -> str | None:
    blocks = shown(case)
    titles = [n for n, b in enumerate(blocks) if b.type is BlockType.HEADING and b.box.top > 0.15 * case[0].height]
    if not titles:
        return None
    del blocks[rng.choice(titles)]
    return markdown(blocks)


# --- names, numbers and dates ---


def name_misspelt(case: Case, rng: random.Random) -> str | None:
    """Change one letter inside a word with a capital that does not begin a sentence."""

    def misspell(name: str) -> str:
        place = rng.randrange(1, len(name) - 1)
        return name[:place] + rng.choice([x for x in "aeilnorst" if x != name[place]]) + name[place + 1 :]

    return found_changed(case, rng, re.compile(r"(?<=[a-z,] )[A-Z][a-z]{4,}\b"), misspell)


def date_in_another_form(case: Case, rng: random.Random) -> str | None:
    names = "|".join(_MONTHS)
    pattern = re.compile(rf"\b\d{{1,2}} (?:{names}) \d{{4}}|\b(?:{names}) \d{{1,2}}, \d{{4}}")

    def rewrite(date: str) -> str:
        day, year = re.findall(r"\d+", date)
        month = 1 + next(n for n, name in enumerate(_MONTHS) if name in date)
        return rng.choice([f"{year}-{month:02}-{int(day):02}", f"{int(day):02}.{month:02}.{year}"])

    return found_changed(case, rng, pattern, rewrite)


def number_rounded(case: Case, rng: random.Random) -> str | None:
    pattern = re.compile(
        r"(?<![\w.,/-])\d{1,3}(?:,\d{3})*\.\d{1,4}(?![\w.,/-])|(?<![\w.,/-])\d{1,3}(?:,\d{3})+(?![\w.,/-])"
    )

    def rounded(number: str) -> str:
        if "." in number:
            return f"{float(number.replace(',', '')):,.{len(number.split('.')[1]) - 1}f}"
        return f"{round(int(number.replace(',', '')), -2):,}"

    return found_changed(case, rng, pattern, rounded)


def unit_converted(case: Case, rng: random.Random) -> str | None:
    pattern = re.compile(rf"\b\d+(?:\.\d+)?\s?(?:{'|'.join(_UNITS)})\b")

    def convert(amount: str) -> str:
        number, unit = re.fullmatch(r"([\d.]+)\s?(.+)", amount).groups()  # type: ignore[union-attr]
        factor, other = _UNITS[unit]
        return f"{float(number) * factor:.1f} {other}"

    return found_changed(case, rng, pattern, convert)


def note_mark_dropped(case: Case, rng: random.Random) -> str | None:
    return found_changed(case, rng, re.compile(r"(?<=[^\W\d_][.,)]|[^\W\d_][^\W\d_])[¹²³⁴⁵⁶⁷⁸⁹⁰]+"), lambda _: "")


def formula_changed(case: Case, rng: random.Random) -> str | None:
    """Replace a sign or a Greek letter of a formula by another one."""
    pattern = re.compile(r"[∪∩⊆∈≤≥×√∞∀∃⇒]|(?<= )[+<>=](?= )|(?<!\w)[αβγδλμπστ](?!\w)")
    return found_changed(case, rng, pattern, lambda sign: sign.translate(_SIGNS))


def index_changed(case: Case, rng: random.Random) -> str | None:
    """Replace a raised or lowered digit by another one."""
    digits = "⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉"
    pattern = re.compile(rf"(?<=[A-Za-z])[{SHIFTED_CHARACTERS}]")

    def change(sign: str) -> str | None:
        return digits[(digits.index(sign) + 1) % 10 + (10 if digits.index(sign) > 9 else 0)] if sign in digits else None

    return found_changed(case, rng, pattern, change)


def variable_changed(case: Case, rng: random.Random) -> str | None:
    """Replace the letter of a variable by another one."""
    pattern = re.compile(rf"(?<=[(= ])[a-zA-Z](?=[{SHIFTED_CHARACTERS}]| [=∈≤+−<] )")
    others = str.maketrans(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "bcdefghijklmnopqrstuvwxyzaBCDEFGHIJKLMNOPQRSTUVWXYZA"
    )
    return found_changed(case, rng, pattern, lambda letter: letter.translate(others))


def blank_filled_in(case: Case, rng: random.Random) -> str | None:
    return found_changed(case, rng, re.compile(r"_{4,}"), lambda _: "John Miller")


def box_ticked(case: Case, rng: random.Random) -> str | None:
    ticked = str.maketrans("☐□☑☒✓✔✗✘", "☑☑☐☐✗✗✓✓")
    return found_changed(case, rng, re.compile("[☐□☑☒✓✔✗✘]"), lambda sign: sign.translate(ticked))


# --- lists, tables and links ---


def list_renumbered(case: Case, rng: random.Random) -> str | None:
    """Number the items of a list from another number on."""
    blocks = shown(case)
    items = [
        n for n, b in enumerate(blocks) if b.type is BlockType.LIST_ITEM and re.fullmatch(r"\d{1,2}[.)]", b.marker)
    ]
    if len(items) < 2:
        return None
    for number in items:
        marker = blocks[number].marker
        blocks[number] = msgspec.structs.replace(blocks[number], marker=f"{int(marker[:-1]) + 2}{marker[-1]}")
    return markdown(blocks)


def without_header(case: Case, rng: random.Random) -> str | None:
    def drop(rows: list[list[Cell]]) -> list[list[Cell]] | None:
        return rows[1:] if sum(bool(cell.text) for cell in rows[0]) > 1 and len(rows) > 2 else None

    return rows_changed(case, rng, drop)


def without_column(case: Case, rng: random.Random) -> str | None:
    def drop(rows: list[list[Cell]]) -> list[list[Cell]] | None:
        if any(cell.column_span > 1 for row in rows for cell in row):
            return None
        filled = [c.column for row in rows for c in row if c.text]
        columns = [column for column in set(filled) if filled.count(column) > 1]
        if len(columns) < 2:
            return None
        dropped = rng.choice(columns)
        return [
            [msgspec.structs.replace(c, column=c.column - (c.column > dropped)) for c in row if c.column != dropped]
            for row in rows
        ]

    return rows_changed(case, rng, drop)


def columns_swapped(case: Case, rng: random.Random) -> str | None:
    """Swap two columns below the header."""

    def swap(rows: list[list[Cell]]) -> list[list[Cell]] | None:
        if any(cell.column_span > 1 for row in rows for cell in row) or len(rows) < 3:
            return None
        width = 1 + max(cell.column for row in rows for cell in row)
        if width < 3:
            return None
        one, other = rng.sample(range(1, width), 2)
        places = {one: other, other: one}
        body = [[msgspec.structs.replace(c, column=places.get(c.column, c.column)) for c in row] for row in rows[1:]]
        old, new = ([[c.text for c in row if c.column == column] for row in rows[1:]] for column in (one, other))
        if old == new or sum(texts != others and texts != [""] for texts, others in zip(old, new, strict=True)) < 2:
            return None
        return [rows[0], *(sorted(row, key=lambda cell: cell.column) for row in body)]

    return rows_changed(case, rng, swap)


def link_invented(case: Case, rng: random.Random) -> str | None:
    pattern = re.compile(r"(?<=[a-z] )[A-Z]?[a-z]{5,}(?= [a-z])")
    answer = in_prose(case, str)
    places = list(pattern.finditer(answer))
    if not places:
        return None
    place = rng.choice(places)
    return answer[: place.start()] + f"[{place.group()}](https://example.org/invented)" + answer[place.end() :]


FLUENT: dict[str, Rewriting] = {
    "a sentence paraphrased": paraphrased,
    "a paragraph translated": translated,
    "a paragraph shortened": summarized,
    "a paragraph doubled": paragraph_doubled,
    "a sentence invented at the end": invented_at_the_end,
    "two neighbouring words swapped": neighbours_swapped,
    "a word left out": word_left_out,
    "a heading left out": title_left_out,
    "a name misspelt": name_misspelt,
    "a date in another form": date_in_another_form,
    "a number rounded": number_rounded,
    "a unit converted": unit_converted,
    "the mark of a note dropped": note_mark_dropped,
    "a sign of a formula changed": formula_changed,
    "an index of a formula changed": index_changed,
    "a variable of a formula changed": variable_changed,
    "a blank filled in": blank_filled_in,
    "a box ticked": box_ticked,
    "a list numbered otherwise": list_renumbered,
    "a table header left out": without_header,
    "a table column left out": without_column,
    "two table columns swapped below the header": columns_swapped,
    "a link invented": link_invented,
}
