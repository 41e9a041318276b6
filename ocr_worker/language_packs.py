"""Tesseract's language packs on this machine. Imports nothing heavy."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

# Where Debian, Fedora, Homebrew and source builds keep the language packs.
FOLDERS = (
    "/usr/share/tesseract-ocr/5/tessdata",
    "/usr/share/tesseract-ocr/4.00/tessdata",
    "/usr/share/tessdata",
    "/usr/local/share/tessdata",
    "/opt/homebrew/share/tessdata",
)
_PACK_SUFFIX = ".traineddata"
# Scripts' own packs lie in a folder on some systems and beside the others on Debian.
_SCRIPT_FOLDER = "script"


def find_folder() -> Path | None:
    """The folder with the language packs as they are now; None where Tesseract is not set up."""
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
    """``find_folder``, looked for once."""
    return find_folder()


@cache
def installed_packs() -> frozenset[str]:
    folder = pack_folder()
    return frozenset() if folder is None else packs_in(folder)


def pack_of(name: str) -> str | None:
    """The installed pack of this name; a script's own pack may stand in for a language's that is missing."""
    return next((pack for pack in (name, f"{_SCRIPT_FOLDER}/{name}") if pack in installed_packs()), None)


def package_of(pack: str) -> str:
    """Debian's package with this pack."""
    kind = "script-" if pack[0].isupper() else ""
    names = {"Fraktur": "frak", "Latin": "latn", "Cyrillic": "cyrl", "Devanagari": "deva"}
    return f"tesseract-ocr-{kind}{names.get(pack, pack).lower().replace('_', '-')}"
