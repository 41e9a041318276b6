"""The signature fields of a page: signed or empty, with what the file says about the signer. Nothing is verified."""

from __future__ import annotations

import re
from typing import Any

from apps.pages.model.blocks import Signature
from apps.pages.model.geometry import Box
from apps.pages.model.text.safe_text import clean
from apps.pages.pdf.forms.annotations import MAX_ANNOTATIONS, MAX_PARENTS, displayed_box, inherited
from apps.pages.pdf.text.characters import Frame

MAX_SIGNATURES, MAX_CHARACTERS = 200, 300
_HIDDEN, _NO_VIEW = 1 << 1, 1 << 5
# D:20260301120000+01'00' (PDF 32000-1, 7.9.4)
_MOMENT = re.compile(r"(?:D:)?(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(Z|[+-]\d{2}'?\d{2}|[+-]\d{2})?")


def signatures_of(document: Any, page_number: int, frame: Frame) -> list[Signature]:
    """Return the signature fields of a page, with boxes of the page as displayed; ``document`` is pikepdf's.

    The field of an invisible signature has no size; hidden fields are left out.
    """
    import pikepdf

    listed = document.pages[page_number - 1].obj.get("/Annots")
    found: list[Signature] = []
    for index in range(min(len(listed), MAX_ANNOTATIONS)) if isinstance(listed, pikepdf.Array) else ():
        try:
            widget = listed[index]
            is_hidden = int(widget.get("/F", 0)) & (_HIDDEN | _NO_VIEW)
            if str(widget.get("/Subtype", "")) != "/Widget" or str(inherited(widget, "/FT")) != "/Sig" or is_hidden:
                continue
            left, bottom, right, top = (float(edge) for edge in widget["/Rect"])
            box = displayed_box(frame, min(left, right), min(bottom, top), max(left, right), max(bottom, top))
            found.append(_signature(widget, box))
        except (AttributeError, KeyError, TypeError, ValueError, RuntimeError):
            continue  # a broken annotation: viewers show nothing for it either
        if len(found) >= MAX_SIGNATURES:
            break
    return found


def _signature(widget: Any, box: Box) -> Signature:
    value = inherited(widget, "/V")
    facts = value if hasattr(value, "get") else {}
    moment = _MOMENT.match(_text(facts.get("/M")))
    return Signature(
        is_signed=value is not None,
        box=box,
        field=_name_of(widget),
        name=_text(facts.get("/Name")),
        reason=_text(facts.get("/Reason")),
        signed_at=_moment(moment) if moment else "",
    )


def _name_of(widget: Any) -> str:
    """Return the full name of a field: the names of those above it, with dots (PDF 32000-1, 12.7.3.2)."""
    names: list[str] = []
    for _ in range(MAX_PARENTS):
        if "/T" in widget:
            names.insert(0, _text(widget["/T"]))
        if "/Parent" not in widget:
            break
        widget = widget["/Parent"]
    return ".".join(names)[:MAX_CHARACTERS]


def _moment(found: re.Match[str]) -> str:
    """Return a moment as in ISO 8601."""
    year, month, day, hour, minute, second, zone = found.groups()
    zone = (zone or "").replace("'", "")
    zone = f"{zone[:3]}:{zone[3:] or '00'}" if zone[:1] in ("+", "-") else zone
    return f"{year}-{month}-{day}T{hour}:{minute}:{second}{zone}"


def _text(value: Any) -> str:
    return "" if value is None else " ".join(clean(str(value)).split())[:MAX_CHARACTERS]
