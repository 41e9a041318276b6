"""Read the texts of an enhanced metafile (MS-EMF), and of the EMF+ records inside it (MS-EMFPLUS)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from apps.pages.reading.metafiles import emf_plus
from apps.pages.reading.metafiles.playback import (
    DEFAULT_SIZE,
    MAX_OBJECTS,
    MAX_RECORDS,
    MAX_TEXT_CHARACTERS,
    UPRIGHT,
    Font,
    Matrix,
    Playback,
    times,
)

SIGNATURE_PLACE, SIGNATURE = 40, b" EMF"
_END = 14
_WINDOW_EXTENT, _WINDOW_ORIGIN, _VIEWPORT_EXTENT, _VIEWPORT_ORIGIN = 9, 10, 11, 12
_ALIGNMENT, _MOVE, _SAVE, _RESTORE, _SET_MATRIX, _CHANGE_MATRIX = 22, 27, 33, 34, 35, 36
_SELECT, _DELETE, _COMMENT, _FONT = 37, 40, 70, 82
_TEXT_A, _TEXT_W, _TEXTS_A, _TEXTS_W, _SMALL_TEXT = 83, 84, 96, 97, 108
# Where the records of bitmaps keep the places of the header and of the pixels.
_BITMAPS = {76: 84, 77: 84, 80: 48, 81: 48}
# Lines, curves and areas.
_DRAWING = frozenset((*range(2, 9), 15, *range(41, 48), *range(53, 57), *range(62, 65), *range(71, 75), *range(85, 93)))
_GLYPHS, _BOTH_DISTANCES, _NO_BOX, _SMALL = 0x10, 0x2000, 0x100, 0x200
_REPLACED, _MULTIPLIED_LEFT, _MULTIPLIED_RIGHT = 4, 2, 3


def is_emf(content: bytes) -> bool:
    return content[:4] == b"\1\0\0\0" and content[SIGNATURE_PLACE : SIGNATURE_PLACE + 4] == SIGNATURE


def played(content: bytes) -> Playback:
    """Return the texts and bitmaps of a metafile; what is damaged is left out."""
    player = _EmfPlayer()
    for kind, record in _records(content):
        try:
            player.play(kind, record)
        except (struct.error, OverflowError, ZeroDivisionError):
            continue
    return player.result()


def _records(content: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    for _ in range(MAX_RECORDS):
        if place + 8 > len(content):
            return
        kind, size = struct.unpack_from("<2I", content, place)
        if size < 8 or kind == _END:
            return
        yield kind, content[place : place + size]
        place += size


class _EmfPlayer:
    def __init__(self) -> None:
        self._device = Playback()
        self._plus = emf_plus.PlusPlayer()
        self._world = UPRIGHT
        self._worlds: list[Matrix] = []
        self._window = [0.0, 0.0, 1.0, 1.0]
        self._viewport = [0.0, 0.0, 1.0, 1.0]
        self._actions: dict[int, Callable[[int, bytes], None]] = {
            **dict.fromkeys((_TEXT_A, _TEXT_W), self._one_text),
            **dict.fromkeys((_TEXTS_A, _TEXTS_W), self._texts),
            **dict.fromkeys((_SELECT, _DELETE), self._object),
            **dict.fromkeys((_SAVE, _RESTORE), self._keep),
            **dict.fromkeys((_SET_MATRIX, _CHANGE_MATRIX), self._transform),
            **dict.fromkeys((_WINDOW_ORIGIN, _WINDOW_EXTENT, _VIEWPORT_ORIGIN, _VIEWPORT_EXTENT), self._frame),
            _SMALL_TEXT: self._small_text,
            _COMMENT: self._comment,
            _FONT: self._make_font,
            _ALIGNMENT: self._align,
            _MOVE: self._move,
        }

    def result(self) -> Playback:
        """Return what was drawn. A file may have everything twice: for programs that read EMF+, and for others."""
        device, plus = self._device, self._plus.device
        if not device.texts or not self._plus.is_dual:
            device.texts += plus.texts
        device.has_drawing = device.has_drawing or plus.has_drawing
        device.is_cut = device.is_cut or plus.is_cut
        return device

    def play(self, kind: int, record: bytes) -> None:
        if kind in _BITMAPS:
            self._bitmap(record, _BITMAPS[kind])
        elif kind in _DRAWING:
            self._device.has_drawing = True
        elif action := self._actions.get(kind):
            action(kind, record)

    def _one_text(self, kind: int, record: bytes) -> None:
        self._text(record, 36, is_wide=kind == _TEXT_W)

    def _texts(self, kind: int, record: bytes) -> None:
        (count,) = struct.unpack_from("<I", record, 36)
        for place in range(40, min(len(record), 40 + 40 * count), 40):
            self._text(record, place, is_wide=kind == _TEXTS_W)

    def _comment(self, _kind: int, record: bytes) -> None:
        self._plus.play(record[12:])

    def _object(self, kind: int, record: bytes) -> None:
        (number,) = struct.unpack_from("<I", record, 8)
        if kind == _SELECT:
            self._device.select(number)
        else:
            self._device.objects.pop(number, None)

    def _align(self, _kind: int, record: bytes) -> None:
        (self._device.alignment,) = struct.unpack_from("<I", record, 8)

    def _move(self, _kind: int, record: bytes) -> None:
        self._device.point = struct.unpack_from("<2i", record, 8)

    def _frame(self, kind: int, record: bytes) -> None:
        values = self._window if kind in (_WINDOW_ORIGIN, _WINDOW_EXTENT) else self._viewport
        start = 0 if kind in (_WINDOW_ORIGIN, _VIEWPORT_ORIGIN) else 2
        values[start : start + 2] = struct.unpack_from("<2i", record, 8)
        self._place()

    def _text(self, record: bytes, place: int, *, is_wide: bool) -> None:
        """Draw a text object (MS-EMF 2.2.5)."""
        x, y, count, start, options = struct.unpack_from("<2i3I", record, place)
        (distances,) = struct.unpack_from("<I", record, place + 36)
        if options & _GLYPHS or self._device.is_cut:
            return  # numbers of glyphs of a font that is not in the file
        if count > MAX_TEXT_CHARACTERS:
            self._device.is_cut, count = True, MAX_TEXT_CHARACTERS
        font = self._device.font
        raw = record[start : start + (2 if is_wide else 1) * count]
        text = font.shown(raw.decode("utf-16-le", errors="replace")) if is_wide else font.decoded(raw)
        count = min(count, len(text))  # the file may claim more characters than it has
        step = 8 if options & _BOTH_DISTANCES else 4
        width = 0
        if distances and distances + step * count <= len(record):
            width = sum(struct.unpack_from("<I", record, distances + step * each)[0] for each in range(count))
        self._device.draw(text, x, y, width if width < 1 << 24 else 0)

    def _small_text(self, _kind: int, record: bytes) -> None:
        x, y, count, options = struct.unpack_from("<2i2I", record, 8)
        start = 36 if options & _NO_BOX else 52
        if options & _SMALL:
            text = record[start : start + count].decode("latin-1")
        else:
            text = record[start : start + 2 * count].decode("utf-16-le", errors="replace")
        if not options & _GLYPHS:
            self._device.draw(self._device.font.shown(text), x, y)

    def _make_font(self, _kind: int, record: bytes) -> None:
        number, height = struct.unpack_from("<Ii", record, 8)
        name = record[40:104].decode("utf-16-le", errors="replace").partition("\0")[0]
        if len(self._device.objects) < MAX_OBJECTS:
            self._device.objects[number] = Font(abs(height) or DEFAULT_SIZE, record[35], name)

    def _keep(self, kind: int, record: bytes) -> None:
        """Save the state, or return to a saved one."""
        if kind == _SAVE:
            self._device.save()
            self._worlds = [*self._worlds[: len(self._device.saved) - 1], self._world]
            return
        (place,) = struct.unpack_from("<i", record, 8)
        index = len(self._device.saved) + place if place < 0 else place - 1
        self._device.restore(place)
        if 0 <= index < len(self._worlds):
            self._world = self._worlds[index]
        self._place()

    def _transform(self, kind: int, record: bytes) -> None:
        matrix = struct.unpack_from("<6f", record, 8)
        mode = struct.unpack_from("<I", record, 32)[0] if kind == _CHANGE_MATRIX else _REPLACED
        if mode == _REPLACED:
            self._world = matrix
        elif mode == _MULTIPLIED_LEFT:
            self._world = times(self._world, matrix)
        elif mode == _MULTIPLIED_RIGHT:
            self._world = times(matrix, self._world)
        else:
            self._world = UPRIGHT
        self._place()

    def _place(self) -> None:
        """Set the matrix of the device: first the world's, then that of window and viewport."""
        x, y, width, height = self._window
        left, top, across, down = self._viewport
        horizontal = across / width if width and across else 1.0
        vertical = down / height if height and down else 1.0
        page = (horizontal, 0.0, 0.0, vertical, left - x * horizontal, top - y * vertical)
        self._device.matrix = times(page, self._world)

    def _bitmap(self, record: bytes, place: int) -> None:
        header, header_size, pixels, size = struct.unpack_from("<4I", record, place)
        if header_size and size and header + header_size <= len(record) and pixels + size <= len(record):
            self._device.bitmaps = [
                *self._device.bitmaps[:1],
                record[header : header + header_size] + record[pixels : pixels + size],
            ]
