"""Marks that old typesetting, and the engines after it, set apart from their word are joined to it again."""

from __future__ import annotations

from collections.abc import Sequence

from apps.pages.model.languages import LATIN, Language
from ocr_worker.engines.base import FoundLine, FoundWord

_CLOSING = frozenset(",.;:!?)]")
# In French these stand apart by rule.
_APART_IN_FRENCH = frozenset(";:!?")


def joined(line: FoundLine, languages: Sequence[Language]) -> FoundLine:
    """The line with every closing mark that stands alone joined to the word before it; Latin script only."""
    if not languages or languages[0].script != LATIN:
        return line
    closing = _CLOSING - _APART_IN_FRENCH if any(language.code == "fr" for language in languages) else _CLOSING
    words: list[FoundWord] = []
    for word in line.words:
        if words and len(word.text) == 1 and word.text in closing:
            words[-1] = _with(words[-1], word)
        else:
            words.append(word)
    return FoundLine(tuple(words), line.confidence)


def _with(word: FoundWord, mark: FoundWord) -> FoundWord:
    return FoundWord(
        word.text + mark.text,
        min(word.x0, mark.x0),
        min(word.top, mark.top),
        max(word.x1, mark.x1),
        max(word.bottom, mark.bottom),
        min(word.confidence, mark.confidence),
    )
