"""Time and memory of long office files: ``python -m bench.office_speed``.

A text of 500 pages, a workbook of 60 sheets with formulas and a presentation of 300 slides are written and read by one
sandboxed reader, ranges of pages as a job has them. Prints a table and writes bench/results/office_speed.json.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

from apps.pages.model.blocks import Page
from apps.pages.model.page_numbers.ranges import DEFAULT_RANGE_PAGES
from apps.pages.sandbox.client import Limits, Reader

RESULTS = Path(__file__).resolve().parent / "results" / "office_speed.json"
TEXT_PAGES, SHEETS, SLIDES = 500, 60, 300
ROWS, COLUMNS = 300, 12
LIMITS = Limits(wall_seconds=600, cpu_seconds=600, max_pages=10_000)
_OPEN_XML = "http://schemas.openxmlformats.org"
_TYPE = "application/vnd.openxmlformats-officedocument."
_SENTENCE = "The supplier delivers the goods within thirty days of the order and informs the buyer of every delay. "
_RELATIONSHIPS = f'<Relationships xmlns="{_OPEN_XML}/package/2006/relationships">%s</Relationships>'
_RELATIONSHIP = f'<Relationship Id="r%s" Type="{_OPEN_XML}/officeDocument/2006/relationships/%s" Target="%s"/>'


def main() -> int:
    figures = []
    with tempfile.TemporaryDirectory(prefix="leafmill-office-") as folder:
        writers = {"text.docx": write_text, "workbook.xlsx": write_workbook, "slides.pptx": write_slides}
        for name, write in writers.items():
            document = Path(folder) / name
            write(document)
            figures.append(measured(document))
    print(f"{'':<16}{'pages':>7}{'seconds':>9}{'pages a minute':>16}{'peak MB of a child':>20}{'MB of the file':>16}")
    for figure in figures:
        print("{name:<16}{pages:>7}{seconds:>9}{pages_a_minute:>16}{peak_mb:>20}{file_mb:>16}".format(**figure))
    RESULTS.write_text(json.dumps(figures, indent=1) + "\n")
    return 0


def measured(document: Path) -> dict[str, object]:
    """Read a document as a job does, and return the figures. Every page must have blocks."""
    with Reader() as reader:
        reader.escapes()
        begun = time.perf_counter()
        facts = reader.inspect(document, limits=LIMITS)
        for first in range(1, facts.page_count + 1, DEFAULT_RANGE_PAGES):
            numbers = range(first, min(first + DEFAULT_RANGE_PAGES, facts.page_count + 1))
            pages = reader.read_range(document, numbers, media_type=facts.media_type, limits=LIMITS)
            assert all(isinstance(page, Page) and page.blocks for page in pages)
        seconds = time.perf_counter() - begun
        peak = reader.peak_bytes
    return {
        "name": document.name,
        "pages": facts.page_count,
        "seconds": round(seconds, 2),
        "pages_a_minute": round(60 * facts.page_count / seconds),
        "peak_mb": round(peak / 1e6),
        "file_mb": round(document.stat().st_size / 1e6, 2),
    }


def write_text(path: Path) -> None:
    """Write a text with headings, paragraphs, lists and a table on each page."""

    def body() -> Iterator[str]:
        for number in range(1, TEXT_PAGES + 1):
            yield f'<w:p><w:pPr><w:pStyle w:val="Heading1"/></w:pPr>{_run(f"Section {number}")}</w:p>'
            for _ in range(6):
                yield f"<w:p>{_run(_SENTENCE * 3)}<w:r><w:rPr><w:b/></w:rPr><w:t>Not later.</w:t></w:r></w:p>"
            cells = "".join(f"<w:tc><w:p>{_run(str(number * column))}</w:p></w:tc>" for column in range(5))
            rows = f"<w:tr>{cells}</w:tr>" * 6
            yield f'<w:tbl>{rows}</w:tbl><w:p><w:r><w:br w:type="page"/></w:r></w:p>'

    namespace = f'xmlns:w="{_OPEN_XML}/wordprocessingml/2006/main"'
    style = '<w:style w:type="paragraph" w:styleId="Heading1"><w:name w:val="heading 1"/></w:style>'
    parts = {
        "word/document.xml": f"<w:document {namespace}><w:body>{''.join(body())}</w:body></w:document>",
        "word/styles.xml": f"<w:styles {namespace}>{style}</w:styles>",
        "word/_rels/document.xml.rels": _RELATIONSHIPS % (_RELATIONSHIP % (1, "styles", "styles.xml")),
    }
    _write_package(path, "word/document.xml", _TYPE + "wordprocessingml.document.main+xml", parts)


def write_workbook(path: Path) -> None:
    """Write sheets of numbers with a formula in each row."""
    import xlsxwriter

    with xlsxwriter.Workbook(str(path)) as workbook:
        money = workbook.add_format({"num_format": "#,##0.00"})
        for number in range(1, SHEETS + 1):
            sheet = workbook.add_worksheet(f"Month {number}")
            sheet.write_row(0, 0, [f"Account {column}" for column in range(COLUMNS)])
            for row in range(1, ROWS):
                sheet.write_row(row, 0, [row * column + number / 7 for column in range(COLUMNS - 1)], money)
                sheet.write_formula(row, COLUMNS - 1, f"=SUM(A{row + 1}:K{row + 1})", money, row * 55)


def write_slides(path: Path) -> None:
    """Write slides with a title and a list."""
    drawing, slides = f"{_OPEN_XML}/drawingml/2006/main", f"{_OPEN_XML}/presentationml/2006/main"
    namespaces = f'xmlns:a="{drawing}" xmlns:p="{slides}" xmlns:r="{_OPEN_XML}/officeDocument/2006/relationships"'
    parts, ids, links = {}, "", ""
    for number in range(1, SLIDES + 1):
        points = "".join(f"<a:p><a:r><a:t>{_SENTENCE}{point}</a:t></a:r></a:p>" for point in range(8))
        shapes = _shape("title", 0, f"<a:p><a:r><a:t>Slide {number}</a:t></a:r></a:p>") + _shape("body", 1, points)
        parts[f"ppt/slides/slide{number}.xml"] = (
            f"<p:sld {namespaces}><p:cSld><p:spTree>{shapes}</p:spTree></p:cSld></p:sld>"
        )
        ids += f'<p:sldId id="{255 + number}" r:id="r{number}"/>'
        links += _RELATIONSHIP % (number, "slide", f"slides/slide{number}.xml")
    size = '<p:sldSz cx="9144000" cy="6858000"/>'
    parts["ppt/presentation.xml"] = (
        f"<p:presentation {namespaces}><p:sldIdLst>{ids}</p:sldIdLst>{size}</p:presentation>"
    )
    parts["ppt/_rels/presentation.xml.rels"] = _RELATIONSHIPS % links
    _write_package(path, "ppt/presentation.xml", _TYPE + "presentationml.presentation.main+xml", parts)


def _run(text: str) -> str:
    return f"<w:r><w:t>{text}</w:t></w:r>"


def _shape(kind: str, place: int, paragraphs: str) -> str:
    where = f'<a:xfrm><a:off x="457200" y="{274638 + place * 1325563}"/><a:ext cx="8229600" cy="1143000"/></a:xfrm>'
    return (
        f'<p:sp><p:nvSpPr><p:cNvPr id="{place + 2}" name="{kind}"/><p:cNvSpPr/><p:nvPr><p:ph type="{kind}"/></p:nvPr>'
        f"</p:nvSpPr><p:spPr>{where}</p:spPr><p:txBody><a:bodyPr/>{paragraphs}</p:txBody></p:sp>"
    )


def _write_package(path: Path, main_part: str, media_type: str, parts: dict[str, str]) -> None:
    types = f'<Override PartName="/{main_part}" ContentType="{media_type}"/>'
    parts |= {
        "[Content_Types].xml": f'<Types xmlns="{_OPEN_XML}/package/2006/content-types">{types}</Types>',
        "_rels/.rels": _RELATIONSHIPS % (_RELATIONSHIP % (1, "officeDocument", main_part)),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in parts.items():
            package.writestr(name, content)


if __name__ == "__main__":
    sys.exit(main())
