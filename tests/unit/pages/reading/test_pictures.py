"""Pictures of pages and of regions, as a vision model gets them."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from PIL import Image

from apps.pages.model.blocks import Page
from apps.pages.model.errors import GarbledPage, PageError, PageTooLarge, ParseError, RegionOutsidePage, Stopped
from apps.pages.model.geometry import Box
from apps.pages.reading import page_reading
from apps.pages.sandbox.client import Limits, Reader
from apps.pages.sandbox.pool import reader_pool
from tests.documents import hostile_structure
from tests.unit.pages.tiny_pdf import Sheet, write_pdf

# A red square at the upper left, 100 points wide, and a blue one below it.
SQUARES = b"1 0 0 rg 0 692 100 100 re f 0 0 1 rg 0 592 100 100 re f 0 g"
RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    with Reader() as reader:
        yield reader


@pytest.fixture
def document(tmp_path: Path) -> Path:
    return Path(write_pdf(tmp_path / "squares.pdf", Sheet().raw(SQUARES).text(300, 300, "Words")))


def decoded(jpeg: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(jpeg))
    assert (image.format, image.mode) == ("JPEG", "RGB")
    image.load()
    return image


def is_near(pixel: object, colour: tuple[int, int, int]) -> bool:
    assert isinstance(pixel, tuple)
    return all(abs(have - want) < 12 for have, want in zip(pixel, colour, strict=True))


def test_a_page_is_shown_whole_and_in_colour(reader: Reader, document: Path) -> None:
    image = decoded(reader.picture(document, 1, dpi=72))

    assert image.size == (612, 792)
    assert is_near(image.getpixel((50, 50)), RED)
    assert is_near(image.getpixel((50, 150)), BLUE)
    assert is_near(image.getpixel((400, 150)), WHITE)


def test_a_region_is_rendered_separately(reader: Reader, document: Path) -> None:
    image = decoded(reader.picture(document, 1, dpi=288, region=Box(50, 50, 150, 150)))

    assert image.size == (400, 400)
    assert is_near(image.getpixel((100, 100)), RED)
    assert is_near(image.getpixel((100, 300)), BLUE)
    assert is_near(image.getpixel((300, 100)), WHITE)


def test_a_rotated_page_is_shown_upright(reader: Reader, tmp_path: Path) -> None:
    document = Path(write_pdf(tmp_path / "turned.pdf", Sheet().raw(SQUARES), rotate=90))

    image = decoded(reader.picture(document, 1, dpi=72))
    part = decoded(reader.picture(document, 1, dpi=72, region=Box(692, 0, 792, 100)))

    assert image.size == (792, 612)
    assert is_near(image.getpixel((742, 50)), RED)
    assert is_near(image.getpixel((642, 50)), BLUE)
    assert is_near(part.getpixel((50, 50)), RED)


def test_a_region_is_clipped_to_the_page(reader: Reader, document: Path) -> None:
    assert decoded(reader.picture(document, 1, dpi=72, region=Box(-50, -50, 100, 100))).size == (100, 100)


@pytest.mark.parametrize("region", [Box(700, 0, 800, 100), Box(10, 10, 10, 100), Box(0, -20, 100, -10)])
def test_a_region_outside_the_page_is_refused(reader: Reader, document: Path, region: Box) -> None:
    with pytest.raises(RegionOutsidePage):
        reader.picture(document, 1, dpi=72, region=region)


@pytest.mark.parametrize("dpi", [200, 1e6])
def test_a_picture_stays_within_its_pixels(reader: Reader, document: Path, dpi: float) -> None:
    image = decoded(reader.picture(document, 1, dpi=dpi, max_pixels=500_000))

    assert 450_000 < image.width * image.height <= 500_000


def test_noise_stays_within_its_bytes(reader: Reader, tmp_path: Path) -> None:
    path = tmp_path / "noise.png"
    Image.effect_noise((4000, 4000), 200).convert("RGB").save(path, compress_level=1)

    jpeg = reader.picture(path, 1, dpi=150, media_type="image/png", max_pixels=16_000_000)

    assert len(jpeg) <= 4 << 20
    assert decoded(jpeg).width > 1000


def test_a_page_too_large_to_be_legible_is_refused(reader: Reader, document: Path) -> None:
    with pytest.raises(PageTooLarge):
        reader.picture(document, 1, dpi=200, max_pixels=100)


def test_a_missing_page_raises_a_page_error(reader: Reader, document: Path) -> None:
    with pytest.raises(PageError):
        reader.picture(document, 7, dpi=72)


def two_colours() -> Image.Image:
    image = Image.new("RGB", (200, 100), RED)
    image.paste(BLUE, (100, 0, 200, 100))
    return image


def test_a_photograph_is_shown_as_displayed(reader: Reader, tmp_path: Path) -> None:
    path = tmp_path / "sideways.jpg"
    exif = Image.Exif()
    exif[274] = 6  # turned by 90 degrees clockwise when shown
    two_colours().save(path, exif=exif, dpi=(100, 100), quality=95)

    (page,) = reader.read_range(path, [1], media_type="image/jpeg")
    assert isinstance(page, Page)
    lower = Box(0, page.height / 2 + 5, page.width, page.height)

    assert decoded(reader.picture(path, 1, dpi=300, media_type="image/jpeg")).size == (100, 200)
    part = decoded(reader.picture(path, 1, dpi=300, media_type="image/jpeg", region=lower))
    assert is_near(part.getpixel((50, 40)), BLUE)


def test_each_frame_has_its_picture(reader: Reader, tmp_path: Path) -> None:
    path = tmp_path / "frames.tiff"
    first, second = Image.new("RGB", (80, 60), RED), Image.new("I;16", (60, 80), 40_000)
    second.putpixel((0, 0), 0)
    first.save(path, save_all=True, append_images=[second], dpi=(150, 150))

    assert is_near(decoded(reader.picture(path, 1, dpi=150, media_type="image/tiff")).getpixel((40, 30)), RED)
    assert decoded(reader.picture(path, 2, dpi=150, media_type="image/tiff")).size == (60, 80)


def test_a_transparent_picture_is_shown_on_white(reader: Reader, tmp_path: Path) -> None:
    path = tmp_path / "clear.png"
    Image.new("RGBA", (50, 50), (0, 0, 0, 0)).save(path)

    jpeg = reader.picture(path, 1, dpi=150, media_type="image/png")

    assert is_near(decoded(jpeg).getpixel((25, 25)), WHITE)


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n and nothing more", b"", b"GIF89a"])
def test_a_hostile_image_is_refused(reader: Reader, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.png"
    path.write_bytes(content or b"\x00")

    with pytest.raises(ParseError):
        reader.picture(path, 1, dpi=150, media_type="image/png")


# Replies of a child that its document took over.

QUICK = Limits(wall_seconds=0.6, cpu_seconds=20, memory_bytes=256 << 20)
PATIENT = Limits(wall_seconds=20, cpu_seconds=20, memory_bytes=256 << 20)  # a busy machine fills memory slowly


@pytest.fixture(scope="module")
def strange_reader() -> Iterator[Reader]:
    with Reader(work="tests.fakes.strange_reading") as reader:
        yield reader


Ask = Callable[[str], bytes]


@pytest.fixture
def ask(strange_reader: Reader, tmp_path: Path) -> Ask:
    def picture(line: str) -> bytes:
        path = tmp_path / "strange.txt"
        path.write_text(f"fine\n{line}")
        limits = QUICK if line == "hang" else PATIENT
        return strange_reader.picture(path, 1, dpi=72, media_type="text/strange", limits=limits)

    return picture


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("hang", "page_timeout"),
        ("memory", "page_memory_exceeded"),
        ("signal SIGSEGV", "page_crashed"),
        ("raw 49ffffffff", "page_crashed"),
        ("raw 500000000568656c6c6f", "page_crashed"),
        ("raise", "internal_error"),
        ("fine this is no picture", "page_crashed"),
        ("long 5000000", "page_crashed"),
    ],
)
def test_a_picture_that_fails_raises_an_error_of_its_page(ask: Ask, line: str, code: str) -> None:
    with pytest.raises(PageError) as error:
        ask(line)

    assert error.value.code == code
    assert ask("hex " + _jpeg((20, 10)).hex()) == _jpeg((20, 10))


def _jpeg(size: tuple[int, int]) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, RED).save(out, "JPEG")
    return out.getvalue()


def _with_size(jpeg: bytes, width: int, height: int) -> bytes:
    at = jpeg.index(b"\xff\xc0")
    return jpeg[: at + 5] + height.to_bytes(2, "big") + width.to_bytes(2, "big") + jpeg[at + 9 :]


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(_jpeg((20, 10))[:-2], id="cut off"),
        pytest.param(b"\x00" + _jpeg((20, 10)), id="something before it"),
        pytest.param(_with_size(_jpeg((20, 10)), 60_000, 60_000), id="a bomb"),
        pytest.param(_with_size(_jpeg((20, 10)), 0, 10), id="no width"),
        pytest.param(b"\xff\xd8\xff\xd9", id="no picture between its ends"),
        pytest.param(b"\xff\xd8\xff\xe0\x00\x00" * 3 + b"\xff\xd9", id="a segment without a length"),
    ],
)
def test_a_reply_that_is_no_such_jpeg_is_discarded(ask: Ask, reply: bytes) -> None:
    with pytest.raises(GarbledPage):
        ask(f"hex {reply.hex()}")


# Readers of a process with many threads.


def test_many_threads_share_few_readers(document: Path) -> None:
    pool = reader_pool(2)

    def show(number: int) -> tuple[int, tuple[int, int]]:
        with pool.reader() as reader:
            size = decoded(reader.picture(document, 1, dpi=10 + number)).size
            assert reader.pid is not None
            return reader.pid, size

    with ThreadPoolExecutor(12) as threads:
        found = list(threads.map(show, range(24)))

    assert len({pid for pid, _size in found}) <= 2
    assert [size[0] for _pid, size in found] == sorted(size[0] for _pid, size in found)
    # The threads that started them have ended; the readers have not.
    assert all(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid, _size in found)
    assert reader_pool(2) is pool


def test_one_thread_starts_one_reader(document: Path) -> None:
    pool = reader_pool(5)
    pids = set()
    for _time in range(3):
        with pool.reader() as reader:
            reader.inspect(document)
            pids.add(reader.pid)

    assert len(pids) == 1


def test_waiting_for_a_reader_can_be_stopped() -> None:
    pool = reader_pool(1)

    with pool.reader(), pytest.raises(Stopped), pool.reader(should_stop=lambda: True):
        raise AssertionError("the only reader was in use")


def test_a_reader_returns_to_the_pool_after_an_error(document: Path) -> None:
    pool = reader_pool(1)
    for _time in range(2):
        with pytest.raises(RegionOutsidePage), pool.reader() as reader:
            reader.picture(document, 1, dpi=72, region=Box(900, 900, 910, 910))


def test_a_file_that_only_qpdf_repairs_is_rendered(tmp_path: Path) -> None:
    document = tmp_path / "document.pdf"
    document.write_bytes(hostile_structure.truncated_at_half())

    image = page_reading.render_for_ocr(str(document), 1, dpi=72)

    assert (image.width, image.height) == (612, 792)
