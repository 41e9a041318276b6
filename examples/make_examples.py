"""Write the example documents beside this script: python examples/make_examples.py

They are our own work (Apache-2.0) and byte-identical on every run. Positions are in points from the lower left corner,
as in PDF.
"""

from __future__ import annotations

import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))

from apps.pages.sandbox.preload import assembled_pdf  # noqa: E402 (found by the line above)

PLAIN, BOLD = "F1", "F2"
Table = list[list[str]]


def text(x: float, y: float, words: str, *, size: float = 10, font: str = PLAIN) -> str:
    escaped = words.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
    return f"BT /{font} {size} Tf {x} {y} Td ({escaped}) Tj ET"


def lines(x: float, y: float, words: list[str], *, size: float = 10, leading: float = 14) -> list[str]:
    return [text(x, y - leading * number, line, size=size) for number, line in enumerate(words)]


def ruled_table(x: float, y: float, widths: list[float], rows: Table, *, height: float = 20) -> list[str]:
    """Draw a grid with its upper left corner at (x, y) and a bold first row."""
    edges = [x + sum(widths[:number]) for number in range(len(widths) + 1)]
    bottom = y - height * len(rows)
    parts = ["0.7 w"]
    parts += [f"{edge} {y} m {edge} {bottom} l S" for edge in edges]
    parts += [f"{x} {y - height * row} m {edges[-1]} {y - height * row} l S" for row in range(len(rows) + 1)]
    for row, cells in enumerate(rows):
        font = BOLD if row == 0 else PLAIN
        parts += [
            text(edge + 6, y - height * row - 14, cell, font=font) for edge, cell in zip(edges, cells, strict=False)
        ]
    return parts


def document(pages: list[list[str]]) -> bytes:
    """Return a PDF of A4 pages in Helvetica from one list of drawing operators per page."""
    kids = b" ".join(b"%d 0 R" % (5 + 2 * number) for number in range(len(pages)))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R/Lang(en)>>",
        b"<</Type/Pages/Kids[%s]/Count %d>>" % (kids, len(pages)),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica-Bold/Encoding/WinAnsiEncoding>>",
    ]
    for number, parts in enumerate(pages):
        content = "\n".join(parts).encode("cp1252")
        resources = b"<</Font<</F1 3 0 R/F2 4 0 R>>>>"
        objects.append(
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents %d 0 R/Resources%s>>"
            % (6 + 2 * number, resources)
        )
        objects.append(b"<</Length %d>>\nstream\n%s\nendstream" % (len(content), content))
    return assembled_pdf(*objects)


def invoice() -> bytes:
    """Return one page: a letterhead, two short paragraphs and a ruled table."""
    items = [
        ["Item", "Quantity", "Unit price", "Amount"],
        ["Rye flour, 25 kg", "12", "21.40", "256.80"],
        ["Spelt flour, 25 kg", "4", "33.90", "135.60"],
        ["Delivery", "1", "18.00", "18.00"],
        ["Total", "", "", "410.40"],
    ]
    page = [
        text(60, 770, "Invoice 2041", size=22, font=BOLD),
        *lines(
            60, 735, ["Mill on the Weir Ltd, 4 Weir Lane, Oldbridge", "Date: 3 March 2025", "Customer: Corner Bakery"]
        ),
        *lines(
            60,
            665,
            [
                "Thank you for your order. The goods were delivered on 27 February and signed for by",
                "the bakery. Please pay within thirty days and name the invoice in your transfer.",
            ],
        ),
        *ruled_table(60, 615, [200, 80, 90, 90], items),
        *lines(60, 490, ["All amounts are in euros and include tax at 7 %."]),
    ]
    return document([page])


def report() -> bytes:
    """Return two pages with running header and footer, headings of two levels, two columns and lists."""
    return document([_report_page(1, _report_first()), _report_page(2, _report_second())])


def _report_page(number: int, body: list[str]) -> list[str]:
    header = text(60, 805, "River survey - annual report", size=8)
    return [header, *body, text(290, 40, f"Page {number} of 2", size=8)]


def _report_first() -> list[str]:
    left = [
        "The survey walked all eleven reaches",
        "between the weir and the estuary in",
        "April and again in October. Water was",
        "sampled at each bridge, the banks were",
        "photographed, and the birds were",
        "counted for one hour after sunrise.",
    ]
    right = [
        "Two reaches could not be walked in",
        "October because the path was flooded.",
        "Their figures are taken from April",
        "alone and are marked in the table on",
        "the next page. All other reaches were",
        "walked by the same two observers.",
    ]
    return [
        text(60, 760, "The river in its second year", size=20, font=BOLD),
        text(60, 722, "How the survey was made", size=14, font=BOLD),
        *lines(60, 698, left),
        *lines(320, 698, right),
        text(60, 590, "What was found", size=14, font=BOLD),
        *lines(
            60,
            566,
            [
                "The water is cleaner than a year ago at every bridge but one. Three findings stand out:",
            ],
        ),
        *lines(
            72,
            544,
            [
                "1. Nitrate fell by a fifth below the new reed bed.",
                "2. Kingfishers nest on reaches four and nine.",
                "3. The weir still stops young eels in dry summers.",
            ],
            leading=16,
        ),
    ]


def _report_second() -> list[str]:
    figures = [
        ["Reach", "Nitrate, mg/l", "Birds counted", "Walked"],
        ["1", "8.1", "64", "twice"],
        ["4", "6.3", "112", "twice"],
        ["7", "7.7", "58", "April only"],
        ["9", "5.9", "131", "twice"],
    ]
    return [
        text(60, 760, "Figures", size=14, font=BOLD),
        *lines(60, 736, ["Nitrate is the mean of both walks; birds are the sum of them."]),
        *ruled_table(60, 712, [80, 110, 110, 110], figures),
        text(60, 575, "What comes next", size=14, font=BOLD),
        *lines(
            72,
            550,
            [
                "\u2022 An eel pass at the weir, to be built in spring.",
                "\u2022 A third walk each July, when the water is low.",
            ],
            leading=16,
        ),
    ]


def main() -> None:
    for name, content in (("invoice.pdf", invoice()), ("report.pdf", report())):
        (FOLDER / name).write_bytes(content)
        print(f"wrote {name}, {len(content)} bytes")


if __name__ == "__main__":
    main()
