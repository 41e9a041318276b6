"""Read the texts of EMF+ records, which comments of an enhanced metafile contain (MS-EMFPLUS)."""

from __future__ import annotations

import struct
from contextlib import suppress

from apps.pages.reading.metafiles.playback import (
    DEFAULT_FONT,
    DEFAULT_SIZE,
    MAX_OBJECTS,
    MAX_RECORDS,
    UPRIGHT,
    Font,
    Matrix,
    Playback,
    times,
)

_IDENTIFIER = b"EMF+"
_HEADER, _OBJECT, _STRING, _DRIVER_STRING = 0x4001, 0x4008, 0x401C, 0x4036
_SAVE, _RESTORE = 0x4025, 0x4026
_SET_MATRIX, _RESET_MATRIX, _MULTIPLY, _MOVE, _SCALE = range(0x402A, 0x402F)
_FIRST_DRAWING, _LAST_DRAWING = 0x4009, 0x401B
_FONT_OBJECT, _CHARACTERS, _AFTER, _DUAL = 6, 1, 0x2000, 1
# Texts are drawn from their upper left corner, glyphs from their baseline.
_TOP, _BASELINE = 0, 24
_LINE_STEP = 1.2


class PlusPlayer:
    """``is_dual``: the file also has records of EMF for the same picture."""

    def __init__(self) -> None:
        self.device = Playback()
        self.is_dual = False
        self._fonts: dict[int, Font] = {}
        self._records = 0
        self._saved: dict[int, Matrix] = {}

    def play(self, comment: bytes) -> None:
        """Read the records of a comment."""
        if not comment.startswith(_IDENTIFIER):
            return
        place = len(_IDENTIFIER)
        while place + 12 <= len(comment) and self._records < MAX_RECORDS:
            self._records += 1
            kind, flags, size, length = struct.unpack_from("<2H2I", comment, place)
            if size < 12:
                return
            with suppress(struct.error, OverflowError):
                self._record(kind, flags, comment[place + 12 : place + min(size, 12 + length)])
            place += size

    def _record(self, kind: int, flags: int, body: bytes) -> None:
        if kind == _HEADER:
            self.is_dual = bool(flags & _DUAL)
        elif kind == _OBJECT and flags >> 8 & 0x7F == _FONT_OBJECT:
            (size,) = struct.unpack_from("<f", body, 4)
            if len(self._fonts) < MAX_OBJECTS:
                self._fonts[flags & 0xFF] = Font(size if 0 < size < 1e6 else DEFAULT_SIZE)
        elif kind in (_STRING, _DRIVER_STRING):
            self.device.font = self._fonts.get(flags & 0xFF, DEFAULT_FONT)
            (self._string if kind == _STRING else self._driver_string)(body)
        elif kind in (_SAVE, _RESTORE):
            self._keep(kind, body)
        elif _SET_MATRIX <= kind <= _SCALE:
            self._transform(kind, flags, body)
        elif _FIRST_DRAWING <= kind <= _LAST_DRAWING:
            self.device.has_drawing = True

    def _string(self, body: bytes) -> None:
        count, x, y = struct.unpack_from("<I2f", body, 8)
        self.device.alignment = _TOP
        text = body[28 : 28 + 2 * count].decode("utf-16-le", errors="replace")
        for number, line in enumerate(text.splitlines()):
            self.device.draw(line, x, y + _LINE_STEP * number * self.device.font.size)

    def _driver_string(self, body: bytes) -> None:
        options, _has_matrix, count = struct.unpack_from("<3I", body, 4)
        if options & _CHARACTERS:  # otherwise these are numbers of glyphs
            text = body[16 : 16 + 2 * count].decode("utf-16-le", errors="replace")
            x, y = struct.unpack_from("<2f", body, 16 + 2 * (count + count % 2))
            self.device.alignment = _BASELINE
            self.device.draw(text, x, y)

    def _keep(self, kind: int, body: bytes) -> None:
        (index,) = struct.unpack_from("<I", body, 0)
        if kind == _SAVE and len(self._saved) < MAX_OBJECTS:
            self._saved[index] = self.device.matrix
        elif kind == _RESTORE and index in self._saved:
            self.device.matrix = self._saved.pop(index)

    def _transform(self, kind: int, flags: int, body: bytes) -> None:
        device = self.device
        if kind == _RESET_MATRIX:
            device.matrix = UPRIGHT
            return
        if kind in (_MOVE, _SCALE):
            x, y = struct.unpack_from("<2f", body, 0)
            matrix = (1.0, 0.0, 0.0, 1.0, x, y) if kind == _MOVE else (x, 0.0, 0.0, y, 0.0, 0.0)
        else:
            matrix = struct.unpack_from("<6f", body, 0)
        if kind == _SET_MATRIX:
            device.matrix = matrix
        else:
            device.matrix = times(matrix, device.matrix) if flags & _AFTER else times(device.matrix, matrix)
