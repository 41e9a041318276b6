"""The result of OCR for one page image: lines and words with boxes and confidence.

An OCR worker writes a ``Recognition`` as JSON; the process that accepts it decodes it strictly. Boxes are in points of
the *straightened* page, because columns and tables are found on straight lines.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from apps.pages.model.blocks import Barcode
from apps.pages.model.errors import GarbledPage
from apps.pages.model.geometry import Box

Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]


class RecognizedWord(msgspec.Struct, frozen=True, array_like=True):
    """A word with its box and confidence. It has the attributes of ``WordBox``."""

    text: str
    x0: float
    top: float
    x1: float
    bottom: float
    confidence: Share

    @property
    def x(self) -> float:
        return self.x0

    @property
    def y(self) -> float:
        return self.top

    @property
    def width(self) -> float:
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        return self.bottom - self.top


class RecognizedLine(msgspec.Struct, frozen=True):
    """A line: its words in reading order, box and confidence."""

    words: tuple[RecognizedWord, ...]
    box: Box
    confidence: Share


class RecognizedSignature(msgspec.Struct, frozen=True):
    """A signature by hand on a scan. ``confidence``: that it is a signature."""

    box: Box
    confidence: Share


class OcrAttempt(msgspec.Struct, frozen=True):
    """One attempt to read the page: the engine and preparation used, the reason for it and the confidence reached."""

    engine: str
    preparation: str
    languages: str
    reason: str
    confidence: Share
    characters: int


class Recognition(msgspec.Struct, frozen=True, rename={"rulings": "rules"}):
    """A page as an OCR engine read it. ``width`` and ``height``: points, of the straightened page, which is the page
    image turned clockwise by ``orientation`` (0, 90, 180 or 270 degrees) and then by ``skew`` (a few degrees).

    ``rulings``: drawn lines as thin boxes. ``languages``: codes of the languages the engine read with.
    ``seconds``: time spent. ``warnings``: codes for the page. ``parts``: the recognitions of the pictures on a sheet,
    which has no lines of its own. ``barcodes``: with boxes of the page image as it was, before it was turned.
    ``lacks_barcodes``: they could not be looked for. ``signatures``: those written by hand.
    """

    lines: tuple[RecognizedLine, ...]
    rulings: tuple[Box, ...]
    width: float
    height: float
    orientation: int
    skew: float
    engine: str
    version: str
    languages: tuple[str, ...]
    confidence: Share
    seconds: float
    attempts: tuple[OcrAttempt, ...]
    warnings: tuple[str, ...] = ()
    parts: tuple[Recognition, ...] = ()
    barcodes: tuple[Barcode, ...] = ()
    lacks_barcodes: bool = False
    signatures: tuple[RecognizedSignature, ...] = ()


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Recognition)


def encode_recognition(recognition: Recognition) -> bytes:
    return _encoder.encode(recognition)


def decode_recognition(raw: bytes) -> Recognition:
    """Return the value that ``encode_recognition`` wrote. Raise GarbledPage for any other bytes."""
    try:
        return _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise GarbledPage from error
