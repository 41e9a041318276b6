"""A child finds every module imported: its own imports would be slow, and fail where it may not open the program."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from apps.pages.sandbox.preload import assembled_pdf
from tests.documents import hidden, hostile
from tests.documents.long import long_document
from tests.documents.scans import scanned_pdf
from tests.unit.pages.office import encrypted_open_documents
from tests.unit.pages.office.office_files import encrypted, p
from tests.unit.pages.office.test_odt import odt

ROOT = Path(__file__).resolve().parents[4]
READ = """
import sys
from pathlib import Path
from apps.pages.reading import page_reading
from apps.pages.sandbox import preload

folder, *documents = map(Path, sys.argv[1:])
preload.warm_up(page_reading, folder)
known = set(sys.modules)
for document in documents:
    facts = page_reading.inspect_document(str(document), password="right", max_pages=100)
    pages, kind = range(1, facts.page_count + 1), facts.media_type
    list(page_reading.read_pages(str(document), pages, password="right", media_type=kind, hidden_text="remove"))
print(*sorted(set(sys.modules) - known))
"""


def test_reading_imports_nothing_more(tmp_path: Path) -> None:
    documents = {
        "long": long_document(3),
        "hidden": hidden.pdf_with_hidden_text(),
        "scan": scanned_pdf(),
        "unmapped": hostile.unspeakable_text(),
        "symbols": assembled_pdf(
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
            b"<</Length 38>>stream\nBT /F 12 Tf 72 720 Td (abc def) Tj ET  \nendstream",
            b"<</Type/Font/Subtype/Type1/BaseFont/Symbol>>",
        ),
        "encoded": "<!doctype html><meta charset=iso-8859-6><p>\u0646\u0635</p>".encode("iso-8859-6"),
        "encrypted": encrypted("".join(p(str(number * 7919)) for number in range(3_000)), tmp_path / "plain"),
    }
    for name, content in documents.items():
        (tmp_path / name).write_bytes(content)
    letter = odt(tmp_path / "letter", "<text:p>Dear Ann</text:p>")
    for way in ("blowfish", "aes256-gcm"):
        encrypted_open_documents.encrypted(tmp_path / way, letter, "right", way)
    paths = [str(tmp_path), *(str(tmp_path / name) for name in (*documents, "blowfish", "aes256-gcm"))]

    found = subprocess.run([sys.executable, "-c", READ, *paths], cwd=ROOT, capture_output=True, text=True, check=True)

    assert found.stdout.split() == []
