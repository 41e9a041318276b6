"""Web pages: one page, divided at headings where it is longer than a page may be."""

from __future__ import annotations

import re
from html import entities
from typing import NamedTuple

from lxml import etree, html

from apps.pages.model.errors import DamagedDocument, TooManyElements
from apps.pages.model.office_options import OfficeOptions
from apps.pages.office import xml_parts
from apps.pages.office.drawing.pictures import ImageOf, image_of_address
from apps.pages.office.paged_blocks import Content, PagedBlocks
from apps.pages.office.plain.decoding import decoded
from apps.pages.office.sources import Source, bytes_of
from apps.pages.office.web import html_blocks
from apps.pages.office.xml_parts import MAX_ELEMENTS, Element

MEDIA_TYPE = "text/html"
_DECLARED = re.compile(
    rb"""(?:charset|<\?xml[^>]{0,80}encoding)\s*=\s*["']?\s*([A-Za-z0-9._:-]{2,40})""", re.IGNORECASE
)
_DECLARATION = re.compile(r"\s*<\?xml[^>]*\?>")
_DOCTYPE = re.compile(r"<!DOCTYPE[^>\[]*>", re.IGNORECASE)
_NAMED = re.compile(r"&([A-Za-z][A-Za-z0-9]{1,31});")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
# What browsers take these names for.
_OTHER_NAMES = {"iso-8859-1": "cp1252", "latin1": "cp1252", "us-ascii": "cp1252", "gb2312": "gb18030", "gbk": "gb18030"}
_OTHER_NAMES |= {"shift_jis": "cp932", "ks_c_5601-1987": "cp949", "euc-kr": "cp949", "x-sjis": "cp932"}


class WebPage(NamedTuple):
    content: Content
    title: str
    warnings: tuple[str, ...]


def open_file(source: Source, _password: str | None, options: OfficeOptions) -> PagedBlocks:
    page = read(bytes_of(source), options)
    return PagedBlocks(MEDIA_TYPE, [page.content], title=page.title, warnings=page.warnings)


def read(content: bytes, options: OfficeOptions, declared: str = "") -> WebPage:
    """Return what a web page has. ``declared``: its encoding, if it was sent with it. Raise TooManyElements."""
    text, warnings = _decoded(content, declared)
    return _page(parsed(text), warnings, options)


def read_xhtml(content: bytes, options: OfficeOptions, image_of: ImageOf = image_of_address) -> WebPage:
    """Return what a chapter of a book has. Links to its other files keep their text only. Raise TooManyElements.

    ``image_of``: finds the image file of an address.
    """
    text, warnings = _decoded(content)
    root = _parsed_xhtml(text)
    for link in root.iter("a") if root is not None else ():
        if not _SCHEME.match(link.get("href", "")):
            link.attrib.pop("href", None)
    return _page(root, warnings, options, image_of)


def parsed_xhtml(content: bytes) -> Element | None:
    """Return the root of an XHTML file, its names without a namespace. Raise TooManyElements."""
    return _parsed_xhtml(_decoded(content)[0])


def _decoded(content: bytes, declared: str = "") -> tuple[str, tuple[str, ...]]:
    found = _DECLARED.search(content[:4096])
    declared = (declared or (found[1].decode() if found else "")).lower()
    if declared.startswith(("utf-16", "utf-32")):  # the bytes would be no ASCII, and it was found in them as ASCII
        declared = ""
    return decoded(content, _OTHER_NAMES.get(declared, declared))


def _page(
    root: Element | None, warnings: tuple[str, ...], options: OfficeOptions, image_of: ImageOf = image_of_address
) -> WebPage:
    if root is None:
        return WebPage(Content(()), "", warnings)
    title = next(("".join(element.itertext()) for element in root.iter("title")), "")
    base = next(root.iter("base"), None)
    base_url = (base.get("href") or "") if base is not None else ""
    blocks, codes = html_blocks.read(root, options, base_url, image_of)
    return WebPage(Content(blocks, codes), title, warnings)


def parsed(text: str) -> Element | None:
    """Return the root of a web page, None if it has no element. Raise TooManyElements."""
    if text.count("<") > 2 * MAX_ELEMENTS:
        raise TooManyElements
    text = _DECLARATION.sub("", text, count=1)
    if not text.strip():
        return None
    parser = html.HTMLParser(
        encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True, huge_tree=True, recover=True
    )
    try:
        root = html.document_fromstring(text.encode(), parser=parser)
    except etree.ParserError:
        return None
    if any("depth" in entry.message for entry in parser.error_log):  # what follows is missing
        raise TooManyElements("The elements of the page are nested too deeply. Save it again with another program.")
    return root


def _parsed_xhtml(text: str) -> Element | None:
    """Parse as XML, where ``<title/>`` is a whole element, or as a browser does if the text is not well-formed."""
    if "<!ENTITY" in text or text.count("<") > 2 * MAX_ELEMENTS:
        return parsed(text)
    source = _NAMED.sub(_character, _DOCTYPE.sub("", _DECLARATION.sub("", text, count=1), count=1))
    try:
        root = xml_parts.parsed(source.strip().encode())
    except DamagedDocument:
        return parsed(text)
    for element in root.iter("{http://www.w3.org/1999/xhtml}*"):
        element.tag = xml_parts.local_name(element)
    return root


def _character(reference: re.Match[str]) -> str:
    name = reference[1] + ";"
    return reference[0] if name in ("amp;", "lt;", "gt;", "quot;", "apos;") else entities.html5.get(name, reference[0])
