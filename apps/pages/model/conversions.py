"""The types of documents that LibreOffice converts.

Some are converted to a modern type, which is read then. Office documents that are read from their structure can be
printed: converted to PDF, for people who look at them.
"""

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
_PRINTED_TEXT = ConversionTarget(PDF, "pdf", "writer_pdf_Export")
_PRINTED_WORKBOOK = ConversionTarget(PDF, "pdf", "calc_pdf_Export")
_PRINTED_SLIDES = ConversionTarget(PDF, "pdf", "impress_pdf_Export")
_WITH_HIDDEN_SLIDES = _PRINTED_SLIDES._replace(
    filter=f'{_PRINTED_SLIDES.filter}:{{"ExportHiddenSlides":{{"type":"boolean","value":"true"}}}}'
)


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


_WORD, _EXCEL = "application/vnd.ms-word.", "application/vnd.ms-excel"
_POWERPOINT = "application/vnd.ms-powerpoint."
_PRINTED = {_TEXT: _PRINTED_TEXT, _WORKBOOK: _PRINTED_WORKBOOK, _SLIDES: _PRINTED_SLIDES}
PRINTS: dict[str, Conversion] = {
    DOCX: Conversion("docx", _PRINTED_TEXT),
    f"{_OPEN_XML}wordprocessingml.template": Conversion("dotx", _PRINTED_TEXT),
    f"{_WORD}document.macroEnabled.12": Conversion("docm", _PRINTED_TEXT),
    f"{_WORD}template.macroEnabled.12": Conversion("dotm", _PRINTED_TEXT),
    f"{_ODF}text": Conversion("odt", _PRINTED_TEXT),
    f"{_ODF}text-template": Conversion("ott", _PRINTED_TEXT),
    "application/rtf": Conversion("rtf", _PRINTED_TEXT),
    XLSX: Conversion("xlsx", _PRINTED_WORKBOOK),
    f"{_OPEN_XML}spreadsheetml.template": Conversion("xltx", _PRINTED_WORKBOOK),
    f"{_EXCEL}.sheet.macroEnabled.12": Conversion("xlsm", _PRINTED_WORKBOOK),
    f"{_EXCEL}.template.macroEnabled.12": Conversion("xltm", _PRINTED_WORKBOOK),
    f"{_EXCEL}.addin.macroEnabled.12": Conversion("xlam", _PRINTED_WORKBOOK),
    f"{_EXCEL}.sheet.binary.macroEnabled.12": Conversion("xlsb", _PRINTED_WORKBOOK),
    _EXCEL: Conversion("xls", _PRINTED_WORKBOOK),
    f"{_ODF}spreadsheet": Conversion("ods", _PRINTED_WORKBOOK),
    f"{_ODF}spreadsheet-template": Conversion("ots", _PRINTED_WORKBOOK),
    PPTX: Conversion("pptx", _PRINTED_SLIDES),
    f"{_OPEN_XML}presentationml.template": Conversion("potx", _PRINTED_SLIDES),
    f"{_OPEN_XML}presentationml.slideshow": Conversion("ppsx", _PRINTED_SLIDES),
    f"{_POWERPOINT}presentation.macroEnabled.12": Conversion("pptm", _PRINTED_SLIDES),
    f"{_POWERPOINT}template.macroEnabled.12": Conversion("potm", _PRINTED_SLIDES),
    f"{_POWERPOINT}slideshow.macroEnabled.12": Conversion("ppsm", _PRINTED_SLIDES),
    f"{_ODF}presentation": Conversion("odp", _PRINTED_SLIDES),
    f"{_ODF}presentation-template": Conversion("otp", _PRINTED_SLIDES),
    **{
        media_type: Conversion(conversion.suffix, _PRINTED[conversion.target])
        for media_type, conversion in CONVERSIONS.items()
        if conversion.target in _PRINTED
    },
}


def print_of(media_type: str, *, hidden_slides: bool = False) -> Conversion | None:
    """Return how office documents of this type are printed to PDF; None for all others.

    ``hidden_slides``: hidden slides of a presentation are printed, too.
    """
    found = PRINTS.get(media_type)
    is_changed = hidden_slides and found is not None and found.target == _PRINTED_SLIDES
    return found._replace(target=_WITH_HIDDEN_SLIDES) if found and is_changed else found


def has_slides(media_type: str) -> bool:
    """Return whether documents of this type are presentations: each page is a slide, printed on a page of its own."""
    found = PRINTS.get(media_type)
    return found is not None and found.target == _PRINTED_SLIDES
