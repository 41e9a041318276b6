"""What a warning code means, in a sentence. A warning never fails anything."""

from __future__ import annotations

_SENTENCES = {
    "type_mismatch": "The file's content is of another kind than its name says; the content was believed.",
    "document_repaired": "The file was damaged and has been repaired; check that nothing is missing.",
    "dpi_reduced": "A page is so large that it was rendered at a lower resolution.",
    "text_truncated": "A page has more text than is kept; the rest of it was cut off.",
    "text_cleaned": "Characters that no text may hold were removed or replaced.",
    "text_unreliable": "The text layer maps its glyphs badly; the text may be wrong.",
    "hidden_text": "A page has text that people cannot see; it was left out, and the metadata says what it was.",
    "hidden_text_unchecked": "A page could not be drawn, so text that people cannot see may be among its text.",
    "tables_skipped": "A page has too many objects to look for tables.",
    "images_capped": "A page has more pictures than are kept.",
    "needs_ocr": "Pages have no usable text layer and were not read, because OCR is switched off.",
    "fallback_used": "No model could parse these pages; they keep their fallback text, extracted without a model.",
    "ocr_low_confidence": "Text that was recognised is doubtful; check it, or try high_res_ocr.",
}


def describe(code: str) -> str:
    """The sentence for a code; the code itself where there is none."""
    return _SENTENCES.get(code, code)
