"""The errors of the OCR service. Each is an error of one page, with a public code (apps/pages/model/errors.py)."""

from __future__ import annotations

from apps.pages.model.errors import PageError


class OcrFailed(PageError):
    """The page's text could not be recognised. Check that the page is legible and try again with high_res_ocr."""

    code = "ocr_failed"


class OcrTimeout(PageError):
    """Recognising the page took longer than allowed and was stopped."""

    code = "ocr_timeout"


class LanguagePackMissing(OcrFailed):
    """A language pack is not installed."""

    code = "language_not_installed"


class ImageGone(OcrFailed):
    """The page image is missing: its link has expired, or the job has ended. It is rendered again."""

    code = "image_gone"


class AnswerRefused(OcrFailed):
    """The OCR result could not be stored. The page is tried again."""

    code = "image_gone"
