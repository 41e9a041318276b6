"""Images of every kind become grey pages of the page's size."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from apps.pages.model.errors import DamagedDocument, ImageTooLarge, PageError
from apps.pages.model.media_types import printed_type_of
from apps.pages.model.page_images.ocr_image import OcrImage
from apps.pages.reading import images
from apps.pages.reading.page_reading import inspect_document
from tests.documents import heic

WIDTH, HEIGHT = 60, 40


def marked(mode: str = "L") -> Image.Image:
    """White, with the top left quarter black."""
    page = Image.new("L", (WIDTH, HEIGHT), 255)
    page.paste(0, (0, 0, WIDTH // 2, HEIGHT // 2))
    return page.convert(mode)


def transparent() -> Image.Image:
    page = Image.new("RGBA", (WIDTH, HEIGHT), (0, 0, 0, 0))
    page.paste((0, 0, 0, 255), (0, 0, WIDTH // 2, HEIGHT // 2))
    return page


def sixteen_bit() -> Image.Image:
    return Image.fromarray((np.asarray(marked(), np.uint16) * 16).astype(np.uint16))


KINDS: list[tuple[str, str, Callable[[], Image.Image], dict[str, object]]] = [
    ("PNG", "image/png", marked, {}),
    ("PNG", "image/png", lambda: marked("1"), {}),
    ("PNG", "image/png", lambda: marked("P"), {}),
    ("PNG", "image/png", lambda: marked("LA"), {}),
    ("PNG", "image/png", transparent, {}),
    ("PNG", "image/png", sixteen_bit, {}),
    ("JPEG", "image/jpeg", lambda: marked("RGB"), {"quality": 95}),
    ("JPEG", "image/jpeg", lambda: marked("CMYK"), {"quality": 95}),
    ("TIFF", "image/tiff", lambda: marked("F"), {}),
    ("TIFF", "image/tiff", lambda: marked("1"), {"compression": "group4"}),
    ("WEBP", "image/webp", lambda: marked("RGBA"), {"lossless": True}),
    ("GIF", "image/gif", marked, {}),
    ("BMP", "image/bmp", lambda: marked("RGB"), {}),
    ("AVIF", "image/avif", lambda: marked("RGB"), {"quality": 95}),
]


def rendered(path: Path, media_type: str, number: int = 1) -> tuple[OcrImage, np.ndarray]:
    image = images.render_frame(str(path), number, media_type)
    return image, np.frombuffer(image.pixels, np.uint8).reshape(image.height, image.width)


@pytest.mark.parametrize(("kind", "media_type", "make", "how"), KINDS, ids=[f"{k[0]}-{n}" for n, k in enumerate(KINDS)])
def test_black_stays_black_and_white_stays_white(
    tmp_path: Path, kind: str, media_type: str, make: Callable[[], Image.Image], how: dict[str, object]
) -> None:
    path = tmp_path / "picture"
    make().save(path, kind, **how)
    _image, pixels = rendered(path, media_type)
    assert pixels.shape == (HEIGHT, WIDTH)
    assert pixels[: HEIGHT // 2 - 4, : WIDTH // 2 - 4].max() < 30
    assert pixels[HEIGHT // 2 + 4 :, :].min() > 225


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    path = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[274] = 6  # displayed turned by 90 degrees clockwise
    marked().save(path, "JPEG", exif=exif, quality=95)
    image, pixels = rendered(path, "image/jpeg")
    assert (image.width, image.height) == (HEIGHT, WIDTH)
    assert pixels[5, -5] < 30
    assert pixels[5, 5] > 225


def test_every_frame_is_a_page(tmp_path: Path) -> None:
    path = tmp_path / "two.tif"
    marked().save(path, "TIFF", save_all=True, append_images=[Image.new("L", (30, 20), 255)])
    assert images.count_frames(str(path), "image/tiff") == 2
    assert rendered(path, "image/tiff", 2)[1].shape == (20, 30)
    with pytest.raises(PageError):
        rendered(path, "image/tiff", 3)


@pytest.mark.parametrize(("kind", "media_type"), [("GIF", "image/gif"), ("WEBP", "image/webp"), ("AVIF", "image/avif")])
def test_every_frame_of_an_animation_is_a_page(tmp_path: Path, kind: str, media_type: str) -> None:
    path = tmp_path / "animation"
    marked("RGB").save(path, kind, save_all=True, append_images=[Image.new("RGB", (WIDTH, HEIGHT), "white")])
    assert printed_type_of(path.read_bytes()) == media_type
    assert images.count_frames(str(path), media_type) == 2
    assert rendered(path, media_type, 1)[1].min() < 30
    assert rendered(path, media_type, 2)[1].min() > 225


def test_every_picture_of_a_heic_file_is_a_page(tmp_path: Path) -> None:
    path = tmp_path / "photograph"
    path.write_bytes(heic.TWO_PICTURES)
    facts = inspect_document(str(path), max_pages=9)
    assert (facts.media_type, facts.page_count) == ("image/heic", 2)
    _image, pixels = rendered(path, facts.media_type)
    assert pixels.shape == (heic.HEIGHT, heic.WIDTH)
    assert pixels[:40, :56].max() < 30
    assert pixels[56:, :].min() > 225
    assert rendered(path, facts.media_type, 2)[1].shape == (64, 64)


def test_a_heic_file_of_too_many_pixels_is_not_decoded(tmp_path: Path) -> None:
    path = tmp_path / "photograph"
    size = struct.pack(">II", heic.WIDTH, heic.HEIGHT)
    path.write_bytes(heic.TWO_PICTURES.replace(size, struct.pack(">II", 60_000, 60_000)))
    with pytest.raises((ImageTooLarge, DamagedDocument)):
        inspect_document(str(path), max_pages=9)


@pytest.mark.parametrize("length", range(32, len(heic.TWO_PICTURES), 97))
def test_a_cut_heic_file_has_a_code(tmp_path: Path, length: int) -> None:
    path = tmp_path / "photograph"
    path.write_bytes(heic.TWO_PICTURES[:length])
    with pytest.raises((DamagedDocument, PageError)):
        rendered(path, inspect_document(str(path), max_pages=9).media_type)


@pytest.mark.parametrize("dpi", [(0, 0), (1, 1), (100_000, 100_000), (300, 300)])
def test_the_image_fits_the_page_even_with_a_wrong_resolution(tmp_path: Path, dpi: tuple[int, int]) -> None:
    path = tmp_path / "page.png"
    marked().save(path, "PNG", dpi=dpi)
    page = images.read_frame(str(path), 1, "image/png")
    image, _pixels = rendered(path, "image/png")
    assert image.width * 72 / image.dpi == pytest.approx(page.width, rel=0.01)  # type: ignore[union-attr]


def test_a_limit_on_resolution_makes_the_image_smaller(tmp_path: Path) -> None:
    path = tmp_path / "page.png"
    marked().save(path, "PNG", dpi=(300, 300))
    image = images.render_frame(str(path), 1, "image/png", max_dpi=150)
    assert (image.width, round(image.dpi)) == (WIDTH // 2, 150)


def test_a_truncated_image_raises_a_page_error(tmp_path: Path) -> None:
    path = tmp_path / "cut.jpg"
    Image.effect_noise((400, 400), 80).save(path, "JPEG")
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(PageError):
        rendered(path, "image/jpeg")
