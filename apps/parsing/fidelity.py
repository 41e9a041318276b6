"""Is an answer this page: does it keep the page's words and numbers, and does it add others?

The thresholds are chosen by ``python -m bench.fidelity``; docs/fidelity.md tells what they find and what they miss.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from apps.pages.blocks import Block, BlockType, Page
from apps.parsing.drafts import Draft
from apps.parsing.words import is_number, page_words, words_of

TEXT_LAYER = "text_layer"
OCR = "ocr"
INCOMPLETE = "output_incomplete"
ALTERED = "output_altered"
# So many numbers of each kind are named.
MOST_NUMBERS = 20


class Fidelity(msgspec.Struct, frozen=True, omit_defaults=True):
    """How an answer compares with its page.

    ``words``: the page's words, without running lines and list markers. ``coverage``: the share of them that the answer
    has, as often as the page. ``added``: the share of the answer's words that the page does not have, or not as often.
    ``gap`` and ``inserted``: the most words missing, and added, in one place. ``numbers_missing`` and
    ``numbers_added``: the first of them.
    ``pictures``: whether the page has pictures, which may hold text that is not in its words.
    """

    words: int
    coverage: float
    added: float
    gap: int = 0
    inserted: int = 0
    numbers_missing: tuple[str, ...] = ()
    numbers_added: tuple[str, ...] = ()
    pictures: bool = False


class Thresholds(msgspec.Struct, frozen=True):
    """What is let pass: coverage and added as shares, gap and inserted in words, numbers missing and added as counts
    and, where more are allowed on pages with many, as a share of the page's words."""

    coverage: float
    added: float
    gap: int
    inserted: int
    numbers_missing: int
    numbers_added: int


# Pages with fewer words than this are let pass as long as the answer has something of them.
FEW_WORDS = 8
FEW_WORDS_COVERAGE = 0.5
TEXT_LAYER_THRESHOLDS = Thresholds(coverage=0.93, added=0.10, gap=5, inserted=5, numbers_missing=0, numbers_added=0)
# OCR misreads words and numbers, and the model mends them.
OCR_THRESHOLDS = Thresholds(coverage=0.75, added=0.30, gap=12, inserted=12, numbers_missing=12, numbers_added=12)
# A model that sees the page also reads what stands in its pictures.
PICTURE_TEXT_ADDED = 0.60


def compare(page: Page, blocks: Sequence[Block | Draft]) -> Fidelity:
    """Compare the words of an answer with those of its page."""
    words = page_words(page)
    found, markers = _answer_words(blocks)
    required = [token for token, optional in zip(words.tokens, words.optional, strict=True) if not optional]
    missing = Counter(required) - Counter(found) - Counter(markers)
    extra = Counter(found) - Counter(words.tokens)
    return Fidelity(
        words=len(required),
        coverage=_share(len(required) - missing.total(), len(required), nothing=1.0),
        added=_share(extra.total(), len(found), nothing=0.0),
        gap=_longest(required, found, missing) if missing else 0,
        inserted=_longest(found, words.tokens, extra) if extra else 0,
        numbers_missing=_numbers(missing),
        numbers_added=_numbers(extra),
        pictures=any(block.type is BlockType.PICTURE for block in page.blocks),
    )


def verdict(fidelity: Fidelity, *, source: str, image: bool) -> str:
    """ "" for an answer that can be taken; ``output_incomplete`` where the page's words or numbers are missing in it,
    ``output_altered`` where it says other things than the page.

    ``source``: where the page's words come from, "text_layer" or "ocr". ``image``: whether the model saw the page.
    """
    if fidelity.words < FEW_WORDS:
        return "" if fidelity.coverage >= FEW_WORDS_COVERAGE else INCOMPLETE
    limits = OCR_THRESHOLDS if source == OCR else TEXT_LAYER_THRESHOLDS
    if fidelity.coverage < limits.coverage or fidelity.gap > limits.gap:
        return INCOMPLETE
    if len(fidelity.numbers_missing) > limits.numbers_missing:
        return ALTERED if fidelity.numbers_added else INCOMPLETE
    if image and fidelity.pictures:
        return ALTERED if fidelity.added > PICTURE_TEXT_ADDED else ""
    if fidelity.added > limits.added or fidelity.inserted > limits.inserted:
        return ALTERED
    return ALTERED if len(fidelity.numbers_added) > limits.numbers_added else ""


def _answer_words(blocks: Sequence[Block | Draft]) -> tuple[list[str], list[str]]:
    """The words of an answer, and apart from them those of its list markers, which are numbered anew now and then."""
    found: list[str] = []
    markers: list[str] = []
    for block in blocks:
        if block.type is BlockType.PICTURE:
            continue
        for cell in block.cells:
            found += words_of(cell.text)
        found += words_of(block.text)
        markers += words_of(block.marker)
    return found, markers


def _share(part: int, whole: int, *, nothing: float) -> float:
    return round(part / whole, 4) if whole else nothing


def _numbers(words: Mapping[str, int]) -> tuple[str, ...]:
    return tuple(sorted(word for word in words if is_number(word))[:MOST_NUMBERS])


def _longest(words: Sequence[str], others: Sequence[str], missing: Mapping[str, int]) -> int:
    """The most of ``missing`` in one stretch of ``words`` of which the others have no three words in a row."""
    return max((_missing_in(stretch, missing) for stretch in _stretches(words, others)), default=0)


def _stretches(words: Sequence[str], others: Sequence[str]) -> Iterator[Sequence[str]]:
    threes = set(zip(others, others[1:], others[2:], strict=False))
    start = 0  # of the stretch that is open
    for place, three in enumerate(zip(words, words[1:], words[2:], strict=False)):
        if three in threes:
            if place > start:
                yield words[start:place]
            start = place + 3
    if start < len(words):
        yield words[start:]


def _missing_in(stretch: Sequence[str], missing: Mapping[str, int]) -> int:
    counts = Counter(word for word in stretch if word in missing)
    return sum(min(count, missing[word]) for word, count in counts.items())
