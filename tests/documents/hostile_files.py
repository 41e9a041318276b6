"""Rows 28 to 33: files that are not what their name says, are two things at once, or no document at all."""

from __future__ import annotations

import io
import random
import zipfile

from apps.pages.sandbox.preload import small_pdf, small_png
from tests.documents.hostile import Hostile, outcomes

_UNSUPPORTED = outcomes("unsupported_file_type")
_STRUCTURED = outcomes("result no_page_picture")


def zipped(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, "nothing")
    return out.getvalue()


def html_and_pdf() -> bytes:
    """Return a web page whose comment is a PDF."""
    return b"<html><script>alert(1)</script><!--\n" + small_pdf() + b"\n-->"


def random_pdf() -> bytes:
    return b"%PDF-1.7\n" + random.Random(33).randbytes(100_000)


ROWS = [
    Hostile(28, "png-named-pdf", small_png, outcomes("result")),
    Hostile(28, "pdf-named-png", small_pdf, outcomes("result"), "png"),
    Hostile(29, "junk-of-900-bytes-first", lambda: b"j" * 900 + small_pdf(), outcomes("result")),
    Hostile(29, "junk-of-2000-bytes-first", lambda: b"j" * 2000 + small_pdf(), outcomes("result")),
    Hostile(29, "junk-of-70000-bytes-first", lambda: b"j" * 70_000 + small_pdf(), _UNSUPPORTED),
    Hostile(30, "pdf-and-zip", lambda: small_pdf() + zipped("a.txt"), outcomes("result")),
    Hostile(30, "html-and-pdf", html_and_pdf, outcomes("result"), "html"),
    Hostile(31, "html", lambda: b"<!doctype html><title>x</title><script>alert(1)</script>", _STRUCTURED, "html"),
    Hostile(31, "svg", lambda: b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", _STRUCTURED, "svg"),
    Hostile(31, "postscript", lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n(/etc/passwd) (r) file", _UNSUPPORTED, "eps"),
    Hostile(31, "windows-program", lambda: b"MZ\x90\x00" + bytes(60) + b"PE\x00\x00", _UNSUPPORTED, "exe"),
    Hostile(31, "linux-program", lambda: b"\x7fELF\x02\x01\x01" + bytes(100), _UNSUPPORTED, "pdf"),
    Hostile(31, "zip", lambda: zipped("a.txt"), _UNSUPPORTED, "zip"),
    Hostile(31, "rar", lambda: b"Rar!\x1a\x07\x01\x00" + bytes(100), _UNSUPPORTED, "rar"),
    Hostile(31, "docm", lambda: zipped("[Content_Types].xml", "word/vbaProject.bin"), _UNSUPPORTED, "docm"),
    Hostile(32, "encrypted-office-file", lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000)
            + "EncryptedPackage".encode("utf-16-le"), outcomes("document_corrupt"), "docx"),
    Hostile(32, "old-word-file", lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000)
            + "WordDocument".encode("utf-16-le"), outcomes("document_corrupt"), "doc"),
    Hostile(33, "header-only", lambda: b"%PDF-1.7\n", outcomes("document_corrupt")),
    Hostile(33, "one-byte", lambda: b"\0", _UNSUPPORTED),
    Hostile(33, "random-after-the-header", random_pdf, outcomes("document_corrupt")),
]  # fmt: skip
