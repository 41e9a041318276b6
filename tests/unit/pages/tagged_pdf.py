"""Small tagged PDFs: text with its structure tree, which may be right or wrong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from apps.pages.sandbox.preload import assembled_pdf
from tests.unit.pages.tiny_pdf import HEIGHT, WIDTH

Element: TypeAlias = "tuple[str, Sequence[Element | int]] | tuple[str, Sequence[Element | int], bytes]"
"""Role, children (elements or numbers of texts), and attributes as PDF bytes, or the element's own /Alt."""


class TaggedSheet:
    """One page; each text is a marked content, numbered from 0."""

    def __init__(self) -> None:
        self._content: list[bytes] = []
        self._count = 0

    def text(self, x: float, top: float, text: str, *, size: float = 11) -> int:
        """Add a text and return its number."""
        number = self._count
        self._count += 1
        self._content.append(b"/P <</MCID %d>> BDC %s EMC" % (number, self._shown(x, top, text, size)))
        return number

    def artifact(self, x: float, top: float, text: str, *, size: float = 11) -> None:
        self._content.append(b"/Artifact <</Type/Pagination>> BDC %s EMC" % self._shown(x, top, text, size))

    def _shown(self, x: float, top: float, text: str, size: float) -> bytes:
        return b"BT /F0 %g Tf %g %g Td (%s) Tj ET" % (size, x, HEIGHT - top - size, text.encode("cp1252"))

    def write(self, path: Path, *elements: Element, role_map: bytes = b"") -> str:
        """Write the page with these elements as its structure. Return the path."""
        content = b"\n".join(self._content)
        objects: list[bytes] = [
            b"<</Type/Catalog/Pages 2 0 R/MarkInfo<</Marked true>>/StructTreeRoot 6 0 R>>",
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 %d %d]/StructParents 0/Contents 4 0 R"
            b"/Resources<</Font<</F0 5 0 R>>>>>>" % (WIDTH, HEIGHT),
            b"<</Length %d>>stream\n%s\nendstream" % (len(content), content),
            b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
            b"",
        ]
        owners: dict[int, int] = {}
        kids = [self._add(objects, owners, element, 6) for element in elements]
        parents = b" ".join(b"%d 0 R" % owners.get(number, 6) for number in range(self._count))
        objects[5] = b"<</Type/StructTreeRoot/K[%s]/RoleMap<<%s>>/ParentTree<</Nums[0[%s]]>>>>" % (
            b" ".join(b"%d 0 R" % kid for kid in kids),
            role_map,
            parents,
        )
        path.write_bytes(assembled_pdf(*objects))
        return str(path)

    def _add(self, objects: list[bytes], owners: dict[int, int], element: Element, parent: int) -> int:
        objects.append(b"")
        number = len(objects)
        kids = []
        for kid in element[1]:
            if isinstance(kid, int):
                owners[kid] = number
                kids.append(b"%d" % kid)
            else:
                kids.append(b"%d 0 R" % self._add(objects, owners, kid, number))
        given = element[2] if len(element) == 3 else b""
        attributes = b"/A<<%s>>" % given if given and not given.startswith(b"/Alt") else given
        objects[number - 1] = b"<</Type/StructElem/S/%s/P %d 0 R/Pg 3 0 R/K[%s]%s>>" % (
            element[0].encode(),
            parent,
            b" ".join(kids),
            attributes,
        )
        return number
