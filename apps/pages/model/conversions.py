"""The types of documents that are converted to a modern one, which is read then, and what they become."""

from __future__ import annotations

from typing import NamedTuple

from apps.pages.model.media_types import PDF

_OPEN_XML = "application/vnd.openxmlformats-officedocument."
DOCX = f"{_OPEN_XML}wordprocessingml.document"
XLSX = f"{_OPEN_XML}spreadsheetml.sheet"
PPTX = f"{_OPEN_XML}presentationml.presentation"


class ConversionTarget(NamedTuple):
    """A type that is read: the ending of its names, and the name of LibreOffice's filter that writes it."""

    media_type: str
    suffix: str
    filter: str


_TEXT = ConversionTarget(DOCX, "docx", "MS Word 2007 XML")
_WORKBOOK = ConversionTarget(XLSX, "xlsx", "Calc MS Excel 2007 XML")
_SLIDES = ConversionTarget(PPTX, "pptx", "Impress MS PowerPoint 2007 XML")
_DRAWING = ConversionTarget(PDF, "pdf", "draw_pdf_Export")


class Conversion(NamedTuple):
    """``suffix``: of the name that the converter gets; it chooses its reader by content and by this."""

    suffix: str
    target: ConversionTarget


_ODF, _SUN, _VISIO = "application/vnd.oasis.opendocument.", "application/vnd.sun.xml.", "application/vnd.ms-visio."
FLAT_TYPES = {
    f"{_ODF}{kind}": f"{_ODF}{kind.removesuffix('-template')}-flat-xml"
    for kind in (
        *("text", "text-template", "spreadsheet", "spreadsheet-template", "presentation", "presentation-template"),
        *("graphics", "graphics-template"),
    )
}
"""The type that an OpenDocument file of one XML document gives itself -> the type of such files."""

CONVERSIONS: dict[str, Conversion] = {
    "application/msword": Conversion("doc", _TEXT),
    "application/vnd.ms-works": Conversion("wps", _TEXT),
    "application/vnd.wordperfect": Conversion("wpd", _TEXT),
    "application/x-hwp": Conversion("hwp", _TEXT),
    f"{_SUN}writer": Conversion("sxw", _TEXT),
    f"{_SUN}writer.template": Conversion("stw", _TEXT),
    f"{_ODF}text-flat-xml": Conversion("fodt", _TEXT),
    "application/vnd.apple.pages": Conversion("pages", _TEXT),
    f"{_SUN}calc": Conversion("sxc", _WORKBOOK),
    f"{_SUN}calc.template": Conversion("stc", _WORKBOOK),
    f"{_ODF}spreadsheet-flat-xml": Conversion("fods", _WORKBOOK),
    "application/vnd.apple.numbers": Conversion("numbers", _WORKBOOK),
    "application/vnd.ms-powerpoint": Conversion("ppt", _SLIDES),
    f"{_SUN}impress": Conversion("sxi", _SLIDES),
    f"{_SUN}impress.template": Conversion("sti", _SLIDES),
    f"{_ODF}presentation-flat-xml": Conversion("fodp", _SLIDES),
    "application/vnd.apple.keynote": Conversion("key", _SLIDES),
    f"{_SUN}draw": Conversion("sxd", _DRAWING),
    f"{_SUN}draw.template": Conversion("std", _DRAWING),
    f"{_ODF}graphics": Conversion("odg", _DRAWING),
    f"{_ODF}graphics-template": Conversion("otg", _DRAWING),
    f"{_ODF}graphics-flat-xml": Conversion("fodg", _DRAWING),
    "application/vnd.visio": Conversion("vsd", _DRAWING),
    f"{_VISIO}drawing": Conversion("vsdx", _DRAWING),
    f"{_VISIO}template": Conversion("vstx", _DRAWING),
    f"{_VISIO}drawing.macroEnabled.12": Conversion("vsdm", _DRAWING),
    f"{_VISIO}template.macroEnabled.12": Conversion("vstm", _DRAWING),
    "application/x-mspublisher": Conversion("pub", _DRAWING),
}


def conversion_of(media_type: str) -> Conversion | None:
    """Return how documents of this type are converted; None if they are read as they are, or not at all."""
    return CONVERSIONS.get(media_type)
