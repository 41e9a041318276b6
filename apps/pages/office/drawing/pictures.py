"""Pictures: their alternative texts, and the names of the image files that they show.

The name of an image file is that of a part of an archive, ``cid:`` and the id of a part of a message, ``data:`` and a
digest of an address that contains the image itself, ``pict:`` and the place of a picture in RTF, from 0, or ``blip:``
and the number of a picture in an xls workbook, from 1. In a file
attached to a message, ``file:`` and its place among the files, from 0, come before it: ``file:2:word/media/a.png``.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from urllib.parse import unquote

import msgspec

from apps.pages.model.blocks import Block, EmbeddedImage
from apps.pages.model.text.safe_text import clean
from apps.pages.office.xml_parts import Element, Relationship, attribute

# Programs put a counted name or the name of the file where an author wrote nothing.
_SAYS_NOTHING = re.compile(
    r"(?:picture|image|grafik|bild|immagine|imagen|afbeelding|图片|図) ?\d*"
    r"|[^\s/\\]+\.(?:png|jpe?g|gif|bmp|tiff?|emf|wmf|svg)",
    re.IGNORECASE,
)

BLIP, CID, DATA, FILE, PICT = "blip:", "cid:", "data:", "file:", "pict:"
_DATA_ADDRESS = re.compile(rb"data:image/[\w.+-]+(?:;[\w=.+-]+)*;base64,[A-Za-z0-9+/=\s%]+", re.IGNORECASE)
ImageOf = Callable[[str], EmbeddedImage | None]
"""Finds the image file of an address; None for one that is not in the document."""
_BLANKS = re.compile(rb"\s+")


def alternative_text(text: str) -> str:
    """Return what an alternative text says of a picture; "" if it is only a name."""
    text = " ".join(clean(text).split())
    return "" if _SAYS_NOTHING.fullmatch(text) else text


def image_of(element: Element, links: Mapping[str, Relationship]) -> EmbeddedImage | None:
    """Return the image file that a picture of an Open XML file shows; None if it has none, or one outside the file."""
    for blip in element.iter("{*}blip", "{*}imagedata"):
        link = links.get(attribute(blip, "embed") or attribute(blip, "id"))
        if link is not None and not link.is_external:
            return EmbeddedImage(link.target)
    return None


def image_of_frame(frame: Element, folder: str = "") -> EmbeddedImage | None:
    """Return the image file that a frame of an OpenDocument file shows; None without one.

    A frame with several has the same picture in several formats. ``folder``: that of an object in the file.
    """
    addresses = [attribute(image, "href") for image in frame.iterfind("{*}image")]
    names = [posixpath.normpath(posixpath.join(folder, address)) for address in addresses if _is_inside(address)]
    drawn = (".svg", ".emf", ".wmf", ".svm")
    names.sort(key=lambda name: name.lower().endswith(drawn))
    return EmbeddedImage(names[0]) if names else None


def _is_inside(address: str) -> bool:
    return bool(address) and ":" not in address and not address.startswith(("/", ".."))


def image_of_address(address: str) -> EmbeddedImage | None:
    """Return the image file that a web page or a message contains; None for others, which are never fetched."""
    address = address.strip()
    if address[: len(CID)].lower() == CID:
        return EmbeddedImage(CID + unquote(address[len(CID) :]))
    packed = _BLANKS.sub(b"", address.encode("utf-8", "replace"))
    return EmbeddedImage(digest_name(packed)) if _DATA_ADDRESS.fullmatch(packed) else None


def data_addresses(text: bytes) -> Iterator[bytes]:
    """Yield the addresses with an image in them, without blanks.

    One without quotation marks around it ends at its first blank, so both are given.
    """
    # In text of 16 bits the letters of addresses have a byte 0 beside them.
    for found in _DATA_ADDRESS.finditer(text.replace(b"\0", b"")):
        yield _BLANKS.sub(b"", found[0])
        if len(parts := found[0].split(maxsplit=1)) > 1:
            yield parts[0]


def digest_name(packed: bytes) -> str:
    return DATA + hashlib.sha256(packed).hexdigest()[:32]


def with_images_inside(blocks: Sequence[Block], place: Sequence[int]) -> tuple[Block, ...]:
    """Return blocks of an attached file with the names that their image files have in the message.

    ``place``: that of the file, after those of the messages around it.
    """
    if not place:
        return tuple(blocks)
    prefix = FILE + ".".join(map(str, place)) + ":"
    return tuple(
        msgspec.structs.replace(block, image=EmbeddedImage(prefix + block.image.name)) if block.image else block
        for block in blocks
    )
