"""What the shapes of a slide inherit from its layout and master: their place and their bullets."""

from __future__ import annotations

from apps.pages.model.geometry import Box
from apps.pages.office.archive import Archive
from apps.pages.office.drawing.texts import ShapeParagraph, bullet_of
from apps.pages.office.slides.geometry import Scale, box_of
from apps.pages.office.xml_parts import Element, part, relationships

TITLES = ("title", "ctrTitle")
_MASTER_TYPES = {"ctrTitle": "title", "subTitle": "body", "obj": "body", "": "body"}


def placeholder(shape: Element) -> Element | None:
    """Return what a shape says that it holds the place of (p:ph); None for other shapes."""
    found: Element | None = shape.find("*/{*}nvPr/{*}ph")
    return found


class Inheritance:
    """The layout and the master of a slide."""

    def __init__(self, archive: Archive, slide_name: str) -> None:
        self._roots: list[Element] = []
        name = slide_name
        for kind in ("slideLayout", "slideMaster"):
            found = next((link.target for link in relationships(archive, name).values() if link.kind == kind), "")
            root = part(archive, found) if found else None
            if root is None:
                break
            self._roots.append(root)
            name = found

    def box(self, shape: Element) -> Box | None:
        """Return the place that a shape inherits."""
        for model in self._models(shape):
            if box := box_of(model.find("{*}spPr/{*}xfrm"), Scale()):
                return box
        return None

    def bullet(self, shape: Element, paragraph: ShapeParagraph) -> tuple[str, tuple[str, int] | None]:
        """Return the bullet of a paragraph, "" for none, and its numbering."""
        if paragraph.bullet is not None:
            return paragraph.bullet, paragraph.numbering
        styles = [shape.find("{*}txBody/{*}lstStyle")]
        styles += [model.find("{*}txBody/{*}lstStyle") for model in self._models(shape)]
        mark = placeholder(shape)
        if mark is not None and len(self._roots) == 2:
            kind = mark.get("type", "")
            name = "titleStyle" if kind in TITLES else "bodyStyle" if kind in _MASTER_TYPES or kind == "body" else ""
            styles.append(self._roots[1].find(f"{{*}}txStyles/{{*}}{name}") if name else None)
        for style in styles:
            level = style.find(f"{{*}}lvl{paragraph.level + 1}pPr") if style is not None else None
            if level is not None:
                bullet, numbering = bullet_of(level)
                if bullet is not None:
                    return bullet, numbering
        return "", None

    def _models(self, shape: Element) -> list[Element]:
        """Return the shapes of the layout and the master whose place a shape takes."""
        mark = placeholder(shape)
        if mark is None:
            return []
        kind, index = mark.get("type", ""), mark.get("idx", "")
        models = []
        for root, on_master in zip(self._roots, (False, True), strict=False):
            wanted = _MASTER_TYPES.get(kind, kind) if on_master else kind
            for candidate in root.iterfind("{*}cSld/{*}spTree/{*}sp"):
                other = placeholder(candidate)
                if other is None:
                    continue
                same_place = bool(index) and other.get("idx", "") == index and not on_master
                if same_place or ((not index or on_master) and other.get("type", "") == wanted):
                    models.append(candidate)
                    break
        return models
