"""The characters of a page as the file has them, in numpy arrays: nothing is replaced by a look-alike or left out.

PDFium changes a few things, which are undone here: a hyphen at a line end comes as U+0002, characters beyond U+FFFF
come as two surrogates, and blanks and line ends are made up where the file has none. A character that stays unreadable
keeps its code, so that the quality check sees it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from apps.pages.model.raw_page import TextStyle
from apps.pages.pdf.fonts import glyph_names
from apps.pages.pdf.pdfium import Pdfium
from apps.pages.pdf.text import actual_text
from apps.pages.pdf.text.character_records import GENERATED, JOINED, RECORD, UNMAPPED, drawn_sizes, single_records
from apps.pages.pdf.text.overhang import MAX_BLANK_SHARE, Overhangs
from apps.pages.pdf.text.text_objects import TextObjectReader, TextObjects, across_the_page, lone_blanks

# Text this close to a right angle is laid out as if it were at it.
MAX_SKEW_DEGREES = 3.0
# Lines that rise less than from this angle on still run to the right.
_FIRST_FORWARD_DEGREES = 330
# PDFium cuts a longer string.
_MAX_STRING_CHARACTERS = 32_767
# The buffer grows by this many records more than a page needs.
_CHUNK = 1 << 16
# A blank that is a text object of its own parts letters that are no farther apart; a program may write two in a row.
MAX_LONE_BLANK_EMS, MAX_LONE_BLANKS = 0.7, 2
# The width of such a blank beside letters written to the left, whose real width PDFium does not give.
LONE_BLANK_POINTS = 0.5
# A letter that the side of the page cuts is on it when this much of its width shows.
MIN_SHOWN_POINTS = 0.5
_FIRST_LOW_SURROGATE, _FIRST_HIGH_SURROGATE, _AFTER_SURROGATES = 0xDC00, 0xD800, 0xE000
_REPLACEMENT = 0xFFFD
_FIRST_EAST_ASIAN, _AFTER_EAST_ASIAN = 0x2E80, 0xA000


class Frame(msgspec.Struct, frozen=True):
    """The visible part of a page in its own space (bottom-left origin), and its rotation: 0, 90, 180 or 270 degrees."""

    left: float
    bottom: float
    right: float
    top: float
    rotation: int

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the page as displayed, in points."""
        width, height = self.right - self.left, self.top - self.bottom
        return (height, width) if self.rotation in (90, 270) else (width, height)

    def displayed(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Map points (numbers or arrays) to the page as displayed, origin top-left."""
        if self.left or self.bottom:
            x, y = x - self.left, y - self.bottom
        width, height = self.right - self.left, self.top - self.bottom
        if self.rotation == 90:
            return y, x
        if self.rotation == 180:
            return width - x, y
        if self.rotation == 270:
            return height - y, width - x
        return x, height - y


class Characters(msgspec.Struct):
    """The characters of a page, arrays of one length in the order of the file.

    Boxes are in points of the page as displayed; along the line each reaches from one pen position to the next.
    ``code``: the code point. ``baseline``: the distance of the baseline from the top, measured across the writing
    direction. ``angle``: clockwise degrees of the writing direction, vertical writing is 90. ``style``: an index in
    ``styles``. ``content_id``: the number of its marked content, -1 for none. ``blanks_before``: how many blanks the
    file has before the character. ``piece``: it shares a glyph with the character before it, as in a ligature.
    ``unmapped``: the font has no more than its code. ``blanks``: the boxes of blanks on a page with letters written to
    the left. ``outside``: how many characters are not on the visible page. ``truncated``: characters are missing at the
    end of the page or of a string. ``objects``: handles of the text objects that have a character, and of the marks of
    groups of glyphs with a text of their own. ``hidden_text``: the text of hidden objects. ``overhang``: by how many
    points boxes reach out of the advances, before and after, on a page without blanks; else None. ``doubled``: how many
    more characters are drawn at the place of an equal one. ``object``: the number of its text object, None if unknown.
    """

    text: str
    code: Any
    x0: Any
    top: Any
    x1: Any
    bottom: Any
    baseline: Any
    size: Any
    angle: Any
    style: Any
    styles: list[TextStyle]
    content_id: Any
    blanks_before: Any
    piece: Any
    vertical: Any
    unmapped: Any
    blanks: list[tuple[float, float, float, float]] = []
    outside: int = 0
    truncated: bool = False
    objects: frozenset[int] = frozenset()
    hidden_text: str = ""
    overhang: Any = None
    doubled: int = 0
    object: Any = None


_ARRAYS = (
    "code", "x0", "top", "x1", "bottom", "baseline", "size", "angle", "style", "content_id", "blanks_before", "piece",
    "vertical", "unmapped",
)  # fmt: skip


def kept_characters(characters: Characters, kept: Any) -> Characters:
    """Return those characters for which the array ``kept`` is True."""
    text = characters.text
    return msgspec.structs.replace(
        characters,
        **{name: getattr(characters, name)[kept] for name in _ARRAYS},
        text="".join([text[at] for at in np.flatnonzero(kept).tolist()]),
        overhang=None if characters.overhang is None else characters.overhang[:, kept],
        object=None if characters.object is None else characters.object[kept],
    )


class CharacterReader:
    """Reads the characters of loaded text pages; its buffers are reused from page to page."""

    def __init__(self, library: Pdfium, *, tagged: bool = False) -> None:
        self._library = library
        self._objects = TextObjectReader(library, tagged=tagged)
        self._fonts = self._objects.fonts
        self._overhangs = Overhangs(library)
        self._buffer = np.zeros(1 << 14, RECORD)

    def records(self, text_page: int, max_characters: int) -> tuple[Any, bool]:
        """Return the records of a page, at most ``max_characters`` of them, and whether there are more."""
        count = self._library.FPDFText_CountChars(text_page)
        truncated = count > max_characters
        count = max(0, min(count, max_characters))
        if count > len(self._buffer):
            self._buffer = np.zeros(count + _CHUNK, RECORD)
        if not self._library.has_batch:
            return single_records(self._library, text_page, count), truncated
        found = self._library.FPDFText_GetCharInfoBatch(text_page, 0, count, self._buffer.ctypes.data) if count else 0
        return self._buffer[: max(0, found)], truncated

    def read(
        self,
        page: int,
        text_page: int,
        frame: Frame,
        *,
        max_characters: int,
        drawn: Sequence[int] = (),
        hidden: frozenset[int] = frozenset(),
    ) -> Characters:
        """Return the characters of a page and its text page; those of the objects ``hidden`` are in ``hidden_text``.

        ``drawn``: the text objects of the page in the order of the file.
        """
        records, truncated = self.records(text_page, max_characters)
        index = np.flatnonzero(records["type"] != GENERATED)
        # As rows of integers, because numpy copies records slowly.
        real = records.view("u8").reshape(-1, RECORD.itemsize // 8)[index].view(RECORD).ravel()
        hidden_text = ""
        if hidden:
            shown = ~np.isin(real["object"], np.fromiter(hidden, "u8", len(hidden)))
            cuts = np.flatnonzero(np.diff(index[~shown]) > 1) + 1  # where others are between two neighbours
            hidden_text = "\n".join(_text_of(part) for part in np.split(real[~shown]["unicode"], cuts))
            index, real = index[shown], real[shown]
        objects = real["object"]
        settled = actual_text.settled(self._library, page, real)
        if settled is not None:
            places, real, groups = settled
            index = index[places]
        characters = self._characters(text_page, real, index, frame, drawn)
        if settled is not None:
            characters.objects = groups.union(objects.tolist())
        characters.hidden_text = hidden_text
        characters.truncated = truncated or characters.truncated
        return characters

    def has_silent_fonts(self, silent: Sequence[int]) -> bool:
        """Return True if PDFium has no font for one of the text objects ``silent``, which gave no character.

        Encodings that end in -H or -V are those of composite fonts, which Chinese, Japanese and Korean use.
        """
        facts = [self._fonts.facts(self._library.FPDFTextObj_GetFont(handle) or 0) for handle in silent]
        return any(not font.embedded and font.encoding.endswith(("-H", "-V")) for font in facts)

    def has_silent_groups(self, silent: Sequence[int], read: frozenset[int]) -> bool:
        """Return True if a group of glyphs has a text of its own and none of its objects gave a character."""
        marks = {actual_text.mark_of(self._library, handle) for handle in silent}
        return any(actual_text.is_visible(self._library, mark) for mark in marks - read - {0})

    def _characters(self, text_page: int, real: Any, index: Any, frame: Frame, drawn: Sequence[int] = ()) -> Characters:
        count = len(real)
        handles = real["object"]
        starts = np.flatnonzero(np.concatenate(([True], handles[1:] != handles[:-1]))) if count else np.zeros(0, int)
        lengths = np.diff(np.append(starts, count))
        each = handles[starts].tolist()
        objects = self._objects.read(text_page, index[starts].tolist(), each, real["mode"][starts].tolist())
        object_of = np.repeat(np.arange(len(starts)), lengths)
        if objects.vertical.any():
            objects.vertical &= ~across_the_page(objects, lengths, np.abs(real["size"][starts]))
        fonts = objects.font[object_of]
        codes = self._code_points(real, fonts)
        # A negative font size turns the letters by half a circle.
        objects.matrix[:, :4] *= np.where(real["size"][starts] < 0, -1.0, 1.0)[:, np.newaxis]
        angles = _angles(objects, frame)
        backward = ((angles >= 180) & (angles < _FIRST_FORWARD_DEGREES))[object_of]
        if (
            np.count_nonzero(backward)
            and (order := _order_of_file(handles, np.flatnonzero(backward), drawn)) is not None
        ):
            return self._characters(text_page, real[order], index[order], frame, drawn)
        scale = np.hypot(objects.matrix[:, 2], objects.matrix[:, 3])
        size = np.abs(real["size"]) * np.where(scale > 0, scale, 1.0)[object_of]
        size = drawn_sizes(size, np.abs(real["top"] - real["bottom"]).astype("f8"), fonts)
        blank = _is_blank(codes)
        overhang = None
        if count and np.count_nonzero(blank) <= MAX_BLANK_SHARE * count:
            along = objects.matrix[:, :2]
            along = np.where(np.abs(along) > np.abs(along[:, ::-1]), along, 0.0)
            along[objects.vertical | (angles % 90 != 0)] = 0.0
            overhang = self._overhangs.of(text_page, real, index, fonts, along[object_of])
        x0, y0 = frame.displayed(real["loose_left"].astype("f8"), real["loose_top"].astype("f8"))
        x1, y1 = frame.displayed(real["loose_right"].astype("f8"), real["loose_bottom"].astype("f8"))
        x0, x1 = np.minimum(x0, x1), np.maximum(x0, x1)
        top, bottom = np.minimum(y0, y1), np.maximum(y0, y1)
        pen_x, pen_y = frame.displayed(objects.pen_x, objects.pen_y)
        baseline = np.where((angles == 90) | (angles == 270), pen_x, pen_y)
        width, height = frame.size
        inside = _inside_page(x0, top, x1, bottom, (width, height))
        if np.count_nonzero(inside) < count:
            # The side of the page may cut a letter of a line.
            shown = np.minimum(x1, width) - np.maximum(x0, 0) >= MIN_SHOWN_POINTS
            inside |= shown & (angles % 180 == 0)[object_of] & (np.abs((top + bottom) / 2 - height / 2) <= height / 2)
            x0, x1 = np.where(inside, np.maximum(x0, 0), x0), np.where(inside, np.minimum(x1, width), x1)
        counted = np.cumsum(blank)
        if drawn and count and codes.max() >= _FIRST_EAST_ASIAN:
            near = np.append(False, (x0[1:] - x1[:-1] < MAX_LONE_BLANK_EMS * size[1:]) & (index[1:] - index[:-1] == 2))
            counted += np.cumsum(_follows_lone_blank(codes, handles, near, drawn))
        blanks = []
        if has_leftward(codes):
            blanks = np.column_stack((x0, top, x1, bottom))[blank & inside].tolist()
            for left, pen, beside in lone_blanks(self._library, objects, each, drawn):
                x, y = frame.displayed(left, pen)
                blanks.append(_lone_blank_box(x, y, int(angles[beside])))
        skipped = blank | (codes == JOINED)
        kept = np.flatnonzero(inside & ~skipped)
        blanks_before = np.diff(np.concatenate(([0], counted[kept]))) if len(kept) else np.zeros(0, int)
        # Characters of one glyph, as of a ligature, have one box and one code.
        same_box = np.zeros(count, bool)
        if count > 1 and np.count_nonzero(x0[1:] == x0[:-1]):
            same_box[1:] = (x0[1:] == x0[:-1]) & (x1[1:] == x1[:-1]) & (top[1:] == top[:-1])
            same_box[1:] &= (real["code"][1:] == real["code"][:-1]) & (handles[1:] == handles[:-1])
        object_of = object_of[kept]
        return Characters(
            text=_text_of(codes[kept]),
            code=codes[kept],
            x0=x0[kept],
            top=top[kept],
            x1=x1[kept],
            bottom=bottom[kept],
            baseline=baseline[object_of],
            size=size[kept],
            angle=angles[object_of],
            style=objects.style[object_of],
            styles=self._fonts.styles,
            content_id=objects.content_id[object_of],
            blanks_before=blanks_before,
            piece=same_box[kept],
            overhang=None if overhang is None else overhang[:, kept],
            vertical=objects.vertical[object_of],
            unmapped=self._unmapped(real, codes, fonts)[kept],
            blanks=blanks,
            truncated=bool(len(lengths)) and int(lengths.max()) >= _MAX_STRING_CHARACTERS,
            outside=count - int(np.count_nonzero(inside | skipped)),
            objects=frozenset(each),
            object=object_of,
        )

    def _unmapped(self, real: Any, codes: Any, fonts: Any) -> Any:
        """Return which characters have only their code, in a font whose codes are no code points."""
        unmapped = real["type"] == UNMAPPED
        if np.count_nonzero(unmapped):
            unmapped &= codes == real["code"]
            used = [(font, self._fonts.facts(font)) for font in np.unique(fonts[unmapped]).tolist()]
            unmapped &= ~np.isin(fonts, [font for font, facts in used if facts.encoding.startswith("Uni")])
            # Code points of Chinese and Japanese are higher than the numbers of the glyphs that most texts need.
            mapped = [font for font, facts in used if facts.has_unicode_map]
            unmapped &= ~np.isin(fonts, mapped) | (codes < _FIRST_EAST_ASIAN) | (codes >= _AFTER_EAST_ASIAN)
        return unmapped

    def _code_points(self, real: Any, fonts: Any) -> Any:
        """Return the code point of each record; 0xFFFFFFFF for the second half of a surrogate pair."""
        codes = real["unicode"].astype("u4")
        if not len(codes):
            return codes
        has_rare = codes.max() >= _FIRST_HIGH_SURROGATE
        if has_rare:
            high = (codes >= _FIRST_HIGH_SURROGATE) & (codes < _FIRST_LOW_SURROGATE)
            for at in np.flatnonzero(high).tolist():
                if at + 1 < len(codes) and _FIRST_LOW_SURROGATE <= codes[at + 1] < _AFTER_SURROGATES:
                    codes[at] = 0x10000 + ((int(codes[at]) - 0xD800) << 10) + (int(codes[at + 1]) - 0xDC00)
                    codes[at + 1] = JOINED
        self._fonts.maps.correct(codes, real["code"], fonts)
        glyph_names.name_glyphs(self._library, codes, real, fonts, self._fonts.facts)
        return codes


def _inside_page(x0: Any, top: Any, x1: Any, bottom: Any, size: tuple[float, float]) -> Any:
    """Return which boxes have their middle on a page of this size, or next to it."""
    width, height = size
    if len(x0) and x0.min() >= 0 and top.min() >= 0 and x1.max() <= width and bottom.max() <= height:
        return np.ones(len(x0), bool)
    middle_x, middle_y = (x0 + x1) / 2, (top + bottom) / 2
    return (np.abs(middle_x - width / 2) <= width / 2 + 1) & (np.abs(middle_y - height / 2) <= height / 2 + 1)


def has_leftward(codes: Any) -> bool:
    """Return True if there are letters that are written to the left."""
    if not len(codes) or codes.max() < 0x590:
        return False
    return bool(((codes >= 0x590) & (codes < 0x900) | (codes >= 0xFB1D) & (codes < 0xFF00)).any())


def _follows_lone_blank(codes: Any, handles: Any, near: Any, drawn: Sequence[int]) -> Any:
    """Return which characters follow a blank that is a text object of its own; PDFium leaves such blanks out.

    Only beside letters of East Asia: between others the gap shows the blank. ``near``: which may follow one.
    """
    found = np.zeros(len(codes), bool)
    east_asian = codes >= _FIRST_EAST_ASIAN
    near[1:] &= (handles[1:] != handles[:-1]) & (east_asian[1:] != east_asian[:-1])
    places = np.flatnonzero(near)
    if len(places):
        order = {handle: place for place, handle in enumerate(drawn)}
        read = set(handles.tolist())
        for at, before, after in zip(
            places.tolist(), handles[places - 1].tolist(), handles[places].tolist(), strict=True
        ):
            between = drawn[order.get(before, 0) + 1 : order.get(after, 0)]
            found[at] = 0 < len(between) <= MAX_LONE_BLANKS and not read.intersection(between)
    return found


def _order_of_file(handles: Any, backward: Any, drawn: Sequence[int]) -> Any:
    """Return the places of all characters with those at ``backward`` in the order of the file; None if they are in it.

    PDFium sorts the objects of a line from left to right, so it turns lines around that run to the left or upwards.
    """
    place_of = {handle: place for place, handle in enumerate(drawn)}
    drawn_at = np.array([place_of.get(handle, -1) for handle in handles[backward].tolist()])
    if (drawn_at < 0).any() or (drawn_at[1:] >= drawn_at[:-1]).all():
        return None
    order = np.arange(len(handles))
    order[backward] = backward[np.argsort(drawn_at, kind="stable")]
    return order


def _lone_blank_box(x: float, y: float, angle: int) -> tuple[float, float, float, float]:
    """Return the box of a blank whose pen is at a place of the page as displayed, in a line turned clockwise."""
    wide, high = LONE_BLANK_POINTS, 1.0
    if angle == 90:
        return x, y, x + high, y + wide
    if angle == 180:
        return x - wide, y, x, y + high
    if angle == 270:
        return x - high, y - wide, x, y
    return x, y - high, x + wide, y


def _is_blank(codes: Any) -> Any:
    """Return which code points are blanks of any width."""
    blank = (codes == 0x20) | (codes == 0x09) | (codes == 0x0A) | (codes == 0x0D)
    rare = codes >= 0xA0
    if np.count_nonzero(rare):
        wide = (codes >= 0x2000) & (codes <= 0x200A) | (codes == 0x202F) | (codes == 0x205F) | (codes == 0x3000)
        blank |= rare & (wide | (codes == 0xA0))
    return blank


def _angles(objects: TextObjects, frame: Frame) -> Any:
    """Return the clockwise degrees of each object's writing direction on the page as displayed, 0-359."""
    along_x, along_y = objects.matrix[:, 0], objects.matrix[:, 1]
    if not frame.rotation and not along_y.any() and (along_x > 0).all() and not objects.vertical.any():
        return np.zeros(len(along_x))
    degrees = frame.rotation - np.degrees(np.arctan2(along_y, along_x))
    degrees = np.where(objects.vertical, degrees + 90, degrees)
    square = np.round(degrees / 90) * 90
    return np.mod(np.where(np.abs(degrees - square) < MAX_SKEW_DEGREES, square, np.round(degrees)), 360)


def _text_of(codes: Any) -> str:
    if len(codes) and codes.max() >= _FIRST_HIGH_SURROGATE:
        lone = (codes >= _FIRST_HIGH_SURROGATE) & (codes < _AFTER_SURROGATES)
        codes = np.where(lone | (codes > 0x10FFFF), _REPLACEMENT, codes)
    text: str = codes.astype("<u4").tobytes().decode("utf-32-le")
    return text
