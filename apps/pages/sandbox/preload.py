"""Import everything that a child may need, before the reader gives up its rights.

Afterwards the program's own folders may be closed to it (a service installed in a home directory), and every child
would import the modules again. So the reader reads three small files made here: a PDF, a damaged PDF that qpdf rejects
and PDFium gets, and an image.
"""

from __future__ import annotations

import contextlib
import ctypes
import encodings
import importlib
import pkgutil
import struct
import zlib
from pathlib import Path
from types import ModuleType

from apps.pages.model.errors import ParseError
from apps.pages.office import office_file, open_document_encryption

_IMPORTED_ON_DEMAND = (
    *open_document_encryption.MODULES,
    "msoffcrypto.format.doc97",
    "msoffcrypto.format.ooxml",
    "msoffcrypto.format.ppt97",
    "msoffcrypto.format.xls97",
    "xml.dom.expatbuilder",  # by msoffcrypto
    "numpy.ma",  # by numpy's median and unique
    "apps.pages.pdf.text.second_reader",
    "formualizer",
    "olefile",
    "pi_heif",
    "resvg_py",
    "python_calamine",
    "xlrd.biffh",
    "PIL.AvifImagePlugin",
    "PIL.BmpImagePlugin",
    "PIL.GifImagePlugin",
    "PIL.JpegImagePlugin",
    "PIL.ImageChops",
    "PIL.ImageOps",
    "PIL.JpegPresets",
    "PIL.PngImagePlugin",
    "PIL.PpmImagePlugin",
    "PIL.TiffImagePlugin",
    "PIL.WebPImagePlugin",
)
_OF_WINDOWS = ("mbcs", "oem")
_CONTENT = b"BT /F 12 Tf 72 720 Td (Ready) Tj ET 72 600 m 300 600 l S"


def warm_up(work: ModuleType, folder: Path) -> None:
    """Import the modules that libraries import late, and let ``work`` read the three files (created in ``folder``)."""
    # A document may name any of the encodings.
    codecs = [
        f"encodings.{one.name}" for one in pkgutil.iter_modules(encodings.__path__) if one.name not in _OF_WINDOWS
    ]
    for name in (*_IMPORTED_ON_DEMAND, *office_file.MODULES, *codecs):
        importlib.import_module(name)
    for content in (small_pdf(), b"%PDF-1.7\nnothing that could be repaired", small_png()):
        path = folder / "warm"
        path.write_bytes(content)
        # Another fault will show with the first real document, where it is reported.
        with contextlib.suppress(ParseError):
            facts = work.inspect_document(str(path), password=None, max_pages=1)
            list(work.read_pages(str(path), [1], password=None, media_type=facts.media_type))
        path.unlink()
    with contextlib.suppress(AttributeError):  # only glibc has it
        ctypes.CDLL(None).malloc_trim(0)  # imports leave much free memory, which each fork would map again


def small_pdf() -> bytes:
    """Return a PDF of one page with one word and one ruling line."""
    return assembled_pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(_CONTENT), _CONTENT),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    )


def small_png() -> bytes:
    """Return a PNG of one white pixel."""
    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\x00\xff")), (b"IEND", b""))
    body = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def assembled_pdf(*objects: bytes) -> bytes:
    """Return a PDF of these objects, numbered from 1; the first is the catalog."""
    whole, offsets = bytearray(b"%PDF-1.7\n"), []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(whole))
        whole += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    size = len(objects) + 1
    cross_references = b"xref\n0 %d\n0000000000 65535 f \n" % size
    cross_references += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return (
        bytes(whole)
        + cross_references
        + b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (size, len(whole))
    )
