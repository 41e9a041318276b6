"""The text that annotations show by drawings of their own, as stamps and signatures do.

PDFium's text reader leaves annotations out. Their drawings become the contents of a page of its own with the frame of
theirs, and that page is read. Source: PDF 32000-1, 12.5.5.
"""

from __future__ import annotations

import io
from typing import Any

from apps.pages.model.text.safe_text import MAX_TEXT_CHARACTERS
from apps.pages.pdf.forms.annotations import inherited, is_push_button
from apps.pages.pdf.pdfium import Pdfium, first_page
from apps.pages.pdf.text.characters import CharacterReader, Characters, Frame

MAX_APPEARANCES, MAX_LISTED = 200, 5_000
_HIDDEN, _NO_VIEW = 1 << 1, 1 << 5
_NOT_READ = {"/Link", "/Popup", "/Highlight", "/Underline", "/Squiggly", "/StrikeOut", "/Ink"}


def appearance_page(document: Any, page_number: int, frame: Frame) -> bytes | None:
    """Return a document of one page with the appearances of the annotations of a page; None if it has none.

    ``document`` is pikepdf's. Values of fields and notes have their own reader: they are here only without a value.
    """
    import pikepdf

    listed = document.pages[page_number - 1].obj.get("/Annots")
    if not isinstance(listed, pikepdf.Array):
        return None
    with pikepdf.new() as copy:
        drawn: list[bytes] = []
        forms = pikepdf.Dictionary()
        for index in range(min(len(listed), MAX_LISTED)):
            try:
                annotation = listed[index]
                if not _has_text_of_its_own(annotation):
                    continue
                shown = pikepdf.Annotation(annotation)
                name = f"/A{len(drawn)}"
                operators = shown.get_page_content_for_appearance(pikepdf.Name(name), frame.rotation)
                stream = shown.get_appearance_stream(pikepdf.Name.N)
                resources = stream.get("/Resources") if isinstance(stream, pikepdf.Stream) else None
                # An appearance has text with a font, or in a drawing inside it.
                if operators and resources is not None and ("/Font" in resources or "/XObject" in resources):
                    forms[name] = copy.copy_foreign(stream)
                    drawn.append(operators)
            except (AttributeError, KeyError, TypeError, ValueError, RuntimeError):
                continue  # a broken annotation: viewers show nothing for it either
            if len(drawn) >= MAX_APPEARANCES:
                break
        if not drawn:
            return None
        page = copy.add_blank_page(page_size=(3, 3)).obj
        page.MediaBox = pikepdf.Array([frame.left, frame.bottom, frame.right, frame.top])
        page.Rotate = frame.rotation
        page.Resources = pikepdf.Dictionary(XObject=forms)
        page.Contents = copy.make_stream(b"\n".join(drawn))
        saved = io.BytesIO()
        copy.save(saved)
    return saved.getvalue()


def _has_text_of_its_own(annotation: Any) -> bool:
    kind = str(annotation.get("/Subtype", ""))
    if kind in _NOT_READ or "/AP" not in annotation or int(annotation.get("/F", 0)) & (_HIDDEN | _NO_VIEW):
        return False
    if kind == "/FreeText":
        return not str(annotation.get("/Contents", "")).strip()
    if kind == "/Widget":
        field = inherited(annotation, "/FT")
        caption = annotation.get("/MK", {}).get("/CA", "")
        return field == "/Sig" or (field == "/Btn" and is_push_button(annotation) and not str(caption).strip())
    return True


def appearance_characters(library: Pdfium, content: bytes, frame: Frame) -> Characters | None:
    """Return the characters of the page that ``appearance_page`` made, None if it has none."""
    with first_page(library, content) as pages:
        if pages is None:
            return None
        page, text_page = pages
        characters = CharacterReader(library).read(page, text_page, frame, max_characters=MAX_TEXT_CHARACTERS)
        return characters if characters.text else None
