"""The fidelity check: does an answer keep the words and numbers of its page, and does it add others?

``python -m bench.fidelity`` measures the thresholds; docs/quality-and-speed.md has the figures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from apps.pages.model.blocks import Block, BlockType, Page, Source
from apps.parsing.answers.critical_words import is_critical
from apps.parsing.answers.differences import Difference, changes, in_order
from apps.parsing.answers.drafts import Draft
from apps.parsing.answers.figure_texts import figures_of, set_apart
from apps.parsing.answers.formula_signs import exchanged_signs
from apps.parsing.answers.matching import match_words
from apps.parsing.answers.normalized_words import PageWords, answer_words, is_number, page_words
from apps.parsing.answers.reading_order import out_of_column_order, read_across
from apps.parsing.answers.table_places import misplaced_cells
from apps.parsing.answers.witness import is_confirmed, judged_words

TEXT_LAYER = "text_layer"
OCR = "ocr"
INCOMPLETE = "output_incomplete"
ALTERED = "output_altered"
MAX_LISTED = 20  # numbers missing, numbers added, changes, misplaced texts


class Fidelity(msgspec.Struct, frozen=True, omit_defaults=True):
    """How an answer compares with its page.

    ``words``: the number of words on the page, without list markers and page numbers. ``coverage``: the share of them
    in the answer, each in its place. ``added``: the share of the answer's words that the page does not have in that
    place; ``repeated``: the share that the page has, but elsewhere. ``gap`` and ``inserted``: the largest number of
    words missing, and added, in one place. ``numbers_missing`` and ``numbers_added``: at most ``MAX_LISTED`` each;
    ``numbers_kept``: the share of the page's numbers in the answer. ``moved``: the number of words that are missing in
    one place and added in another. ``altered``: words that became others, and numbers, signs, units and negations that
    are missing or added. ``misplaced``: texts in a wrong row, column or order.
    ``unknown``: the number of words in texts that may be those of a picture, because the page has next to nothing of
    them. ``witness``: "ocr" if the page was also read by OCR, which confirmed ``confirmed`` changes and does not have
    the ``unknown`` words.
    """

    words: int
    coverage: float
    added: float
    repeated: float = 0.0
    gap: int = 0
    inserted: int = 0
    numbers_missing: tuple[str, ...] = ()
    numbers_added: tuple[str, ...] = ()
    numbers_kept: float = 1.0
    moved: int = 0
    altered: tuple[str, ...] = ()
    misplaced: tuple[str, ...] = ()
    unknown: int = 0
    confirmed: int = 0
    witness: str = ""


class Thresholds(msgspec.Struct, frozen=True):
    """Limits for an acceptable answer: ``coverage``, ``added`` and ``numbers_kept`` are shares, ``gap`` and
    ``inserted`` and ``moved`` are words, ``numbers`` is how many may be missing, and how many added, whatever their
    share."""

    coverage: float
    added: float
    gap: int
    inserted: int
    moved: int
    numbers: int
    numbers_kept: float


# Pages with fewer words than this need only FEW_WORDS_COVERAGE.
FEW_WORDS = 8
FEW_WORDS_COVERAGE = 0.5
TEXT_LAYER_THRESHOLDS = Thresholds(coverage=0.95, added=0.10, gap=2, inserted=2, moved=0, numbers=0, numbers_kept=1.0)
# OCR misreads words and numbers, and the model corrects them.
OCR_THRESHOLDS = Thresholds(coverage=0.80, added=0.25, gap=8, inserted=8, moved=8, numbers=4, numbers_kept=0.6)
# On a page of few words, a number of this many digits is not one of a list or a chapter.
LONG_NUMBER = 3
# A model that sees the page also reads the text in its pictures; it does not read the page's own words there twice.
MAX_REPEATED = 0.25


def compare(
    page: Page,
    blocks: Sequence[Block | Draft],
    words: PageWords | None = None,
    *,
    image: bool = False,
    witness: PageWords | None = None,
) -> Fidelity:
    """Compare the words of an answer with those of its page.

    Blocks from ``align`` include the running lines that the answer left out; without ``align`` these count as missing.
    ``image``: whether the model saw the page. ``witness``: the words that OCR reads on the page; a change that it
    confirms does not count.
    """
    words = words or page_words(page)
    answer = answer_words(blocks)
    matches = match_words(answer.tokens, words.tokens)
    places = in_order(words, answer, matches)
    unknown = Counter[str]()
    if image and (figures := figures_of(page)):
        words, answer, texts = set_apart(figures, words, answer, places)
        unknown = Counter(answer.tokens[here] for here in texts)
        if witness:
            unknown -= Counter(witness.tokens) - Counter(answer.tokens[here] for here, p in enumerate(places) if p >= 0)
    found = list(changes(words, answer, places, matches))
    disputed = [change for change in found if witness is None or not is_confirmed(change, words, witness)]
    missing = Counter(word for change in disputed for word in change.page)
    extra = Counter(word for change in disputed for word in change.answer)
    required = [token for token, optional in zip(words.tokens, words.optional, strict=True) if not optional]
    numbers = sum(map(is_number, required))
    lost = sum(count for word, count in missing.items() if is_number(word))
    known = set(words.tokens)
    size = len(answer.tokens)
    signs = () if any(block.source is Source.OCR for block in page.blocks) else exchanged_signs(words, answer, places)
    judged = filter(None, (judged_words(page, words, change, image=image) for change in disputed))
    return Fidelity(
        words=len(required),
        coverage=_share(len(required) - missing.total(), len(required), nothing=1.0),
        added=_share(extra.total(), size, nothing=0.0),
        repeated=_share(sum(count for word, count in (extra + unknown).items() if word in known), size, nothing=0.0),
        gap=max((len(change.page) for change in disputed), default=0),
        inserted=max((len(change.answer) for change in disputed), default=0),
        numbers_missing=_numbers(missing),
        numbers_added=_numbers(extra),
        numbers_kept=_share(numbers - lost, numbers, nothing=1.0),
        moved=(missing & extra).total(),
        altered=(*filter(None, map(_alteration, judged)), *signs)[:MAX_LISTED],
        misplaced=tuple(_misplaced(page, blocks, words, answer, places))[:MAX_LISTED],
        unknown=unknown.total(),
        confirmed=len(found) - len(disputed),
        witness=OCR if witness else "",
    )


def _misplaced(
    page: Page, blocks: Sequence[Block | Draft], words: PageWords, answer: PageWords, places: Sequence[int]
) -> Iterator[str]:
    yield from out_of_column_order(page, words, places)
    yield from read_across(words, answer, places)
    unit = 0
    for block in blocks:
        if block.type is not BlockType.PICTURE:
            if block.cells:
                yield from misplaced_cells(block, unit, words, answer, places)
            unit += len(block.cells) or 1


def verdict(fidelity: Fidelity, *, source: str) -> str:
    """Return the error code of an unacceptable answer, or "".

    ``output_incomplete``: words or numbers of the page are missing; ``output_altered``: the answer differs from the
    page. ``source``: "text_layer" or "ocr", the origin of the page's words.
    """
    limits = OCR_THRESHOLDS if source == OCR else TEXT_LAYER_THRESHOLDS
    if fidelity.words < FEW_WORDS:
        if fidelity.coverage < FEW_WORDS_COVERAGE:
            return INCOMPLETE
        is_wrong = source != OCR and any(len(number) >= LONG_NUMBER for number in fidelity.numbers_missing)
        return ALTERED if is_wrong or fidelity.misplaced else ""
    if fidelity.coverage < limits.coverage or fidelity.gap > limits.gap:
        return INCOMPLETE
    if len(fidelity.numbers_missing) > limits.numbers and fidelity.numbers_kept < limits.numbers_kept:
        return ALTERED if fidelity.numbers_added else INCOMPLETE
    if fidelity.misplaced or fidelity.moved > limits.moved or fidelity.altered:
        return ALTERED
    if fidelity.added > limits.added or fidelity.inserted > limits.inserted:
        return ALTERED
    is_invented = bool(fidelity.witness) and fidelity.unknown > limits.inserted
    return ALTERED if is_invented or fidelity.repeated > MAX_REPEATED else ""


def _alteration(change: Difference) -> str:
    """Describe a change of the page's text; "" for a few words added or left out at an end, and corrected misprints."""
    old, new = " ".join(change.page), " ".join(change.answer)
    if change.page and change.answer:
        return "" if change.is_spelling else f"{old} -> {new}"
    if change.is_whole or change.is_inside or any(map(is_critical, (*change.page, *change.answer))):
        return f"-{old}" if change.page else f"+{new}"
    return ""


def _share(part: int, whole: int, *, nothing: float) -> float:
    # An answer that lacks optional words, too, may lack more words than the page requires.
    return round(max(part, 0) / whole, 4) if whole else nothing


def _numbers(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(word for word in words if is_number(word))[:MAX_LISTED])
