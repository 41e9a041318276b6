"""Pictures inside office documents: their files are found, measured and decoded, and text in them can be read."""

from __future__ import annotations

import base64
import binascii
import io
import zipfile
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path

import docx
import msgspec
import pytest
from PIL import Image

from apps.pages.layout import picture_sheet
from apps.pages.layout.picture_sheet import sheet_of
from apps.pages.layout.recognized_page import apply_recognition
from apps.pages.model.blocks import Block, BlockType, EmbeddedImage, Page, Source
from apps.pages.model.errors import NoPictureOfPage, PageError
from apps.pages.model.geometry import NO_BOX, Box
from apps.pages.model.page_images.ocr_image import MAX_OCR_PIXELS
from apps.pages.model.page_images.vision_image import MAX_VISION_PIXELS
from apps.pages.model.recognition import Recognition, RecognizedLine, RecognizedWord
from apps.pages.reading.page_reading import render_for_ocr, render_for_vision
from tests.unit.pages.office.office_files import NAMES, open_xml, read
from tests.unit.pages.office.older_workbooks import write_xls
from tests.unit.pages.office.xls_shapes import PICTURE, picture_store, shape

SIZE = (400, 120)
EMF = b"\x01\x00\x00\x00" + bytes(36) + b" EMF" + bytes(60)
ODF_NAMES = " ".join(
    f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for short, name in (("office", "office"), ("text", "text"), ("draw", "drawing"), ("svg", "svg-compatible"))
)


def image(kind: str = "PNG", size: tuple[int, int] = SIZE, grey: int = 40) -> bytes:
    out = io.BytesIO()
    Image.new("L", size, grey).save(out, kind)
    return out.getvalue()


def word_file(path: Path) -> Path:
    document = docx.Document()
    document.add_paragraph("Before")
    document.add_picture(io.BytesIO(image()))
    document.add_paragraph("After")
    document.save(str(path))
    return path


def slides(path: Path) -> Path:
    picture = (
        '<p:pic><p:nvPicPr><p:cNvPr id="4" name="x" descr="A ship"/></p:nvPicPr><p:blipFill><a:blip r:embed="rId5"/>'
        '</p:blipFill><p:spPr><a:xfrm><a:off x="127000" y="254000"/><a:ext cx="2540000" cy="762000"/></a:xfrm></p:spPr>'
        "</p:pic>"
    )
    shown = f"<p:sld {NAMES}><p:cSld><p:spTree>{picture}</p:spTree></p:cSld></p:sld>"
    main = f'<p:presentation {NAMES}><p:sldIdLst><p:sldId id="256" r:id="rId1"/></p:sldIdLst></p:presentation>'
    links = {
        "ppt/presentation.xml": {"rId1": "slide ppt/slides/slide1.xml"},
        "ppt/slides/slide1.xml": {"rId5": "image ppt/media/image1.png"},
    }
    parts = {"ppt/presentation.xml": main, "ppt/slides/slide1.xml": shown}
    open_xml(path, "presentationml.presentation", "ppt/presentation.xml", parts, links)
    return with_part(path, "ppt/media/image1.png", image())


