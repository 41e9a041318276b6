"""Join punctuation marks to their word. Old typesetting puts a space between them, and engines keep it."""

from __future__ import annotations

from collections.abc import Sequence

from apps.pages.model.text.languages import LATIN, Language
from ocr_worker.engines.base import FoundLine, FoundWord

_CLOSING = frozenset(",.;:!?)]")
# French puts a space before these.
_SPACED_IN_FRENCH = frozenset(";:!?")


def joined(line: FoundLine, languages: Sequence[Language]) -> FoundLine:
    """Return the line with every lone closing mark joined to the word before it; Latin script only."""
    if not languages or languages[0].script != LATIN:
        return line
    closing = _CLOSING - _SPACED_IN_FRENCH if any(language.code == "fr" for language in languages) else _CLOSING
    words: list[FoundWord] = []
    for word in line.words:
        if words and len(word.text) == 1 and word.text in closing:
            before = words[-1]
            words[-1] = FoundWord(
                before.text + word.text,
                min(before.x0, word.x0),
                min(before.top, word.top),
                max(before.x1, word.x1),
                max(before.bottom, word.bottom),
                min(before.confidence, word.confidence),
            )
        else:
            words.append(word)
    return FoundLine(tuple(words), line.confidence)
