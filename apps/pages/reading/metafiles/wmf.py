"""Read the texts of a Windows metafile (MS-WMF)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from apps.pages.reading.metafiles.playback import DEFAULT_SIZE, MAX_OBJECTS, MAX_RECORDS, Font, Playback

_PLACEABLE, _PLACEABLE_BYTES = b"\xd7\xcd\xc6\x9a", 22
_HEADERS = (b"\1\0\x09\0", b"\2\0\x09\0")
_HEADER_BYTES = 18
_TEXT, _LONG_TEXT, _FONT = 0x0521, 0x0A32, 0x02FB
_SELECT, _DELETE, _ALIGNMENT, _MOVE, _SAVE, _RESTORE = 0x012D, 0x01F0, 0x012E, 0x0214, 0x001E, 0x0127
_WINDOW_ORIGIN, _WINDOW_EXTENT = 0x020B, 0x020C
_OTHER_OBJECTS = frozenset((0x02FA, 0x02FC, 0x00F7, 0x01F9, 0x0142, 0x06FF))
# Where the records of bitmaps begin with them.
_BITMAPS = {0x0940: 16, 0x0B41: 20, 0x0D33: 18, 0x0F43: 22}
_DRAWING = frozenset(
    (0x0213, 0x0324, 0x0325, 0x0538, 0x041B, 0x0418, 0x061C, 0x0817, 0x081A, 0x0830, 0x0419, 0x0548, 0x0228, 0x012B)
)
_HAS_BOX = 2 | 4
_GLYPHS = 0x10


def is_wmf(content: bytes) -> bool:
    return content.startswith((_PLACEABLE, *_HEADERS))


def played(content: bytes) -> Playback:
    """Return the texts and bitmaps of a metafile; what is damaged is left out."""
    player = _WmfPlayer()
    for kind, body in _records(content):
        try:
            player.play(kind, body)
        except (struct.error, OverflowError, ZeroDivisionError, IndexError):
            continue
    return player.device


def _records(content: bytes) -> Iterator[tuple[int, bytes]]:
    place = _HEADER_BYTES + (_PLACEABLE_BYTES if content.startswith(_PLACEABLE) else 0)
    for _ in range(MAX_RECORDS):
        if place + 6 > len(content):
            return
        words, kind = struct.unpack_from("<IH", content, place)
        if words < 3 or kind == 0:
            return
        yield kind, content[place + 6 : place + 2 * words]
        place += 2 * words


class _WmfPlayer:
    def __init__(self) -> None:
        self.device = Playback()
        self._window = [0.0, 0.0, 1.0, 1.0]
        self._free = 0
        self._actions: dict[int, Callable[[bytes], None]] = {
            _TEXT: self._text,
            _LONG_TEXT: self._long_text,
            _FONT: self._make_font,
            _SELECT: self._select,
            _DELETE: self._delete,
            _ALIGNMENT: self._align,
            _MOVE: self._move,
            _SAVE: self._save,
            _RESTORE: self._restore,
            _WINDOW_ORIGIN: self._origin,
            _WINDOW_EXTENT: self._extent,
        }

    def play(self, kind: int, body: bytes) -> None:
        if kind in _BITMAPS:
            if len(body) > _BITMAPS[kind]:
                self.device.bitmaps = [*self.device.bitmaps[:1], body[_BITMAPS[kind] :]]
        elif kind in _DRAWING:
            self.device.has_drawing = True
        elif kind in _OTHER_OBJECTS:
            self._add_object(None)
        elif action := self._actions.get(kind):
            action(body)

    def _text(self, body: bytes) -> None:
        (count,) = struct.unpack_from("<H", body, 0)
        y, x = struct.unpack_from("<2h", body, 2 + count + count % 2)
        self.device.draw(self.device.font.decoded(body[2 : 2 + count]), x, y)

    def _make_font(self, body: bytes) -> None:
        (height,) = struct.unpack_from("<h", body, 0)
        name = body[18:50].partition(b"\0")[0].decode("cp1252", errors="replace")
        self._add_object(Font(abs(height) or DEFAULT_SIZE, body[13], name))

    def _select(self, body: bytes) -> None:
        self.device.select(struct.unpack_from("<H", body, 0)[0])

    def _delete(self, body: bytes) -> None:
        (number,) = struct.unpack_from("<H", body, 0)
        self.device.objects.pop(number, None)
        self._free = min(self._free, number)

    def _align(self, body: bytes) -> None:
        (self.device.alignment,) = struct.unpack_from("<H", body, 0)

    def _move(self, body: bytes) -> None:
        y, x = struct.unpack_from("<2h", body, 0)
        self.device.point = x, y

    def _save(self, _body: bytes) -> None:
        self.device.save()

    def _restore(self, body: bytes) -> None:
        self.device.restore(struct.unpack_from("<h", body, 0)[0])

    def _origin(self, body: bytes) -> None:
        self._window[:2] = reversed(struct.unpack_from("<2h", body, 0))
        self._place()

    def _extent(self, body: bytes) -> None:
        self._window[2:] = reversed(struct.unpack_from("<2h", body, 0))
        self._place()

    def _place(self) -> None:
        left, top, width, height = self._window
        across, down = (-1.0 if width < 0 else 1.0), (-1.0 if height < 0 else 1.0)
        self.device.matrix = (across, 0.0, 0.0, down, -left * across, -top * down)

    def _long_text(self, body: bytes) -> None:
        y, x, count, options = struct.unpack_from("<2hHH", body, 0)
        start = 16 if options & _HAS_BOX else 8
        if options & _GLYPHS:
            return  # numbers of glyphs of a font that is not in the file
        place = start + count + count % 2
        width = sum(struct.unpack_from(f"<{count}h", body, place)) if place + 2 * count <= len(body) else 0
        self.device.draw(self.device.font.decoded(body[start : start + count]), x, y, max(0, width))

    def _add_object(self, font: Font | None) -> None:
        """Put an object into the first free place, as the commands count on."""
        objects = self.device.objects
        while self._free in objects:
            self._free += 1
        if len(objects) < MAX_OBJECTS:
            objects[self._free] = font
