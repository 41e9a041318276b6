"""Text for XML, which cannot have every character."""

from __future__ import annotations

import re

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml_text(text: str) -> str:
    """Return the text without characters that XML 1.0 forbids. Markup is not escaped."""
    return _NOT_IN_XML.sub("", text)
