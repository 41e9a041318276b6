"""Load PDFium and check it.

The library is the one in the LiteParse wheel, because its ``FPDFText_GetCharInfoBatch`` returns all characters of a
page in one call. Where that library is missing or fails the self-check, the one of pypdfium2 is used, which
needs several calls for each character.
"""

from __future__ import annotations

import importlib.util
import os
from functools import cache
from pathlib import Path

from apps.pages.pdf.pdfium import Pdfium
from apps.pages.pdf.text.character_records import batch_agrees

_LIBRARIES = (("liteparse", "libpdfium.so"), ("pypdfium2_raw", "libpdfium.so"))


@cache
def pdfium() -> Pdfium:
    """Return the library of this process. Raise OSError when no PDFium can be loaded."""
    failures = []
    for package, file in _LIBRARIES:
        spec = importlib.util.find_spec(package)
        folder = next(iter(spec.submodule_search_locations or ()), None) if spec else None
        if folder is None:
            continue
        try:
            library = Pdfium(os.fspath(Path(folder) / file))
        except OSError as error:
            failures.append(str(error))
            continue
        # A batch call that disagrees with the plain ones would give wrong text without an error.
        library.has_batch = library.has_batch and batch_agrees(library)
        if library.has_batch or package == _LIBRARIES[-1][0]:
            return library
        failures.append(f"{library.path} does not pass its self-check")
    raise OSError("PDFium cannot be loaded: " + "; ".join(failures or ["neither liteparse nor pypdfium2 is installed"]))
