"""Pages drawn at random from a seed: columns, headings, lists, tables, code, notes and scripts, with their words in
reading order. No word comes twice, so a test can say what is lost, doubled or out of order."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.unit.pages.any_script_pdf import Surface, write_surface

SYLLABLES = ["ba", "de", "fi", "go", "lu", "ma", "ne", "pi", "ro", "su", "ta", "ve"]
WIDTH, HEIGHT = 612.0, 792.0
LEFT, RIGHT, TOP, BOTTOM = 60.0, 552.0, 84.0, 720.0
_HEBREW = "אבגדהוזחטילמנסעפצקרשת"


class RandomPage:
    """A page in the making; ``words``: what is drawn, in reading order."""

    def __init__(self, seed: int) -> None:
        self.chance = chance = random.Random(seed)
        self.surface = Surface(WIDTH, HEIGHT, habit=chance.choice(["line", "line", "words", "glyphs", "moves"]))
        self.words: list[str] = []
        self.size = chance.choice([8.0, 9.0, 10.0, 11.0])
        self.leading = self.size * chance.choice([1.15, 1.25, 1.35])
        self.body, self.bold = chance.choice([("Sans", "Sans-Bold"), ("Serif", "Serif-Bold")])
        self._fresh = self._new_words()
        self._ideographs = iter(range(0x4E00 + 40 * (seed % 400), 0x9FA0))
        self._draw()

    def _new_words(self) -> Iterator[str]:
        made = ["".join(parts) for parts in itertools.product(SYLLABLES, repeat=3)]
        self.chance.shuffle(made)
        return iter([*made, *("".join(parts) for parts in itertools.product(SYLLABLES, repeat=4))])

    def _draw(self) -> None:
        chance, words = self.chance, self.words
        has_margins = chance.random() < 0.5
        if has_margins:
            words += self._line(LEFT, 34.0, 4, size=7.0)
        y = TOP
        if chance.random() < 0.7:
            words += self._line(chance.choice([LEFT, 140.0]), y, 4, size=18.0, face=self.bold)
            y += 44.0
        sets = 2 if chance.random() < 0.25 else 1
        for number in range(sets):
            bottom = BOTTOM if number == sets - 1 else y + (BOTTOM - y) / 2 - 40.0
            y = self._columns(y, bottom)
            if number < sets - 1:
                y = bottom + 30.0
                words += self._line(LEFT, y, 5, size=15.0, face=self.bold)
                y += 40.0
        if has_margins:
            words += self._line(LEFT, 760.0, 3, size=7.0)

    def _columns(self, top: float, bottom: float) -> float:
        """Draw columns side by side, of any widths, and return where the longest ends."""
        gutter = self.chance.choice([18.0, 24.0, 32.0])
        shares = self.chance.choice([[1.0], [1.0, 1.0], [1.0, 1.0], [1.6, 1.0], [1.0, 1.6], [1.0, 1.0, 1.0]])
        room = RIGHT - LEFT - gutter * (len(shares) - 1)
        x, ends = LEFT, []
        for number, share in enumerate(shares):
            width = room * share / sum(shares)
            # Notes come after all columns, wherever they are.
            has_note = bottom == BOTTOM and number == len(shares) - 1 and self.chance.random() < 0.4
            # White space across all columns would make two sets of them.
            ends.append(self._column(x, top, width, bottom, first_lines=4 + 2 * number, has_note=has_note))
            x += width + gutter
        return max(ends)

    def _column(self, x: float, top: float, width: float, bottom: float, *, first_lines: int, has_note: bool) -> float:
        """Draw parts below each other, beginning and ending with text, so that the column is one."""
        room = bottom - (4 * self.leading if has_note else 0)
        y = self._paragraph(x, top, width, first_lines)
        while y < room - 18 * self.leading:
            part = self.chance.choice(self._parts(width))
            y = part(x, y + 0.9 * self.leading, width)
            y = self._paragraph(x, y + 0.9 * self.leading, width, self.chance.randrange(3, 7))
        if has_note:
            self.surface.rule(x, bottom - 2.2 * self.leading, x + 0.3 * width, bottom - 2.2 * self.leading)
            self.words += self._line(x, bottom - 1.8 * self.leading, int(width / 50), size=0.8 * self.size)
        return y

    def _parts(self, width: float) -> list[Callable[[float, float, float], float]]:
        parts: list[Callable[[float, float, float], float]] = [
            self._heading,
            self._list,
            self._figure,
            self._ideographic,
            self._leftward,
        ]
        if width > 200:
            parts += [self._ruled_table, self._open_table, self._code]
        return parts

    def _line(self, x: float, top: float, count: int, *, size: float = 0.0, face: str = "") -> list[str]:
        """Draw a line of some words and return these."""
        words = [next(self._fresh) for _ in range(count)]
        self.surface.text(x, top, " ".join(words), size or self.size, face or self.body)
        return words

    def _filled(self, width: float, first: str = "") -> list[str]:
        """Return words that fill a line of this width."""
        words = [first] if first else []
        while True:
            word = next(self._fresh)
            if self.surface.width(" ".join([*words, word]), self.size, self.body) > width:
                return words
            words.append(word)

    def _paragraph(self, x: float, top: float, width: float, lines: int) -> float:
        for number in range(lines):
            words = self._filled(width)
            if number == lines - 1:
                words = [*words[: max(2, len(words) // 2)]]
                words[-1] += "."
            self.surface.text(x, top, " ".join(words), self.size, self.body)
            self.words += words
            top += self.leading
        return top

    def _heading(self, x: float, top: float, width: float) -> float:
        size = 1.25 * self.size
        self.words += self._line(x, top, min(4, int(width / 60)), size=size, face=self.bold)
        return top + 1.2 * size

    def _list(self, x: float, top: float, width: float) -> float:
        """Draw items, some of two lines, some with an inner item."""
        is_numbered = self.chance.random() < 0.5
        for number in range(1, self.chance.randrange(3, 6)):
            top = self._item(x, top, width, f"{number}." if is_numbered else "•", self.chance.choice([1, 1, 2]))
            if self.chance.random() < 0.3:
                top = self._item(x + 1.6 * self.size, top, width - 1.6 * self.size, "–", 1)
        return top

    def _item(self, x: float, top: float, width: float, marker: str, lines: int) -> float:
        self.surface.text(x, top, marker, self.size, self.body)
        for number in range(lines):
            words = self._filled(width - 1.6 * self.size)
            words = words if number < lines - 1 else words[: max(2, len(words) - 1)]
            self.surface.text(x + 1.6 * self.size, top, " ".join(words), self.size, self.body)
            self.words += words
            top += self.leading
        return top

    def _figure(self, x: float, top: float, width: float) -> float:
        height = self.chance.choice([40.0, 64.0])
        self.surface.fill(x, top + 4.0, width, height)
        return top + height + 8.0

    def _ideographic(self, x: float, top: float, width: float) -> float:
        """Draw lines of Chinese, which is one word."""
        count = int(width / self.size) - 1
        lines = ["".join(chr(next(self._ideographs)) for _ in range(count)) for _ in range(3)]
        for line in lines:
            self.surface.text(x, top, line, self.size, self.body)
            top += self.leading
        self.words.append("".join(lines))
        return top

    def _leftward(self, x: float, top: float, width: float) -> float:
        """Draw a line of Hebrew; the file has its letters from the left."""
        words = ["".join(self.chance.choices(_HEBREW, k=6)) for _ in range(int(width / (4.2 * self.size)))]
        line = " ".join(words)[::-1]
        self.surface.text(x + width - self.surface.width(line, self.size, self.body), top, line, self.size, self.body)
        self.words += words
        return top + self.leading

    def _number(self) -> str:
        return self.chance.choice(["{:,}", "({:,})", "−{:,}", "{:,}.50", "{:,} %", "${:,}"]).format(
            self.chance.randrange(10, 9000)
        )

    def _ruled_table(self, x: float, top: float, width: float) -> float:
        """Draw a grid of cells; the first row may have a cell over two columns, and one cell is of two rows."""
        columns, rows, height = self.chance.choice([2, 3]), self.chance.choice([3, 4]), 1.7 * self.size
        xs = [x + width * number / columns for number in range(columns + 1)]
        ys = [top + height * number for number in range(rows + 1)]
        is_merged = columns == 3 and self.chance.random() < 0.5
        for y in ys:
            self.surface.rule(x, y, x + width, y)
        for number, edge in enumerate(xs):
            self.surface.rule(edge, ys[1] if is_merged and number == 2 else top, edge, ys[-1])
        for row, column in itertools.product(range(rows), range(columns)):
            if not (is_merged and row == 0 and column == 2):
                text = next(self._fresh) if not row or not column else self._number()
                self.surface.text(xs[column] + 4.0, ys[row] + 0.3 * self.size, text, self.size, self.body)
                self.words += text.split()
        return ys[-1] + 0.4 * self.leading

    def _open_table(self, x: float, top: float, width: float) -> float:
        """Draw a table of numbers without rulings, set flush right."""
        columns = self.chance.choice([3, 4])
        top += 0.5 * self.leading
        for row in range(self.chance.choice([4, 6])):
            for column in range(columns):
                text = next(self._fresh) if not row or not column else f"{self.chance.randrange(10, 9000):,}"
                right = x + width * (column + 1) / columns - 6.0
                start = right - self.surface.width(text, self.size, self.body) if column else x
                self.surface.text(start, top, text, self.size, self.body if row else self.bold)
                self.words.append(text)
            top += 1.1 * self.leading
        return top + 0.5 * self.leading

    def _code(self, x: float, top: float, _width: float) -> float:
        name, other = next(self._fresh), next(self._fresh)
        for indent, text in enumerate([f"def {name}(a):", f"if a > {other}:", "return a[0]"]):
            self.surface.text(x + indent * 2.4 * self.size, top, text, self.size, "Mono")
            self.words += text.split()
            top += self.leading
        return top

    def write(self, path: Path, *, rotate: int = 0, shift: tuple[float, float] = (0.0, 0.0)) -> str:
        return write_surface(path, self.surface, rotate=rotate, shift=shift)
