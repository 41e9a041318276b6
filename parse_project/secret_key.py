"""The SECRET_KEY of an installation that does not configure one."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path


def stored_secret_key(folder: Path, *, create: bool) -> str:
    """Return the key in the data folder; if there is none, create it, or return a temporary key without ``create``.

    Processes that start at the same time agree on one key.
    """
    path = folder / "secret_key"
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        if not create:
            return secrets.token_urlsafe(48)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = folder / f".secret_key.{os.getpid()}"
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(48), encoding="ascii")
        with suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
        return path.read_text(encoding="ascii").strip()
