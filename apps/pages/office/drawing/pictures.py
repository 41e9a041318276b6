"""The alternative text of pictures."""

from __future__ import annotations

import re

from apps.pages.model.text.safe_text import clean

# Programs put a counted name or the name of the file where an author wrote nothing.
_SAYS_NOTHING = re.compile(
    r"(?:picture|image|grafik|bild|immagine|imagen|afbeelding|图片|図) ?\d*"
    r"|[^\s/\\]+\.(?:png|jpe?g|gif|bmp|tiff?|emf|wmf|svg)",
    re.IGNORECASE,
)


def alternative_text(text: str) -> str:
    """Return what an alternative text says of a picture; "" if it is only a name."""
    text = " ".join(clean(text).split())
    return "" if _SAYS_NOTHING.fullmatch(text) else text
