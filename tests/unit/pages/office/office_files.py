"""Build small office files part by part, and read documents as the sandboxed child does."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from msoffcrypto.format.ooxml import OOXMLFile

from apps.pages.model.blocks import Page
from apps.pages.model.document_facts import DocumentFacts
from apps.pages.model.office_options import OfficeOptions
from apps.pages.output.render import RenderOptions, page_markdown
from apps.pages.reading.page_reading import inspect_document, read_pages

OPEN_XML = "application/vnd.openxmlformats-officedocument."
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
NAMES = (
    'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
    'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" '
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    'xmlns:c="http://schemas.openxmlformats.org/drawingml/2006/chart" '
    'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
    'xmlns:p14="http://schemas.microsoft.com/office/powerpoint/2010/main" '
    f'xmlns:r="{RELATIONS}"'
)
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006"
WORD_NAMES = (
    'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" '
    f'xmlns:r="{OFFICE}/relationships" xmlns:m="{OFFICE}/math" xmlns:v="urn:schemas-microsoft-com:vml" '
    'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
    'xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing" '
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
)
WORD_TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Override PartName="/word/document.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>'
)


def open_xml(path: Path, kind: str, main: str, parts: dict[str, str], links: dict[str, dict[str, str]]) -> Path:
    """Write an Open XML file. ``links``: the relationships of parts, each id with "kind target" or "kind !address"."""
    types = f'<Types><Override PartName="/{main}" ContentType="{OPEN_XML}{kind}.main+xml"/></Types>'
    links = {"": {"rId1": f"officeDocument {main}"}, **links}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", types)
        for name, content in parts.items():
            archive.writestr(name, content)
        for name, entries in links.items():
            folder, _, base = name.rpartition("/")
            found = "".join(
                f'<Relationship Id="{key}" Type="{RELATIONS}/{entry.split()[0]}" '
                f'Target="{entry.split()[1].lstrip("!") if "!" in entry else "/" + entry.split()[1]}" '
                f'TargetMode="{"External" if "!" in entry else "Internal"}"/>'
                for key, entry in entries.items()
            )
            archive.writestr(f"{folder}/_rels/{base}.rels".lstrip("/"), f"<Relationships>{found}</Relationships>")
    return path


def read(path: Path, **options: object) -> tuple[DocumentFacts, list[Page]]:
    office = OfficeOptions(**{"suffix": path.suffix, **options})  # type: ignore[arg-type]
    facts = inspect_document(str(path), max_pages=10_000, office=office)
    results = read_pages(str(path), range(1, facts.page_count + 1), media_type=facts.media_type, office=office)
    pages = list(results)
    assert all(isinstance(page, Page) for page in pages), pages
    return facts, [page for page in pages if isinstance(page, Page)]


def markdown(page: Page) -> str:
    """Return the page as Markdown with pipe tables and without the blanks in them."""
    options = RenderOptions(table_format="pipe", compact_tables=True, links=True)
    return page_markdown(page.blocks, options).replace("---", "-")


def relationships(*targets: tuple[str, str, str], is_external: bool = False) -> str:
    mode = ' TargetMode="External"' if is_external else ""
    return "".join(
        f'<Relationship Id="{identity}" Type="{OFFICE}/relationships/{kind}" Target="{target}"{mode}/>'
        for identity, kind, target in targets
    )


def docx(path: Path, body: str, link: str = "https://example.org/", **parts: str) -> Path:
    """Write a docx. ``parts``: the inside of its other parts, by their kinds."""
    roots = relationships(("r1", "officeDocument", "word/document.xml"))
    links = relationships(*((kind, kind, f"{kind}.xml") for kind in parts))
    links += relationships(("link", "hyperlink", link), is_external=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", WORD_TYPES)
        archive.writestr("_rels/.rels", f"<Relationships>{roots}</Relationships>")
        archive.writestr("word/_rels/document.xml.rels", f"<Relationships>{links}</Relationships>")
        archive.writestr("word/document.xml", f"<w:document {WORD_NAMES}><w:body>{body}</w:body></w:document>")
        for kind, content in parts.items():
            archive.writestr(f"word/{kind}.xml", f"<w:{kind} {WORD_NAMES}>{content}</w:{kind}>")
    return path


def p(text: str, properties: str = "") -> str:
    return f"<w:p><w:pPr>{properties}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


def encrypted(body: str, path: Path) -> bytes:
    """Return a document whose password is "right". ``path``: where to write it first."""
    content = io.BytesIO()
    with docx(path, body).open("rb") as plain:
        OOXMLFile(plain).encrypt("right", content)
    return content.getvalue()
