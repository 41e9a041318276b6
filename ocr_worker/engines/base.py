"""The interface of OCR engines.

An engine receives a straightened grey page, the lines that the detector found on it and the expected languages. It
returns lines of words in pixels of that page. It raises the exceptions of its library; the page
then fails with ``ocr_failed``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from apps.pages.model.text.languages import Language
from apps.pages.sandbox.engine_confinement import Needs
from ocr_worker.errors import LanguagePackMissing
from ocr_worker.networks.ppocr import Detector, Gray, Quad, Strip

__all__ = ["FoundLine", "FoundWord", "Gray", "Needs", "OcrEngine", "needs"]
Factory = TypeVar("Factory", bound=Callable[..., Any])


def needs(need: Needs) -> Callable[[Factory], Factory]:
    """Mark a function that makes an engine: the engine starts programs or uses a GPU, so less is taken from it."""

    def mark(factory: Factory) -> Factory:
        factory.needs = need  # type: ignore[attr-defined]
        return factory

    return mark


class FoundWord(NamedTuple):
    """A word in pixels; ``confidence`` 0.0-1.0."""

    text: str
    x0: float
    top: float
    x1: float
    bottom: float
    confidence: float


class FoundLine(NamedTuple):
    """Words of one printed line (of one column), in reading order."""

    words: tuple[FoundWord, ...]
    confidence: float

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)


class OcrEngine(Protocol):
    """One engine, loaded. It belongs to the process that made it.

    An engine inherits from this class and defines ``name``, ``version``, ``knows`` and ``recognize``. The other methods
    are abilities that help to read a page; their defaults suit an engine without them.
    """

    name: str
    version: str
    reads_old_print: bool = False
    """True if ``read_strips`` reads prints with long s."""

    def knows(self, languages: Sequence[Language]) -> bool:
        """Return True if the engine can read all of these languages."""

    def recognize(self, page: Gray, lines: Sequence[Quad], languages: Sequence[Language]) -> list[FoundLine]:
        """Return the page's text; an empty list for a page without any. ``languages``: the main one first."""

    def detector(self) -> Detector | None:
        """Return a line detector on the engine's own runtime. The detector of the first engine with one is used."""
        return None

    def read_any_script(self, strips: Sequence[Gray]) -> list[Strip]:
        """Read lines whose script is unknown, one strip each. The caller finds the page's script and orientation so."""
        return []

    def script_of(self, page: Gray) -> str:
        """Return the script of a page, named as in ``apps.pages.model.text.languages`` or, for others, in English.

        "" if it cannot be detected.
        """
        return ""

    def read_strips(self, strips: Sequence[Gray], languages: Sequence[Language]) -> str:
        """Return the text of lines that were cut out of a page. Used to detect old prints."""
        return ""

    def missing_pack(self, languages: Sequence[Language]) -> LanguagePackMissing | None:
        """Return the error that explains how to install what these languages need; None if nothing would help."""
        return None
