"""Find Tesseract's language packs on this machine. This module imports no OCR library."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

# The folders of the language packs on Debian, Fedora, Homebrew and in source builds.
FOLDERS = (
    "/usr/share/tesseract-ocr/5/tessdata",
    "/usr/share/tesseract-ocr/4.00/tessdata",
    "/usr/share/tessdata",
    "/usr/local/share/tessdata",
    "/opt/homebrew/share/tessdata",
)
_PACK_SUFFIX = ".traineddata"
# Packs for a whole script are in this folder on some systems, and beside the others on Debian.
_SCRIPT_FOLDER = "script"


def find_folder() -> Path | None:
    """Return the folder with the language packs, without a cache; None if there is none."""
    named = os.environ.get("TESSDATA_PREFIX")
    for folder in [*([named, f"{named}/tessdata"] if named else []), *FOLDERS]:
        if next(Path(folder).glob(f"*{_PACK_SUFFIX}"), None):
            return Path(folder)
    return None


def packs_in(folder: Path) -> frozenset[str]:
    found = {path.name.removesuffix(_PACK_SUFFIX) for path in folder.glob(f"*{_PACK_SUFFIX}")}
    found |= {f"{_SCRIPT_FOLDER}/{p.name.removesuffix(_PACK_SUFFIX)}" for p in (folder / _SCRIPT_FOLDER).glob("*")}
    return frozenset(found)


@cache
def pack_folder() -> Path | None:
    """Return the result of the first ``find_folder``."""
    return find_folder()


@cache
def installed_packs() -> frozenset[str]:
    folder = pack_folder()
    return frozenset() if folder is None else packs_in(folder)


def pack_of(name: str) -> str | None:
    """Return the installed pack of this name, in the main folder or in the folder of scripts; None if missing."""
    return next((pack for pack in (name, f"{_SCRIPT_FOLDER}/{name}") if pack in installed_packs()), None)


def package_of(pack: str) -> str:
    """Return the name of the Debian package with this pack."""
    kind = "script-" if pack[0].isupper() else ""
    names = {"Fraktur": "frak", "Latin": "latn", "Cyrillic": "cyrl", "Devanagari": "deva"}
    return f"tesseract-ocr-{kind}{names.get(pack, pack).lower().replace('_', '-')}"
