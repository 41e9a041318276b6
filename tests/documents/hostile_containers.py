"""Rows 90 to 102: books, mail, vector pictures and electronic invoices that exhaust or mislead a careless reader."""

from __future__ import annotations

import io
import zipfile

from tests.documents.e_invoices import ubl_invoice
from tests.documents.hostile import Hostile, outcomes

_LAUGHS = "<!ENTITY a0 'ha'>" + "".join(f"<!ENTITY a{n} '" + f"&a{n - 1};" * 10 + "'>" for n in range(1, 9))
_DAMAGED = outcomes("document_corrupt")
_CONTAINER = "<container><rootfiles><rootfile full-path='b.opf'/></rootfiles></container>"
_PACKAGE = (
    "<package><manifest><item id='a' href='a.xhtml' media-type='application/xhtml+xml'/></manifest>"
    "<spine><itemref idref='a'/></spine></package>"
)


def book(chapter: bytes, container: str = _CONTAINER) -> bytes:
    """Return an EPUB of one chapter."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (
            ("mimetype", b"application/epub+zip"),
            ("META-INF/container.xml", container.encode()),
            ("b.opf", _PACKAGE.encode()),
            ("a.xhtml", chapter),
        ):
            archive.writestr(name, content)
    return out.getvalue()


def nested_mail(depth: int) -> bytes:
    """Return a message inside a message, and so on."""
    head = b"From: a@example.org\r\nTo: b@example.org\r\nSubject: one\r\nMIME-Version: 1.0\r\n"
    parts = b""
    for number in range(depth):
        boundary = b"b%d" % number
        parts += head + b'Content-Type: multipart/mixed; boundary="%s"\r\n\r\n--%s\r\n' % (boundary, boundary)
        parts += b"Content-Type: message/rfc822\r\n\r\n"
    return parts + head + b"\r\nThe innermost text."


def drawing(content: str, before: str = "") -> bytes:
    names = "xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink'"
    return f"{before}<svg {names} width='300' height='200'>{content}</svg>".encode()


def repeated_drawing() -> bytes:
    """Return a drawing of which each part shows the part before ten times."""
    parts = "<g id='g0'><rect width='9' height='9'/></g>"
    for number in range(1, 9):
        use = f"<use xlink:href='#g{number - 1}'/>"
        parts += f"<g id='g{number}'>{use * 10}</g>"
    return drawing(parts)


ROWS = [
    Hostile(
        90,
        "svg-billion-laughs",
        lambda: drawing("<text y='20'>&a8;</text>", f"<!DOCTYPE svg [{_LAUGHS}]>"),
        _DAMAGED,
        "svg",
    ),
    Hostile(
        90,
        "book-billion-laughs",
        lambda: book(f"<!DOCTYPE html [{_LAUGHS}]><html><p>&a8;</p></html>".encode()),
        outcomes("result no_page_picture"),
        "epub",
    ),
    Hostile(
        90,
        "book-billion-laughs-in-its-parts",
        lambda: book(b"<p>x</p>", f"<!DOCTYPE a [{_LAUGHS}]><a>&a8;</a>"),
        _DAMAGED,
        "epub",
    ),
    Hostile(
        90, "invoice-billion-laughs", lambda: ubl_invoice() + f"<!DOCTYPE a [{_LAUGHS}]>".encode(), _DAMAGED, "xml"
    ),
    Hostile(
        91,
        "svg-external-entity",
        lambda: drawing("<text y='20'>&a;</text>", "<!DOCTYPE svg [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>"),
        _DAMAGED,
        "svg",
    ),
    Hostile(
        91,
        "svg-of-another-file",
        lambda: drawing("<image href='file:///etc/passwd' width='9' height='9'/>"),
        outcomes("result"),
        "svg",
    ),
    Hostile(
        92,
        "book-that-unpacks-to-200-mb",
        lambda: book(b"<p>" + b"a" * 200_000_000),
        outcomes("archive_too_large"),
        "epub",
        is_slow=True,
    ),
    Hostile(93, "svg-that-repeats-itself", repeated_drawing, outcomes("result page_failed"), "svg"),
    Hostile(
        94,
        "book-of-300000-nested-elements",
        lambda: book(b"<html>" + b"<div>" * 300_000 + b"x"),
        outcomes("result no_page_picture too_many_elements"),
        "epub",
    ),
    Hostile(
        94,
        "svg-of-100000-nested-elements",
        lambda: drawing("<g>" * 100_000),
        outcomes("document_corrupt too_many_elements"),
        "svg",
    ),
    Hostile(
        95,
        "book-of-parts-outside",
        lambda: book(b"<p>x</p>", _CONTAINER.replace("b.opf", "../../../etc/passwd")),
        _DAMAGED,
        "epub",
    ),
    Hostile(
        102, "mail-1000-deep", lambda: nested_mail(1_000), outcomes("result no_page_picture too_many_elements"), "eml"
    ),
    Hostile(102, "mail-3-deep", lambda: nested_mail(3), outcomes("result no_page_picture"), "eml"),
]
