"""The bytes of a picture in RTF: hexadecimal digits, or bytes after ``\\bin``."""

from __future__ import annotations

import binascii
from dataclasses import dataclass, field

from apps.pages.office.rtf.tokens import RtfToken


@dataclass(slots=True)
class RtfPicture:
    """Collects what a picture has."""

    _digits: list[bytes] = field(default_factory=list)
    _raw: list[bytes] = field(default_factory=list)

    def add(self, token: RtfToken) -> None:
        (self._raw if token.word == "bin" else self._digits).append(token.content)

    @property
    def content(self) -> bytes:
        """The bytes of the image file; b"" if the digits are damaged."""
        if self._raw:
            return b"".join(self._raw)
        try:
            return binascii.unhexlify(b"".join(b"".join(self._digits).split()))
        except binascii.Error:
            return b""
