"""Small office files, a web page and a mail, each with a table and a picture as far as its type has them."""

from __future__ import annotations

import base64
import io
from email.message import EmailMessage
from pathlib import Path

import docx
import xlsxwriter
from PIL import Image

ROWS = (("Cargo", "Tons"), ("Coal", "1200"))
HEADING = "Freight in May"


def office_documents(folder: Path) -> None:
    """Write freight.docx, freight.xlsx, freight.html, freight.md and freight.eml into the folder."""
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