def open_document(path: Path) -> Path:
    frame = (
        '<draw:frame><draw:image xlink:href="Pictures/a.svg"/><draw:image xlink:href="Pictures/a.png"/>'
        "<svg:desc>A mill</svg:desc></draw:frame>"
    )
    content = (
        f'<office:document-content {ODF_NAMES} xmlns:xlink="http://www.w3.org/1999/xlink"><office:body><office:text>'
        f"<text:p>{frame}</text:p></office:text></office:body></office:document-content>"
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.text")
        archive.writestr("content.xml", content)
        archive.writestr("Pictures/a.svg", "<svg/>")
        archive.writestr("Pictures/a.png", image())
    return path


def web_page(path: Path) -> Path:
    packed = base64.b64encode(image()).decode()
    packed = packed[:40] + "\n" + packed[40:]  # browsers take no notice of line breaks
    path.write_text(f'<p>Before</p><img src="data:image/png;base64,{packed}"><p>After</p>', encoding="utf-8")
    return path


def marked_up(path: Path) -> Path:
    packed = base64.b64encode(image()).decode()
    path.write_text(f"# Title\n\n![A mill](data:image/png;base64,{packed})\n", encoding="utf-8")
    return path


def mail(path: Path) -> Path:
    message = EmailMessage()
    message["From"] = "a@example.org"
    message["Subject"] = "Greetings"
    message.set_content("plain")
    message.add_alternative('<p>See</p><img src="cid:one%40mill">', subtype="html")
    body = message.get_payload(1)
    assert isinstance(body, EmailMessage)
    body.add_related(image(), "image", "png", cid="<one@mill>")
    path.write_bytes(bytes(message))
    return path


def rich_text(path: Path) -> Path:
    digits = binascii.hexlify(image()).replace(b"89", b"8\n9", 1)
    head = b"{\\rtf1\\ansi Before\\par {\\pict{\\*\\picprop{\\sp{\\sn a}{\\sv 1}}}\\pngblip\\picw9 "
    path.write_bytes(head + digits + b"}\\par After}")
    return path


def rich_text_with_bytes(path: Path) -> Path:
    content = image()
    path.write_bytes(b"{\\rtf1 Before\\par {\\pict\\pngblip\\bin%d " % len(content) + content + b"}\\par After}")
    return path


def web_page_of_16_bits(path: Path) -> Path:
    path.write_bytes(web_page(path).read_text(encoding="utf-8").encode("utf-16"))
    return path


def book_with_packed_images(path: Path) -> Path:
    source = book(path.with_suffix(".zip"))
    pages = {"a": image(grey=90), "b": image()}
    with zipfile.ZipFile(source) as whole, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in whole.namelist():
            if not name.startswith("OPS/"):
                archive.writestr(name, whole.read(name))
        items = "".join(f'<item id="{name}" href="{name}" media-type="text/html"/>' for name in pages)
        order = "".join(f'<itemref idref="{name}"/>' for name in pages)
        archive.writestr("OPS/a.opf", f"<package><manifest>{items}</manifest><spine>{order}</spine></package>")
        for name, content in pages.items():
            packed = base64.b64encode(content).decode()
            chapter = f'<html><p>世界一</p><img src="data:image/png;base64,{packed}"/></html>'
            archive.writestr(f"OPS/{name}", chapter.encode("utf-16" if name == "b" else "utf-8"))
    return path


def book(path: Path) -> Path:
    package = (
        '<package><manifest><item id="a" href="text/a.xhtml" media-type="application/xhtml+xml"/></manifest>'
        '<spine><itemref idref="a"/></spine></package>'
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/epub+zip")
        archive.writestr("META-INF/container.xml", '<container><rootfile full-path="OPS/a.opf"/></container>')
        archive.writestr("OPS/a.opf", package)
        archive.writestr("OPS/text/a.xhtml", '<html><body><p>See</p><img src="../images/a%20b.png"/></body></html>')
        archive.writestr("OPS/images/a b.png", image())
    return path


def attached_file(path: Path) -> Path:
    inner, outer = EmailMessage(), EmailMessage()
    for message in (inner, outer):
        message["From"] = "a@example.org"
        message["Subject"] = "A file"
        message.set_content("See the file")
    inner.add_attachment(word_file(path.with_suffix(".docx")).read_bytes(), "application", "zip", filename="a.docx")
    outer.add_attachment(b"x,y", "text", "csv", filename="a.csv")
    outer.add_attachment(inner)
    path.write_bytes(bytes(outer))
    return path


def older_workbook(path: Path) -> Path:
    drawn = shape(PICTURE, blip=2, description="A mill")
    return write_xls(path, {"S": [["a"]]}, drawn=drawn, shared=picture_store(b"other", image()))


def with_part(path: Path, name: str, content: bytes) -> Path:
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, content)
    return path


FILES = [
    (word_file, "a.docx", "word/media/image1.png"),
    (slides, "a.pptx", "ppt/media/image1.png"),
    (open_document, "a.odt", "Pictures/a.png"),
    (web_page, "a.html", "data:"),
    (marked_up, "a.md", "data:"),
    (mail, "a.eml", "cid:one@mill"),
    (web_page_of_16_bits, "b.html", "data:"),
    (older_workbook, "a.xls", "blip:2"),
    (book, "a.epub", "OPS/images/a b.png"),
    (book_with_packed_images, "b.epub", "data:"),
    (attached_file, "b.eml", "file:1.0:word/media/image1.png"),
    (rich_text, "a.rtf", "pict:0"),
    (rich_text_with_bytes, "b.rtf", "pict:0"),
]


@pytest.mark.parametrize(("write", "name", "found"), FILES)
def test_a_picture_has_its_file(tmp_path: Path, write: Callable[[Path], Path], name: str, found: str) -> None:
    path = write(tmp_path / name)
    facts, pages = read(path)
    page = pages[-1]

    [embedded] = [block.image for block in page.blocks if block.type is BlockType.PICTURE]
    assert embedded is not None
    assert embedded.name.startswith(found)
    assert (embedded.width, embedded.height) == SIZE
    assert (page.needs_ocr, "pictures_not_read" in page.warnings) == ("text_in_picture", True)
    of = {"media_type": facts.media_type, "dpi": 144.0}
    jpeg = render_for_vision(str(path), 1, embedded=(embedded,), **of)  # type: ignore[arg-type]
    with Image.open(io.BytesIO(jpeg)) as shown:
        assert (shown.format, shown.size, shown.convert("L").getpixel((9, 9))) == ("JPEG", SIZE, 40)
    sheet = render_for_ocr(str(path), 1, embedded=sheet_of(page), **of)  # type: ignore[arg-type]
    assert (sheet.width, sheet.height, sheet.pixels) == (*SIZE, bytes([40]) * (SIZE[0] * SIZE[1]))


def test_a_message_does_not_list_the_pictures_that_it_shows(tmp_path: Path) -> None:
    _facts, [page] = read(mail(tmp_path / "a.eml"))
    assert not [block for block in page.blocks if block.text.startswith("Attached file")]


def test_a_drawing_with_several_pictures_gives_each(tmp_path: Path) -> None:
    path = tmp_path / "a.docx"
    document = docx.Document()
    for _ in range(2):
        document.add_picture(io.BytesIO(image()))
    first, second = document.inline_shapes
    data = first._inline.graphic.graphicData
    data.append(second._inline.graphic.graphicData[0])
    document.save(str(path))

    _facts, [page] = read(path)
    assert [block.image.name for block in page.blocks if block.image] == ["word/media/image1.png"] * 2


def test_a_format_that_is_not_read_is_named(tmp_path: Path) -> None:
    path = with_part(open_xml(tmp_path / "a.docx", "wordprocessingml.document", "word/document.xml", {}, {}), "x", b"x")
    word_file(path)
    damaged = tmp_path / "b.docx"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(damaged, "w") as target:
        for entry in source.infolist():
            target.writestr(entry, EMF if entry.filename.endswith(".png") else source.read(entry))

    facts, [page] = read(damaged)
    assert [block.image for block in page.blocks if block.type is BlockType.PICTURE] == [None]
    assert (page.needs_ocr, set(page.warnings)) == ("", {"pictures_not_read", "picture_format_not_read"})
    gone = EmbeddedImage("word/media/image1.png")
    with pytest.raises(PageError):
        render_for_vision(str(damaged), 1, media_type=facts.media_type, dpi=144, embedded=(gone,))
    with pytest.raises(NoPictureOfPage):
        render_for_ocr(str(damaged), 1, media_type=facts.media_type, dpi=144)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (EMF, "picture_format_not_read"),
        (b"no picture at all", "picture_format_not_read"),
        (b"", "picture_missing"),
        (image()[:20], "picture_damaged"),
        (image(size=(20_001, 1)), "picture_too_large"),
    ],
)
def test_a_picture_without_an_image_has_the_reason(tmp_path: Path, content: bytes, code: str) -> None:
    path = tmp_path / "b.docx"
    with zipfile.ZipFile(word_file(tmp_path / "a.docx")) as source, zipfile.ZipFile(path, "w") as target:
        for entry in source.infolist():
            target.writestr(entry, content if entry.filename.endswith(".png") else source.read(entry))

    _facts, [page] = read(path)
    assert [block.image for block in page.blocks if block.type is BlockType.PICTURE] == [None]
    assert set(page.warnings) == {"pictures_not_read", code}


