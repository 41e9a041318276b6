"""Why a page, or the pictures on it, need OCR: the values of ``Page.needs_ocr``."""

NO_TEXT_LAYER = "no_text_layer"
GARBLED_TEXT = "garbled_text"
GARBLED_PARTS = "garbled_parts"
TEXT_IN_PICTURE = "text_in_picture"
BARCODES = "barcodes"
"""Not a reason of a page: the job looks for bar codes on pages that need no OCR, too."""
WHOLE_PAGE_REASONS = (NO_TEXT_LAYER, GARBLED_TEXT)
"""Why OCR has to read a whole page."""
# Pictures over nearly the whole page are its background.
BACKGROUND_SHARE = 0.8
