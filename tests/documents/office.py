"""Small office files, a web page and a mail, each with a table and a picture as far as its type has them."""

from __future__ import annotations

import base64
import io
import zipfile
from email.message import EmailMessage
from pathlib import Path

import docx
import xlsxwriter
from PIL import Image

ROWS = (("Cargo", "Tons"), ("Coal", "1200"))
HEADING = "Freight in May"


_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_NAMES = (
    'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" '
    f'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" xmlns:r="{_OFFICE}"'
)


def office_documents(folder: Path) -> None:
    """Write freight.docx, .xlsx, .pptx with two slides, .html, .md and .eml into the folder."""
    picture = io.BytesIO()
    Image.new("RGB", (400, 120), "red").save(picture, "PNG")
    document = docx.Document()
    document.add_heading(HEADING, 1)
    table = document.add_table(2, 2)
    for row, texts in enumerate(ROWS):
        for column, text in enumerate(texts):
            table.cell(row, column).text = text
    document.add_picture(io.BytesIO(picture.getvalue()))
    document.save(str(folder / "freight.docx"))

    with xlsxwriter.Workbook(folder / "freight.xlsx") as book:
        sheet = book.add_worksheet(HEADING)
        for row, texts in enumerate(ROWS):
            sheet.write_row(row, 0, texts)

    slides(folder / "freight.pptx", picture.getvalue())

    cells = "".join(f"<tr><td>{'</td><td>'.join(texts)}</td></tr>" for texts in ROWS)
    address = f"data:image/png;base64,{base64.b64encode(picture.getvalue()).decode()}"
    page = f'<h1>{HEADING}</h1><table>{cells}</table><img src="{address}">'
    (folder / "freight.html").write_text(page, encoding="utf-8")
    rows = "\n".join(f"| {' | '.join(texts)} |" for texts in (ROWS[0], ("---", "---"), ROWS[1]))
    (folder / "freight.md").write_text(f"# {HEADING}\n\n{rows}\n", encoding="utf-8")

    message = EmailMessage()
    message["From"], message["Subject"] = "clerk@example.org", HEADING
    message.set_content("plain")
    message.add_alternative(page, subtype="html")
    (folder / "freight.eml").write_bytes(bytes(message))


def slides(path: Path, picture: bytes) -> None:
    """Write a presentation that LibreOffice can print, too: a table and a picture (PNG), and a slide with a text."""
    rows = "".join(f"<a:tr h='400000'>{''.join(map(_cell, row))}</a:tr>" for row in ROWS)
    columns = "<a:gridCol w='2000000'/>" * len(ROWS[0])
    table = (
        f"<p:graphicFrame><p:nvGraphicFramePr>{_named(3)}<p:cNvGraphicFramePr/><p:nvPr/></p:nvGraphicFramePr>"
        f"{_place('p:xfrm', 900000, 2000000, 4000000, 800000)}"
        "<a:graphic><a:graphicData uri='http://schemas.openxmlformats.org/drawingml/2006/table'>"
        f"<a:tbl><a:tblGrid>{columns}</a:tblGrid>{rows}</a:tbl></a:graphicData></a:graphic></p:graphicFrame>"
    )
    image = (
        f"<p:pic><p:nvPicPr>{_named(4)}<p:cNvPicPr/><p:nvPr/></p:nvPicPr><p:blipFill><a:blip r:embed='rId1'/>"
        f"<a:stretch><a:fillRect/></a:stretch></p:blipFill><p:spPr>{_place('a:xfrm', 900000, 4000000, 2540000, 762000)}"
        "<a:prstGeom prst='rect'/></p:spPr></p:pic>"
    )
    relationships = "http://schemas.openxmlformats.org/package/2006/relationships"
    presentation = (
        "<p:sldIdLst><p:sldId id='256' r:id='rId1'/><p:sldId id='257' r:id='rId2'/></p:sldIdLst>"
        "<p:sldSz cx='9144000' cy='6858000'/><p:notesSz cx='6858000' cy='9144000'/>"
    )
    main, slide = ("application/vnd.openxmlformats-officedocument.presentationml." + kind + "+xml" for kind in _KINDS)
    types = "".join(
        f"<Override PartName='/ppt/{name}' ContentType='{kind}'/>"
        for name, kind in (("presentation.xml", main), ("slides/slide1.xml", slide), ("slides/slide2.xml", slide))
    )
    defaults = "".join(
        f"<Default Extension='{ending}' ContentType='{kind}'/>"
        for ending, kind in (
            ("rels", "application/vnd.openxmlformats-package.relationships+xml"),
            ("png", "image/png"),
        )
    )
    links = {
        "_rels/.rels": ("officeDocument ppt/presentation.xml",),
        "ppt/_rels/presentation.xml.rels": ("slide slides/slide1.xml", "slide slides/slide2.xml"),
        "ppt/slides/_rels/slide1.xml.rels": ("image ../media/image1.png",),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "[Content_Types].xml",
            f"<Types xmlns='http://schemas.openxmlformats.org/package/2006/content-types'>{defaults}{types}</Types>",
        )
        for name, targets in links.items():
            entries = "".join(
                f"<Relationship Id='rId{number}' Type='{_OFFICE}/{target.split()[0]}' Target='{target.split()[1]}'/>"
                for number, target in enumerate(targets, 1)
            )
            archive.writestr(name, f"<Relationships xmlns='{relationships}'>{entries}</Relationships>")
        archive.writestr("ppt/presentation.xml", f"<p:presentation {_NAMES}>{presentation}</p:presentation>")
        archive.writestr("ppt/slides/slide1.xml", _slide(_text(HEADING) + table + image))
        archive.writestr("ppt/slides/slide2.xml", _slide(_text("The port was closed on two days")))
        archive.writestr("ppt/media/image1.png", picture)


_KINDS = ("presentation.main", "slide")


def _slide(shapes: str) -> str:
    group = f"<p:nvGrpSpPr>{_named(1)}<p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/>"
    return f"<p:sld {_NAMES}><p:cSld><p:spTree>{group}{shapes}</p:spTree></p:cSld></p:sld>"


def _text(text: str) -> str:
    place = _place("a:xfrm", 900000, 500000, 7000000, 900000)
    return (
        f"<p:sp><p:nvSpPr>{_named(2)}<p:cNvSpPr/><p:nvPr><p:ph type='title'/></p:nvPr></p:nvSpPr>"
        f"<p:spPr>{place}<a:prstGeom prst='rect'/></p:spPr><p:txBody><a:bodyPr/>{_paragraph(text)}</p:txBody></p:sp>"
    )


def _cell(text: str) -> str:
    return f"<a:tc><a:txBody><a:bodyPr/>{_paragraph(text)}</a:txBody><a:tcPr/></a:tc>"


def _paragraph(text: str) -> str:
    return f"<a:p><a:r><a:t>{text}</a:t></a:r></a:p>"


def _named(number: int) -> str:
    return f"<p:cNvPr id='{number}' name='shape {number}'/>"


def _place(tag: str, x: int, y: int, width: int, height: int) -> str:
    return f"<{tag}><a:off x='{x}' y='{y}'/><a:ext cx='{width}' cy='{height}'/></{tag}>"
