"""Measure how well wrong answers of models are distinguished from right ones, on rewritten pages of the corpus.

    python -m bench.fidelity [-v] [--every N]

The thresholds were chosen on the first three pages of every document (``chosen``); the next fifteen verify them
(``held-out``). Prints a table and writes bench/results/fidelity.json: for each kind of rewriting the share of answers
that are refused. ``-v`` prints each answer that is judged wrongly; ``--every N`` takes every Nth page only.
"""

from __future__ import annotations

import itertools
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import msgspec

from apps.pages.model.blocks import Block, BlockType, Page
from apps.pages.model.errors import ParseError
from apps.pages.output.assembly import finished_pages
from apps.pages.sandbox.client import Reader
from apps.parsing.answers.fidelity import OCR, TEXT_LAYER, Fidelity, compare, verdict
from apps.parsing.answers.figure_texts import figures_of
from apps.parsing.answers.normalized_words import PageWords, page_words, read_words
from apps.parsing.answers.parse_answer import end_line, parsed_page
from bench.fidelity.alterations import WRONG
from bench.fidelity.recognized import recognized_cases, recognized_pages
from bench.fidelity.rewritings import RIGHT, Case, markdown
from bench.figures import CORPUS, Figure, report

# Of each document: the pages on which the thresholds were chosen, and those that verify them.
SETS = {"chosen": range(1, 4), "held-out": range(4, 19)}
MIN_WORDS = 30
TEXT, FIGURES = "text layer", "page with figures seen"
MARKER = "mark"
MIN_DETECTED, MAX_FALSE_ALARMS = 0.98, 0.01


def cases(documents: Sequence[Path], pages_of_each: range) -> Iterator[tuple[Path, Case]]:
    """Yield documents with pages of enough words, each page with its finished blocks and those of the next page."""
    with Reader() as reader:
        for document in documents:
            try:
                numbers = [n for n in pages_of_each if n <= reader.inspect(document).page_count]
                results = list(reader.read_range(document, numbers)) if numbers else []
            except ParseError:
                continue
            finished = list(finished_pages(partial(list, results)))
            pages = [
                (p, list(f.blocks))
                for p, f in zip(results, finished, strict=True)
                if isinstance(p, Page) and isinstance(f, Page)
            ]
            for number, (page, blocks) in enumerate(pages):
                others = pages[number + 1][1] if number + 1 < len(pages) else []
                if compare(page, ()).words >= MIN_WORDS:
                    yield document, (page, blocks, others)


def measured(page: Page, answer: str, *, image: bool = False, read: PageWords | None = None) -> tuple[Page, Fidelity]:
    """Return the page that an answer makes, and how it compares. ``read``: what OCR would read of unknown text."""
    words = page_words(page)
    made = parsed_page(page, f"{answer}\n{end_line(MARKER)}", marker=MARKER, words=words)
    found = compare(page, made.blocks, words, image=image)
    if read and found.unknown:
        found = compare(page, made.blocks, words, image=image, witness=read)
    return made, found


def is_mended(name: str, page: Page, made: Page) -> bool:
    """Return whether the page itself has corrected a wrong answer: its own list numbers, no links but its own, and text
    of its margins, which may be a running line.
    """
    if name.endswith("left out"):
        return not _letters_of(page.blocks) - _letters_of(made.blocks)
    if name == "a link invented":
        return not any("invented" in span.url for block in made.blocks for span in block.spans)
    if name == "a list numbered otherwise":
        printed = {block.marker for block in page.blocks}
        return all(block.marker in printed for block in made.blocks if block.type is BlockType.LIST_ITEM)
    return False


def _letters_of(blocks: Sequence[Block]) -> Counter[str]:
    texts = (block.text + "".join(cell.text for cell in block.cells) for block in blocks)
    return Counter(letter for letter in "".join(texts) if letter.isalnum())


def shares(found: Sequence[Case], judge: str, *, source: str, reads: Sequence[PageWords] = ()) -> list[Figure]:
    """Return the share of right answers that are refused and of wrong ones that are detected.

    ``reads``: what OCR reads of each page, if the model counts as having seen its image.
    """
    rng = random.Random(7)
    counts: dict[str, list[bool]] = defaultdict(list)
    named = {f"right, {rewrite.__name__.replace('_', ' ')}": rewrite for rewrite in RIGHT} | WRONG
    for case, read in itertools.zip_longest(found, reads):
        for name, rewrite in named.items():
            answer = rewrite(case, rng)
            if answer is None:
                continue
            made, fidelity = measured(case[0], answer, image=bool(reads), read=read)
            refused = bool(verdict(fidelity, source=source)) or is_mended(name, case[0], made)
            counts[name].append(refused)
            if "-v" in sys.argv and refused == name.startswith("right"):
                print(judge, name, case[0].number, fidelity)
    right = [refused for name, answers in counts.items() if name.startswith("right") for refused in answers]
    share = round(sum(right) / len(right), 4)
    figures = [Figure(f"{judge}: right answers refused ({len(right)})", share, "share", MAX_FALSE_ALARMS)]
    for name, answers in counts.items():
        target = MAX_FALSE_ALARMS if name.startswith("right") else MIN_DETECTED
        share = round(sum(answers) / len(answers), 4)
        figures.append(Figure(f"{judge}: {name} ({len(answers)})", share, "share", target))
    return figures


def cost(found: Sequence[Case], name: str) -> list[Figure]:
    """Measure CPU milliseconds for a page of about 500 words, from the answer's text to the verdict."""
    page, blocks, _ = min(found, key=lambda case: abs(compare(case[0], ()).words - 500))
    answer = markdown(blocks)
    measured(page, answer)
    spent = []
    for _ in range(20):
        started = time.process_time()
        for _ in range(5):
            read_words.cache_clear()
            measured(page, answer)
        spent.append((time.process_time() - started) / 5 * 1000)
    return [Figure(f"{name}: reading, placing and comparing, {compare(page, ()).words} words", min(spent), "ms", 5.0)]


def main() -> None:
    documents = sorted(itertools.chain(*(CORPUS.glob(f"{name}/*.pdf") for name in ("markdown", "tables", "text"))))
    if not documents:
        sys.exit("This benchmark reads ../shared/corpus, which is missing.")
    step = int(sys.argv[sys.argv.index("--every") + 1]) if "--every" in sys.argv else 1
    figures: list[Figure] = []
    for name, pages_of_each in SETS.items():
        pages = list(cases(documents, pages_of_each))[::step]
        found = [case for _, case in pages]
        figures += [Figure(f"{name}: pages", len(found), "pages"), *cost(found, name)]
        with_figures = [(document, case) for document, case in pages if figures_of(case[0])]  # elsewhere all is equal
        read = recognized_pages(with_figures)
        seen = {number: page_words(page) for number, page in enumerate(read) if page is not None}
        measured_shares = [
            *shares(found, TEXT, source=TEXT_LAYER),
            *shares([with_figures[n][1] for n in seen], FIGURES, source=TEXT_LAYER, reads=list(seen.values())),
            *shares(recognized_cases(pages[::4]), "OCR", source=OCR),
        ]
        figures += [msgspec.structs.replace(figure, what=f"{name}: {figure.what}") for figure in measured_shares]
    report("fidelity", figures)


if __name__ == "__main__":
    main()
