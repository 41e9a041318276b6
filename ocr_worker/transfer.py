"""Fetch page images and deliver OCR results, over signed links or through a shared folder."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from pathlib import Path

from ocr_worker.errors import AnswerRefused, ImageGone

MAX_IMAGE_BYTES = 64 << 20
_SECONDS = 30.0


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """Follow no redirect: a signed link names the only address to contact."""


_opener = urllib.request.build_opener(_NoRedirect)


def fetch(address: str) -> bytes:
    """Return the page image at this address. Raise ImageGone if it is missing or too large."""
    try:
        if not _is_link(address):
            return Path(address).read_bytes()
        with _opener.open(address, timeout=_SECONDS) as answer:
            raw = bytes(answer.read(MAX_IMAGE_BYTES + 1))
    except OSError as error:  # includes urllib's errors
        raise ImageGone from error
    if len(raw) > MAX_IMAGE_BYTES:
        raise ImageGone
    return raw


def deliver(address: str, answer: bytes) -> None:
    """Store the result at this address, completely or not at all. Raise AnswerRefused if that fails."""
    try:
        if _is_link(address):
            request = urllib.request.Request(address, data=answer, method="PUT")  # noqa: S310 (the scheme is checked)
            with _opener.open(request, timeout=_SECONDS):
                return
        path = Path(address)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            out.write(answer)
        draft.rename(path)
    except OSError as error:
        raise AnswerRefused from error


def _is_link(address: str) -> bool:
    return address.startswith(("http://", "https://"))
