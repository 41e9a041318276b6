"""The check of a model's answer: does it say what the page says?

The page's words are one reading, the model's answer is the second. Where they disagree and the model saw the page, OCR
is the third, and two agree: a right answer wins over a text layer whose characters are wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import msgspec

from apps.pages.model.blocks import Page, Source
from apps.pages.model.errors import PageError
from apps.parsing.answers import fidelity
from apps.parsing.answers.fidelity import OCR, TEXT_LAYER, Fidelity
from apps.parsing.answers.normalized_words import PageWords, page_words
from apps.parsing.answers.parse_answer import Draft, drafts_of, end_line, page_of_drafts
from apps.parsing.errors import UnusableAnswer
from apps.parsing.page_pictures import Pictures
from apps.parsing.prompts.messages import CustomInstructions
from apps.providers.calls.attempts import CallScope

# OCR reads something else than a text layer of which it has a smaller share.
MIN_AGREEMENT = 0.6
# Texts with fewer words that only the model has read are not worth OCR of the page.
MIN_UNKNOWN_WORDS = 3
ANSWER_DIFFERS = "answer_differs"


@dataclass(frozen=True)
class PageToParse:
    """A page as extracted, with the instructions, the pictures and the scope of the calls that a parser needs.

    ``before``: what a model gets of the page before (``page_before.summary_of``). ``refuses``: an answer that fails the
    check is refused; otherwise the page gets a warning.
    """

    page: Page
    instructions: CustomInstructions
    scope: CallScope
    pictures: Pictures = field(repr=False)
    before: str = ""
    refuses: bool = True

    @cached_property
    def words(self) -> PageWords:
        return page_words(self.page)

    @cached_property
    def recognized(self) -> Page | None:
        """The page as OCR reads it; None if it cannot be recognised here."""
        try:
            return self.pictures.recognized(self.page)
        except PageError:
            return None


@dataclass(frozen=True)
class CheckedAnswer:
    """An answer that passed the check. ``repaired_parts``: the number of its parts that were asked for again."""

    page: Page
    fidelity: Fidelity
    repaired_parts: int = 0

    @property
    def facts(self) -> dict[str, object]:
        return {"repaired_parts": self.repaired_parts} if self.repaired_parts else {}


def check_answer(
    to_parse: PageToParse,
    text: str,
    *,
    marker: str,
    sees_picture: bool,
    is_finished: bool = False,
    dialect: str = "",
    picture_size: tuple[int, int] = (0, 0),
) -> CheckedAnswer:
    """Return the page that an answer makes. Raise ``UnusableAnswer`` if it fails the check.

    An answer without its end line must pass even if the check refuses nothing. The arguments are those of
    ``drafts_of``.
    """
    drafts = drafts_of(
        to_parse.page,
        text,
        marker=marker,
        is_finished=is_finished,
        dialect=dialect,
        picture_size=picture_size,
    )
    is_whole = bool(dialect) or end_line(marker) in text
    return check_drafts(to_parse, drafts, sees_picture=sees_picture, must_pass=to_parse.refuses or not is_whole)


def check_drafts(
    to_parse: PageToParse, drafts: Sequence[Draft], *, sees_picture: bool, must_pass: bool
) -> CheckedAnswer:
    """Return the page that the blocks of an answer make. Raise ``UnusableAnswer`` if they must pass and do not."""
    page, source = to_parse.page, source_of(to_parse.page)
    made = page_of_drafts(page, drafts, to_parse.words)
    found = fidelity.compare(page, made.blocks, to_parse.words, image=sees_picture)
    code = fidelity.verdict(found, source=source)
    is_disputed = code and source == TEXT_LAYER
    if sees_picture and (is_disputed or found.unknown >= MIN_UNKNOWN_WORDS) and (read := to_parse.recognized):
        seen = page_words(read)
        found = fidelity.compare(page, made.blocks, to_parse.words, image=True, witness=seen)
        code = fidelity.verdict(found, source=source)
        if code and is_disputed:
            other = page_of_drafts(read, drafts, seen)
            with_ocr = fidelity.compare(read, other.blocks, seen, image=True)
            # Two readings that agree win; they must agree wholly where the text layer is like them.
            is_alike = fidelity.compare(read, page.blocks, seen).coverage >= MIN_AGREEMENT
            if not fidelity.verdict(with_ocr, source=TEXT_LAYER if is_alike else OCR):
                made = msgspec.structs.replace(page, blocks=other.blocks)
                found, code = msgspec.structs.replace(with_ocr, witness=OCR), ""
    if code and must_pass:
        raise UnusableAnswer(findings(found), code=code)
    if code or (source == TEXT_LAYER and (found.coverage < 1.0 or found.added > 0.0)):
        made = msgspec.structs.replace(made, warnings=(*made.warnings, ANSWER_DIFFERS))
    return CheckedAnswer(made, found)


def findings(found: Fidelity) -> str:
    """Describe in a few sentences how an answer differs from its page; "" if it does not."""
    differences = []
    if found.coverage < 1.0:
        differences.append(f"{1 - found.coverage:.1%} of the page's words are missing.")
    if found.added > 0.0:
        differences.append(f"{found.added:.1%} of the words are not on the page.")
    if found.numbers_missing:
        differences.append(f"Numbers missing: {', '.join(found.numbers_missing)}.")
    if found.numbers_added:
        differences.append(f"Numbers that are not on the page: {', '.join(found.numbers_added)}.")
    if found.altered:
        differences.append(f"Changed (printed -> answer): {'; '.join(found.altered)}.")
    if found.misplaced:
        differences.append(f"In a wrong row, column or order: {'; '.join(found.misplaced)}.")
    if found.moved and not found.misplaced:
        differences.append(f"{found.moved} words are in another order than printed.")
    if found.witness and found.unknown:
        differences.append(f"{found.unknown} words are neither in the text nor in the picture of the page.")
    return " ".join(differences)


def source_of(page: Page) -> str:
    """Return the source of most of the page's text: "text_layer" or "ocr"."""
    letters = {Source.OCR: 0, Source.TEXT_LAYER: 0, Source.MODEL: 0}
    for block in page.blocks:
        letters[block.source] += len(block.text) + sum(len(cell.text) for cell in block.cells)
    return OCR if letters[Source.OCR] > letters[Source.TEXT_LAYER] else TEXT_LAYER