def test_icons_are_given_and_not_looked_at_for_text(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_picture(io.BytesIO(image(size=(64, 64))))
    document.save(str(tmp_path / "a.docx"))
    _facts, [page] = read(tmp_path / "a.docx")
    assert (page.needs_ocr, page.warnings) == ("", ())
    assert page.blocks[0].image == EmbeddedImage("word/media/image1.png", 64, 64)


def picture(name: str, width: int = 400, height: int = 100, box: Box = NO_BOX) -> Block:
    return Block(BlockType.PICTURE, box, image=EmbeddedImage(name, width, height))


def page_of(*blocks: Block, warnings: tuple[str, ...] = ("pictures_not_read",)) -> Page:
    return Page(1, 612, 792, blocks=blocks, structured=True, needs_ocr="text_in_picture", warnings=warnings)


def test_a_sheet_has_the_largest_pictures_and_each_once() -> None:
    few = page_of(picture("a"), picture("b", 90, 100), picture("a"), picture("c", 4_000, 4_000))
    assert sheet_of(few) == (EmbeddedImage("a", 400, 100), EmbeddedImage("c", 2_000, 2_000))
    assert sheet_of(few, 0.5)[1] == EmbeddedImage("c", 1_000, 1_000)

    many = page_of(
        *(picture(f"{number}", 400 + number, 300) for number in range(picture_sheet.MAX_PICTURES_ON_SHEET + 5))
    )
    assert [image.name for image in sheet_of(many)] == [f"{number}" for number in range(5, 35)]
    tall = page_of(*(picture(f"{number}", 3_000, 3_000) for number in range(30)))
    width, height = picture_sheet.sheet_size(sheet_of(tall))
    assert width * height <= MAX_OCR_PIXELS


def recognition(*texts: str, warnings: tuple[str, ...] = ()) -> Recognition:
    lines = []
    for number, text in enumerate(texts):
        box = Box(10.0, 10.0 + 30 * number, 110.0, 22.0 + 30 * number)
        word = RecognizedWord(text, box.x0, box.top, box.x1, box.bottom, 0.9)
        lines.append(RecognizedLine((word,), box, 0.9))
    return Recognition(tuple(lines), (), 144.0, 36.0, 0, 0.0, "test", "1", ("en",), 0.9, 0.1, (), warnings)


def sheet(*parts: Recognition) -> Recognition:
    return msgspec.structs.replace(recognition(), parts=parts)


def test_text_in_a_picture_follows_it() -> None:
    place = Box(100.0, 200.0, 244.0, 236.0)
    page = page_of(picture("a"), Block(BlockType.PARAGRAPH, NO_BOX, text="Between"), picture("b", box=place))
    read_page = apply_recognition(
        page, sheet(recognition("Invoice"), recognition("Total", warnings=("script_not_read",)))
    )

    assert [(block.type, block.text, block.source) for block in read_page.blocks] == [
        (BlockType.PICTURE, "", Source.TEXT_LAYER),
        (BlockType.PARAGRAPH, "Invoice", Source.OCR),
        (BlockType.PARAGRAPH, "Between", Source.TEXT_LAYER),
        (BlockType.PICTURE, "", Source.TEXT_LAYER),
        (BlockType.PARAGRAPH, "Total", Source.OCR),
    ]
    assert (read_page.blocks[1].box, read_page.blocks[1].confidence) == (NO_BOX, 0.9)
    assert place.contains(read_page.blocks[4].box)
    assert (read_page.needs_ocr, read_page.warnings) == ("", ("script_not_read",))


def test_pictures_that_are_on_no_sheet_stay_unread() -> None:
    outside = Block(BlockType.PICTURE, NO_BOX)
    read_page = apply_recognition(page_of(picture("a"), outside), sheet(recognition("Invoice")))
    assert read_page.warnings == ("pictures_not_read",)


def test_a_picture_in_which_nothing_was_read_is_no_text_in_an_unknown_script() -> None:
    logo = recognition(warnings=("script_not_read",))
    read_page = apply_recognition(page_of(picture("a"), picture("b")), sheet(recognition("Invoice"), logo))
    assert read_page.warnings == ("pictures_not_read",)


def test_the_picture_of_a_sheet_that_cannot_be_decoded_stays_white(tmp_path: Path) -> None:
    path = with_part(word_file(tmp_path / "a.docx"), "word/media/cut.png", image()[:60])
    both = (EmbeddedImage("word/media/cut.png", 10, 10), EmbeddedImage("word/media/image1.png", 20, 10))
    facts, _pages = read(path)
    found = render_for_ocr(str(path), 1, media_type=facts.media_type, dpi=200, embedded=both)
    assert found.pixels == b"\xff" * 200 + b"\x28" * 200
    assert found.width * found.height < MAX_VISION_PIXELS
