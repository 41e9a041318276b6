"""The fidelity check: does an answer keep the words and numbers of its page, and does it add others?

``python -m bench.fidelity`` measures the thresholds; docs/quality-and-speed.md has the figures.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from apps.pages.model.blocks import Block, BlockType, Page
from apps.parsing.answers.drafts import Draft
from apps.parsing.answers.normalized_words import PageWords, is_number, page_words, words_of

TEXT_LAYER = "text_layer"
OCR = "ocr"
INCOMPLETE = "output_incomplete"
ALTERED = "output_altered"
MAX_LISTED_NUMBERS = 20  # missing, and added


class Fidelity(msgspec.Struct, frozen=True, omit_defaults=True):
    """How an answer compares with its page.

    ``words``: the number of words on the page, without list markers and page numbers. ``coverage``: the share of them
    in the answer, counting repetitions. ``added``: the share of the answer's words that the page lacks or has less
    often; ``repeated``: the share that the page has, but less often. ``gap`` and ``inserted``: the largest number of
    words missing, and added, in one place. ``numbers_missing`` and ``numbers_added``: at most ``MAX_LISTED_NUMBERS``
    each; ``numbers_kept``: the share of the page's numbers in the answer. ``pictures``: the page has pictures, which
    may contain text that is not among its words.
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
    pictures: bool = False


class Thresholds(msgspec.Struct, frozen=True):
    """Limits for an acceptable answer: ``coverage``, ``added`` and ``numbers_kept`` are shares, ``gap`` and
    ``inserted`` are words, ``numbers`` is how many may be missing, and how many added, whatever their share."""

    coverage: float
    added: float
    gap: int
    inserted: int
    numbers: int
    numbers_kept: float


# Pages with fewer words than this need only FEW_WORDS_COVERAGE.
FEW_WORDS = 8
FEW_WORDS_COVERAGE = 0.5
TEXT_LAYER_THRESHOLDS = Thresholds(coverage=0.95, added=0.10, gap=4, inserted=5, numbers=0, numbers_kept=1.0)
# OCR misreads words and numbers, and the model corrects them.
OCR_THRESHOLDS = Thresholds(coverage=0.80, added=0.25, gap=8, inserted=8, numbers=4, numbers_kept=0.6)
# A model that sees the page also reads the text in its pictures; it does not read the page's own words there twice.
PICTURE_TEXT_ADDED = 0.60
PICTURE_TEXT_REPEATED = 0.25
_COMMAND = re.compile(r"\\([a-zA-Z]{2,20})")


def compare(page: Page, blocks: Sequence[Block | Draft], words: PageWords | None = None) -> Fidelity:
    """Compare the words of an answer with those of its page.

    Blocks from ``align`` include the running lines that the answer left out; without ``align`` these count as missing.
    """
    words = words or page_words(page)
    known = set(words.tokens)
    found: list[str] = []
    markers: list[str] = []  # separate, because models sometimes renumber lists
    for block in blocks:
        if block.type is not BlockType.PICTURE:
            for text in (*(cell.text for cell in block.cells), block.text):
                # Names of LaTeX commands (``\frac``) count only if the page contains them.
                found += words_of(
                    _COMMAND.sub(lambda name: name.group() if name.group(1).lower() in known else " ", text)
                )
            markers += words_of(block.marker)
    required = [token for token, optional in zip(words.tokens, words.optional, strict=True) if not optional]
    missing = Counter(required) - Counter(found) - Counter(markers)
    extra = Counter(found) - Counter(words.tokens)
    numbers = sum(map(is_number, required))
    lost = sum(count for word, count in missing.items() if is_number(word))
    return Fidelity(
        words=len(required),
        coverage=_share(len(required) - missing.total(), len(required), nothing=1.0),
        added=_share(extra.total(), len(found), nothing=0.0),
        repeated=_share(sum(count for word, count in extra.items() if word in known), len(found), nothing=0.0),
        gap=_longest(required, found, missing) if missing else 0,
        inserted=_longest(found, words.tokens, extra) if extra else 0,
        numbers_missing=_numbers(missing),
        numbers_added=_numbers(extra),
        numbers_kept=_share(numbers - lost, numbers, nothing=1.0),
        pictures=any(block.type is BlockType.PICTURE for block in page.blocks),
    )


def verdict(fidelity: Fidelity, *, source: str, image: bool) -> str:
    """Return the error code of an unacceptable answer, or "".

    ``output_incomplete``: words or numbers of the page are missing; ``output_altered``: the answer differs from the
    page. ``source``: "text_layer" or "ocr", the origin of the page's words. ``image``: whether the model saw the page.
    """
    if fidelity.words < FEW_WORDS:
        return "" if fidelity.coverage >= FEW_WORDS_COVERAGE else INCOMPLETE
    limits = OCR_THRESHOLDS if source == OCR else TEXT_LAYER_THRESHOLDS
    if fidelity.coverage < limits.coverage or fidelity.gap > limits.gap:
        return INCOMPLETE
    if len(fidelity.numbers_missing) > limits.numbers and fidelity.numbers_kept < limits.numbers_kept:
        return ALTERED if fidelity.numbers_added else INCOMPLETE
    if image and fidelity.pictures:
        adds = fidelity.added > PICTURE_TEXT_ADDED or fidelity.repeated > PICTURE_TEXT_REPEATED
    else:
        adds = fidelity.added > limits.added or fidelity.inserted > limits.inserted
        # Numbers that OCR misread count as missing above and as added here, where the model corrected them.
        adds = adds or (limits.numbers_kept == 1.0 and len(fidelity.numbers_added) > limits.numbers)
    return ALTERED if adds else ""


def _share(part: int, whole: int, *, nothing: float) -> float:
    return round(part / whole, 4) if whole else nothing


def _numbers(words: Mapping[str, int]) -> tuple[str, ...]:
    return tuple(sorted(word for word in words if is_number(word))[:MAX_LISTED_NUMBERS])


def _longest(words: Sequence[str], others: Sequence[str], missing: Mapping[str, int]) -> int:
    """Return the largest number of ``missing`` words in one stretch of ``words`` that shares no three words in a row
    with ``others``."""
    threes = set(zip(others, others[1:], others[2:], strict=False))
    stretches = []
    start = 0
    for place, three in enumerate(zip(words, words[1:], words[2:], strict=False)):
        if three in threes:
            stretches.append(words[start:place])
            start = place + 3
    longest = 0
    for stretch in (*stretches, words[start:]):
        counts = Counter(word for word in stretch if word in missing)
        longest = max(longest, sum(min(count, missing[word]) for word, count in counts.items()))
    return longest
