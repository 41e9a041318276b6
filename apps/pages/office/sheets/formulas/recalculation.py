"""Compute the formulas of a workbook anew, with formualizer, inside the sandboxed child."""

from __future__ import annotations

import io

from apps.pages.model.errors import DocumentError
from apps.pages.office.archive import Archive


def recalculated(archive: Archive, content: bytes) -> tuple[Archive, bool]:
    """Return the workbook with computed values, and whether they could be computed.

    ``archive``: the same file, which is tried against the limits first, because the library has none. Values from other
    workbooks are those that the file has; nothing is fetched.
    """
    import formualizer

    for name in archive.names():
        archive.read(name)
    try:
        result = formualizer.recalculate_xlsx_bytes(content, external_links="cached")
        # A function that the library lacks would replace the value that the file has by an error.
        is_computed = not result["summary"]["unknown_functions"]
        return (Archive(io.BytesIO(result["bytes"])), True) if is_computed else (archive, False)
    except (RuntimeError, ValueError, TypeError, OSError, KeyError, DocumentError):
        return archive, False
