"""PDFium by ctypes: the functions that read characters, drawings and fields, and render, with their types.

One PDFium is not thread-safe: use it from one thread. ``pdfium_library`` loads the shared library.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_POINTER, _INT, _UNSIGNED, _LONG = ctypes.c_void_p, ctypes.c_int, ctypes.c_uint, ctypes.c_ulong
_SIZE = ctypes.c_size_t
_DOUBLE, _FLOAT, _TEXT = ctypes.c_double, ctypes.c_float, ctypes.c_char_p

# Name of the function without its prefix -> (result, arguments).
_FUNCTIONS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "FPDF_LoadMemDocument64": (_POINTER, (_POINTER, ctypes.c_size_t, _TEXT)),
    "FPDF_CloseDocument": (None, (_POINTER,)),
    "FPDF_GetLastError": (_LONG, ()),
    "FPDF_GetPageCount": (_INT, (_POINTER,)),
    "FPDF_LoadPage": (_POINTER, (_POINTER, _INT)),
    "FPDF_ClosePage": (None, (_POINTER,)),
    "FPDF_GetPageWidthF": (_FLOAT, (_POINTER,)),
    "FPDF_GetPageHeightF": (_FLOAT, (_POINTER,)),
    "FPDF_GetPageBoundingBox": (_INT, (_POINTER, _POINTER)),
    "FPDFPage_GetRotation": (_INT, (_POINTER,)),
    "FPDFText_LoadPage": (_POINTER, (_POINTER,)),
    "FPDFText_ClosePage": (None, (_POINTER,)),
    "FPDFText_CountChars": (_INT, (_POINTER,)),
    "FPDFText_GetCharInfoBatch": (_INT, (_POINTER, _INT, _INT, _POINTER)),
    "FPDFText_GetMatrix": (_INT, (_POINTER, _INT, _POINTER)),
    "FPDFText_GetCharOrigin": (_INT, (_POINTER, _INT, _POINTER, _POINTER)),
    "FPDFText_GetUnicode": (_UNSIGNED, (_POINTER, _INT)),
    "FPDFText_GetCharBox": (_INT, (_POINTER, _INT, _POINTER, _POINTER, _POINTER, _POINTER)),
    "FPDFText_GetLooseCharBox": (_INT, (_POINTER, _INT, _POINTER)),
    "FPDFText_GetFontSize": (_DOUBLE, (_POINTER, _INT)),
    "FPDFText_GetTextObject": (_POINTER, (_POINTER, _INT)),
    "FPDFText_IsGenerated": (_INT, (_POINTER, _INT)),
    "FPDFText_IsHyphen": (_INT, (_POINTER, _INT)),
    "FPDFText_HasUnicodeMapError": (_INT, (_POINTER, _INT)),
    "FPDFTextObj_GetFont": (_POINTER, (_POINTER,)),
    "FPDFTextObj_GetText": (_LONG, (_POINTER, _POINTER, _POINTER, _LONG)),
    "FPDFTextObj_GetTextRenderMode": (_INT, (_POINTER,)),
    "FPDFFont_GetBaseFontName": (_LONG, (_POINTER, _POINTER, _LONG)),
    "FPDFFont_GetGlyphWidth": (_INT, (_POINTER, _UNSIGNED, _FLOAT, _POINTER)),
    "FPDFFont_GetFlags": (_INT, (_POINTER,)),
    "FPDFFont_GetGlyphPath": (_POINTER, (_POINTER, _UNSIGNED, _FLOAT)),
    "FPDFGlyphPath_CountGlyphSegments": (_INT, (_POINTER,)),
    "FPDFFont_GetIsEmbedded": (_INT, (_POINTER,)),
    "FPDFFont_HasToUnicode": (_INT, (_POINTER,)),
    "FPDFFont_GetEncoding": (_LONG, (_POINTER, _POINTER, _LONG)),
    "FPDFFont_GetCharGlyphName": (_LONG, (_POINTER, _UNSIGNED, _POINTER, _LONG)),
    "FPDFPage_CountObjects": (_INT, (_POINTER,)),
    "FPDFPage_GetObject": (_POINTER, (_POINTER, _INT)),
    "FPDFFormObj_CountObjects": (_INT, (_POINTER,)),
    "FPDFFormObj_GetObject": (_POINTER, (_POINTER, _LONG)),
    "FPDFPageObj_GetType": (_INT, (_POINTER,)),
    "FPDFPageObj_SetIsActive": (_INT, (_POINTER, _INT)),
    "FPDFPageObj_GetBounds": (_INT, (_POINTER, _POINTER, _POINTER, _POINTER, _POINTER)),
    "FPDFPageObj_GetMatrix": (_INT, (_POINTER, _POINTER)),
    "FPDFPageObj_GetFillColor": (_INT, (_POINTER, _POINTER, _POINTER, _POINTER, _POINTER)),
    "FPDFPageObj_GetStrokeColor": (_INT, (_POINTER, _POINTER, _POINTER, _POINTER, _POINTER)),
    "FPDFPageObj_GetStrokeWidth": (_INT, (_POINTER, _POINTER)),
    "FPDFPageObj_GetMarkedContentID": (_INT, (_POINTER,)),
    "FPDFPageObj_CountMarks": (_INT, (_POINTER,)),
    "FPDFPageObj_GetMark": (_POINTER, (_POINTER, _LONG)),
    "FPDFPageObjMark_GetName": (_INT, (_POINTER, _POINTER, _LONG, _POINTER)),
    "FPDFPageObjMark_GetParamStringValue": (_INT, (_POINTER, _TEXT, _POINTER, _LONG, _POINTER)),
    "FPDFPageObj_GetClipPath": (_POINTER, (_POINTER,)),
    "FPDFClipPath_CountPaths": (_INT, (_POINTER,)),
    "FPDFClipPath_CountPathSegments": (_INT, (_POINTER, _INT)),
    "FPDFClipPath_GetPathSegment": (_POINTER, (_POINTER, _INT, _INT)),
    "FPDFPage_SetMediaBox": (None, (_POINTER, _FLOAT, _FLOAT, _FLOAT, _FLOAT)),
    "FPDFPath_CountSegments": (_INT, (_POINTER,)),
    "FPDFPath_GetPathSegment": (_POINTER, (_POINTER, _INT)),
    "FPDFPath_GetDrawMode": (_INT, (_POINTER, _POINTER, _POINTER)),
    "FPDFPathSegment_GetType": (_INT, (_POINTER,)),
    "FPDFPathSegment_GetPoint": (_INT, (_POINTER, _POINTER, _POINTER)),
    "FPDFPathSegment_GetClose": (_INT, (_POINTER,)),
    "FPDFPage_GetAnnotCount": (_INT, (_POINTER,)),
    "FPDFPage_GetAnnot": (_POINTER, (_POINTER, _INT)),
    "FPDFPage_CloseAnnot": (None, (_POINTER,)),
    "FPDFAnnot_GetSubtype": (_INT, (_POINTER,)),
    "FPDFAnnot_GetRect": (_INT, (_POINTER, _POINTER)),
    "FPDFAnnot_CountAttachmentPoints": (_SIZE, (_POINTER,)),
    "FPDFAnnot_GetAttachmentPoints": (_INT, (_POINTER, _SIZE, _POINTER)),
    "FPDFAnnot_GetFlags": (_INT, (_POINTER,)),
    "FPDFAnnot_GetStringValue": (_LONG, (_POINTER, _TEXT, _POINTER, _LONG)),
    "FPDFAnnot_GetLink": (_POINTER, (_POINTER,)),
    "FPDFLink_GetAction": (_POINTER, (_POINTER,)),
    "FPDFAction_GetType": (_LONG, (_POINTER,)),
    "FPDFAction_GetURIPath": (_LONG, (_POINTER, _POINTER, _POINTER, _LONG)),
    "FPDFCatalog_IsTagged": (_INT, (_POINTER,)),
    "FPDFBitmap_CreateEx": (_POINTER, (_INT, _INT, _INT, _POINTER, _INT)),
    "FPDFBitmap_Destroy": (None, (_POINTER,)),
    "FPDF_RenderPageBitmap": (None, (_POINTER, _POINTER, _INT, _INT, _INT, _INT, _INT, _INT)),
    "FPDF_FFLDraw": (None, (_POINTER, _POINTER, _POINTER, _INT, _INT, _INT, _INT, _INT, _INT)),
    "FPDF_GetFormType": (_INT, (_POINTER,)),
    "FPDFDOC_InitFormFillEnvironment": (_POINTER, (_POINTER, _POINTER)),
    "FPDFDOC_ExitFormFillEnvironment": (None, (_POINTER,)),
    "FORM_OnAfterLoadPage": (None, (_POINTER, _POINTER)),
    "FORM_OnBeforeClosePage": (None, (_POINTER, _POINTER)),
    "FPDF_StructTree_GetForPage": (_POINTER, (_POINTER,)),
    "FPDF_StructTree_Close": (None, (_POINTER,)),
    "FPDF_StructTree_CountChildren": (_INT, (_POINTER,)),
    "FPDF_StructTree_GetChildAtIndex": (_POINTER, (_POINTER, _INT)),
    "FPDF_StructElement_GetType": (_LONG, (_POINTER, _POINTER, _LONG)),
    "FPDF_StructElement_GetAltText": (_LONG, (_POINTER, _POINTER, _LONG)),
    "FPDF_StructElement_GetActualText": (_LONG, (_POINTER, _POINTER, _LONG)),
    "FPDF_StructElement_CountChildren": (_INT, (_POINTER,)),
    "FPDF_StructElement_GetChildAtIndex": (_POINTER, (_POINTER, _INT)),
    "FPDF_StructElement_GetChildMarkedContentID": (_INT, (_POINTER, _INT)),
    "FPDF_StructElement_GetAttributeCount": (_INT, (_POINTER,)),
    "FPDF_StructElement_GetAttributeAtIndex": (_POINTER, (_POINTER, _INT)),
    "FPDF_StructElement_Attr_GetValue": (_POINTER, (_POINTER, _TEXT)),
    "FPDF_StructElement_Attr_GetNumberValue": (_INT, (_POINTER, _POINTER)),
}  # fmt: skip
BATCH = "FPDFText_GetCharInfoBatch"
_ONLY_WITH_BATCH = (BATCH, "FPDFFont_HasToUnicode", "FPDFFont_GetEncoding", "FPDFFont_GetCharGlyphName")
"""Functions of the patched library. Without them a font shows less about unmapped codes and vertical writing."""
TEXT, PATH, IMAGE, SHADING, FORM = 1, 2, 3, 4, 5
"""Types of page objects."""


class Pdfium:
    """The library's functions as attributes, under their full names.

    ``has_batch``: whether one call returns all characters of a page.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        library = ctypes.CDLL(path)
        for name, (result, arguments) in _FUNCTIONS.items():
            function = getattr(library, name, None)
            if function is None:
                if name not in _ONLY_WITH_BATCH:
                    raise OSError(f"{path} has no function {name}")
                setattr(self, name, lambda *_: 0)
                continue
            function.restype, function.argtypes = result, list(arguments)
            setattr(self, name, function)
        self.has_batch = hasattr(library, BATCH)
        library.FPDF_InitLibrary()

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


def utf16(function: Any, *arguments: Any) -> str:
    """Return the text that a PDFium function writes as UTF-16LE into its last two arguments, a buffer and its size."""
    size = function(*arguments, None, 0)
    if size <= 2:
        return ""
    buffer = ctypes.create_string_buffer(size)
    function(*arguments, buffer, size)
    return buffer.raw[: size - 2].decode("utf-16-le", "replace")


@contextmanager
def first_page(library: Pdfium, content: bytes) -> Iterator[tuple[int, int] | None]:
    """Yield the first page of a small document and its text page; None if it cannot be read."""
    buffer = ctypes.create_string_buffer(content, len(content))
    document = library.FPDF_LoadMemDocument64(ctypes.cast(buffer, ctypes.c_void_p), len(content), None)
    page = library.FPDF_LoadPage(document, 0) if document else None
    text_page = library.FPDFText_LoadPage(page) if page else None
    try:
        yield (page, text_page) if page and text_page else None
    finally:
        if text_page:
            library.FPDFText_ClosePage(text_page)
        if page:
            library.FPDF_ClosePage(page)
        if document:
            library.FPDF_CloseDocument(document)
