"""Read what is drawn on a sheet, from the top: text boxes, pictures, charts, diagrams."""

from __future__ import annotations

from apps.pages.model.blocks import Block, BlockType
from apps.pages.model.geometry import NO_BOX
from apps.pages.office.archive import Archive
from apps.pages.office.drawing import charts, diagrams, texts
from apps.pages.office.drawing.pictures import alternative_text, image_of
from apps.pages.office.sheets.content import SheetContent
from apps.pages.office.sheets.workbook import PICTURES_NOT_READ
from apps.pages.office.xml_parts import Element, Relationship, attribute, local_name, part, relationships


def read(sheet: SheetContent, archive: Archive, name: str) -> None:
    root = part(archive, name)
    if root is None:
        return
    links = relationships(archive, name)

    def place(anchor: Element) -> tuple[int, int]:
        start = anchor.find("{*}from")
        numbers = [start.findtext("{*}" + edge) or "" for edge in ("row", "col")] if start is not None else ["", ""]
        row, column = (int(number) if number.isdigit() else 0 for number in numbers)
        return row, column

    for anchor in sorted(root, key=place):
        _read_anchor(sheet, archive, anchor, links)


def _read_anchor(sheet: SheetContent, archive: Archive, anchor: Element, links: dict[str, Relationship]) -> None:
    for element in anchor.iter("{*}sp", "{*}pic", "{*}graphicFrame"):
        if element.getparent().tag.endswith("}Fallback"):
            continue
        kind = local_name(element)
        if kind == "sp":
            sheet.after += [
                Block(type=BlockType.PARAGRAPH, box=NO_BOX, text=paragraph.text, spans=paragraph.spans)
                for paragraph in texts.paragraphs_of(element.find("{*}txBody"), links)
            ]
        elif kind == "pic":
            sheet.after.append(picture(element, links))
            sheet.warn(PICTURES_NOT_READ)
        else:
            data = element.find("{*}graphic/{*}graphicData")
            for reference in data if data is not None else ():
                if local_name(reference) == "chart" and (link := links.get(attribute(reference, "id"))):
                    sheet.after += charts.blocks_of_chart(archive, link.target)
                elif local_name(reference) == "relIds" and (link := links.get(attribute(reference, "dm"))):
                    sheet.after += diagrams.blocks_of_diagram(archive, link.target)


def picture(element: Element, links: dict[str, Relationship]) -> Block:
    """Return a picture with its alternative text; its name says nothing."""
    properties = element.find("*/{*}cNvPr")
    text = properties.get("descr") or properties.get("title") or "" if properties is not None else ""
    image = image_of(element, links)
    return Block(type=BlockType.PICTURE, box=NO_BOX, description=alternative_text(text), image=image)
