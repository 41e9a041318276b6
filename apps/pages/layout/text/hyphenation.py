"""Decide whether a hyphen at a line end belongs to its word: the document's own words vote."""

from __future__ import annotations

import re
from collections import defaultdict

import msgspec

from apps.pages.layout.text.inline_spans import moved
from apps.pages.model.blocks import Block, Source
from apps.pages.model.text import scripts

# A document of more distinct words decides by those that came first.
MAX_WORDS = 200_000
MAX_WORD_CHARACTERS = 40
# A half that is in this many compounds of the document makes a compound with another word, too.
MIN_FIRST_HALVES, MIN_SECOND_HALVES = 2, 3
# Shorter words in capitals are names of letters, such as those of X-RAY.
MIN_CAPITALS = 3
HYPHENS = "-\u2010\u2011"
LINE_END_HYPHENS = (*HYPHENS, "\xad")
_SIGNS = ",.;:)\u201d\u2019"
_HYPHENS = re.compile(f"[{HYPHENS}]")
_COMPOUND = re.compile(rf"[^\W\d_]+(?:[{HYPHENS}][^\W\d_]+)+")
_LAST_WORD = re.compile(rf"[{HYPHENS}\w'’]*$")
_FIRST_WORD = re.compile(rf"[{HYPHENS}\w'’]*")
_SUSPENDED = re.compile(rf"\w[{HYPHENS}] (\w+)")


class DocumentWords(msgspec.Struct):
    """The words of a document in lower case.

    ``compounds``: those with hyphens inside. ``firsts`` and ``seconds``: the halves of the compounds, each with the
    halves that go with it. ``after_suspended``: words seen after a hyphen and a blank, as in "pre- and postwar".
    """

    words: set[str] = set()
    compounds: set[str] = set()
    firsts: dict[str, set[str]] = msgspec.field(default_factory=lambda: defaultdict(set))
    seconds: dict[str, set[str]] = msgspec.field(default_factory=lambda: defaultdict(set))
    after_suspended: set[str] = set()

    def add(self, block: Block) -> None:
        """Add the words of a block that no line end has cut."""
        if len(self.words) > MAX_WORDS or not block.text:
            return
        if len(block.lines) < 2:
            self._add(block.text)
            return
        cut = False
        texts = []
        for line in block.lines:
            text = line.text.strip()
            cut_by_syllable = _ends_with_hangul(text) and line is not block.lines[-1]
            texts.append(text.partition(" ")[2] if cut else text)
            if cut_by_syllable:
                texts[-1] = texts[-1].rpartition(" ")[0]
            cut = cut_by_syllable or text.endswith(LINE_END_HYPHENS)
        self._add("\n".join(texts))

    def _add(self, text: str) -> None:
        text = text.lower()
        words = text.split()
        self.words.update(words)
        if not ("-" in text or "\u2010" in text or "\u2011" in text):
            return
        hyphenated = [word for word in words if "-" in word or "\u2010" in word or "\u2011" in word]
        for found in _COMPOUND.findall(" ".join(hyphenated)):
            compound = _HYPHENS.sub("-", found)
            if len(compound) <= MAX_WORD_CHARACTERS:
                first, _, second = compound.rpartition("-")
                self.compounds.add(compound)
                self.firsts[first].add(second)
                self.seconds[second].add(first)
        self.after_suspended.update(_SUSPENDED.findall(text))

    def keeps_hyphen(self, left: str, right: str) -> bool:
        """Return True if ``left`` and ``right``, around a hyphen at a line end, are a compound with a hyphen."""
        left, right = left.lower(), right.lower()
        if f"{left}-{right}" in self.compounds:
            return True
        if self._has(left + right):
            return False
        second = len(self.seconds.get(right, ())) >= MIN_FIRST_HALVES and self._has(left)
        return second or (len(self.firsts.get(left, ())) >= MIN_SECOND_HALVES and self._has(right))

    def is_cut(self, left: str, right: str) -> bool:
        """Return True if a line end is inside a Korean word, as where lines are filled syllable by syllable."""
        first, second = left.rpartition(" ")[2], right.partition(" ")[0].rstrip(_SIGNS)
        return self._has(first + second) and not (self._has(first) and self._has(second))

    def _has(self, word: str) -> bool:
        words = self.words
        return word in words or any(word + sign in words for sign in ",.;:)")


