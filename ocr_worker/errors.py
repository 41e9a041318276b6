"""What can go wrong with a page in the OCR service; codes as everywhere (apps/pages/model/errors.py)."""

from __future__ import annotations

from apps.pages.model.errors import PageError


class OcrFailed(PageError):
    """The page's text could not be recognised. Look at the picture: is it legible? Send it again with high_res_ocr."""

    code = "ocr_failed"


class OcrTimeout(PageError):
    """Recognising the page took longer than allowed and was stopped."""

    code = "ocr_timeout"


class LanguagePackMissing(OcrFailed):
    """A language pack is not installed."""

    code = "language_not_installed"


class ImageGone(OcrFailed):
    """The page image is not where it should be: its link has expired, or the job has ended. It is rendered again."""

    code = "image_gone"


class AnswerRefused(OcrFailed):
    """The answer could not be left where it belongs. It is tried again."""

    code = "image_gone"
