"""A page image is decoded without an image library, and only bytes that we encoded are accepted."""

from __future__ import annotations

import zlib

import pytest

from apps.pages.model.errors import GarbledPage
from apps.pages.model.page_images.ocr_image import MAX_OCR_PIXELS, OcrImage, decode_ocr_image, encode_ocr_image


def test_a_decoded_image_equals_the_encoded_one() -> None:
    image = OcrImage(width=3, height=2, dpi=199.987, pixels=bytes(range(6)))
    assert decode_ocr_image(encode_ocr_image(image)) == image


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x89PNG\r\n",
        b"leafmill-page-1 3 2 200\n",
        b"leafmill-page-1 3 2 200\nnot zlib",
        b"leafmill-page-1 3 2 200\n" + zlib.compress(bytes(5)),
        b"leafmill-page-1 3 2 200\n" + zlib.compress(bytes(7)),
        b"leafmill-page-1 0 2 200\n" + zlib.compress(b""),
        b"leafmill-page-1 3 2 0\n" + zlib.compress(bytes(6)),
        b"leafmill-page-1 99999 99999 200\n" + zlib.compress(bytes(100)),
        b"leafmill-page-1 20 %d 200\n" % (MAX_OCR_PIXELS // 10) + zlib.compress(bytes(100)),
    ],
)
def test_other_bytes_are_refused(raw: bytes) -> None:
    with pytest.raises(GarbledPage):
        decode_ocr_image(raw)