NO_WORDS = DocumentWords()


def ends_cut(text: str) -> bool:
    """Return True if a text ends with a hyphen after a letter or digit, so that the next line may continue its word."""
    return text.endswith(LINE_END_HYPHENS) and len(text) > 1 and (text[-2].isalnum() or text[-1] == "\xad")


def appended(text: str, line: str, words: DocumentWords = NO_WORDS) -> str:
    """Return a text with the next line after it, if ``ends_cut(text)``."""
    if text.endswith("\xad"):
        return text[:-1] + line
    left = _matched(_LAST_WORD.search(text[-1 - MAX_WORD_CHARACTERS : -1]))
    right = _matched(_FIRST_WORD.match(line[:MAX_WORD_CHARACTERS]))
    if right.lower() in words.after_suspended and f"{left}-{right}".lower() not in words.compounds:
        return f"{text} {line}"
    if text[-1] == "\u2011" or _is_compound(left, right, text[-1], words):
        return text + line
    return text[:-1] + line


def rejoined(block: Block, words: DocumentWords) -> Block:
    """Return a block with the words at its line ends joined as the document writes them elsewhere."""
    if block.source is Source.MODEL or len(block.lines) < 2:
        return block
    texts = [line.text.rstrip() for line in block.lines[:-1]]
    if not any(ends_cut(text) or _ends_with_hangul(text) for text in texts):
        return block
    old = new = block.lines[0].text.strip()
    moves: list[tuple[int, int]] = []
    for line in block.lines[1:]:
        piece = line.text.strip()
        before = len(new) - len(old)
        old, new = joined_lines(old, piece), joined_lines(new, piece, words)
        if len(new) - len(old) != before:
            moves.append((len(old) - len(piece), len(new) - len(old) - before))
    prefix = len(old) - len(block.text)
    if not moves or not old.endswith(block.text):
        return block  # the text is no longer that of the lines
    spans = tuple(
        msgspec.structs.replace(
            span,
            start=span.start + sum(by for at, by in moves if at - prefix <= span.start),
            end=span.end + sum(by for at, by in moves if at - prefix < span.end),
        )
        for span in block.spans
    )
    return msgspec.structs.replace(block, text=new[prefix:], spans=spans)


def joined_blocks(first: Block, second: Block, words: DocumentWords) -> Block:
    """Return a block that goes on in another column or on another page as one, with the spans of both.

    It has no LaTeX: that would be of one of them.
    """
    text = joined_lines(first.text, second.text, words)
    spans = (*first.spans, *moved(second.spans, len(text) - len(second.text)))
    return msgspec.structs.replace(first, text=text, spans=spans, latex="")


def joined_lines(text: str, line: str, words: DocumentWords = NO_WORDS) -> str:
    """Return a text with the next line of its paragraph after it."""
    if not line:
        return text
    if ends_cut(text):
        return appended(text, line, words)
    if _ends_with_hangul(text) and words is not NO_WORDS and words.is_cut(text, line):
        return text + line
    return f"{text} {line}" if scripts.needs_space_at_line_end(text, line) else text + line


def _is_compound(left: str, right: str, sign: str, words: DocumentWords) -> bool:
    """Return True if ``left`` and ``right`` are a compound that is cut at its own hyphen, which is ``sign``."""
    if not left or not right or not left[-1].isalpha():
        return True
    if any(hyphen in left for hyphen in HYPHENS):
        return sign in left or sign == "-"  # as in state-of-the-art; a sign that only ends lines cuts words
    if words.keeps_hyphen(left, right):
        return True
    is_capitals = left.isupper() and right.isupper() and min(len(left), len(right)) >= MIN_CAPITALS
    # A name whose second half begins with a capital keeps its hyphen.
    return not is_capitals and not right[0].islower()


def _ends_with_hangul(text: str) -> bool:
    return "\uac00" <= text[-1:] < "\ud7a4"


def _matched(found: re.Match[str] | None) -> str:
    return found.group() if found else ""
