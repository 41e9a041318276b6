"""Which elements of a web page a person sees."""

from __future__ import annotations

import re

from apps.pages.model.office_options import OfficeOptions
from apps.pages.office.xml_parts import Element

_NEVER_TEXT_NAMES = (
    "script style template noscript meta link title iframe object embed canvas audio video map datalist noframes param "
    "source track col colgroup rp"
)
_NEVER_TEXT = frozenset(_NEVER_TEXT_NAMES.split())
_HIDDEN = re.compile(r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse))\b", re.IGNORECASE)
_FIXED = re.compile(r"(?:^|;)\s*position\s*:\s*(?:fixed|sticky)\b", re.IGNORECASE)
_NAVIGATION_TAGS = frozenset(("nav", "aside", "menu"))
_NAVIGATION_ROLES = frozenset(("navigation", "complementary", "menu", "menubar"))


def is_read(element: Element, name: str, options: OfficeOptions) -> bool:
    """Return whether an element (``name``: its tag in lower case) and what is inside of it are part of the text."""
    if name in _NEVER_TEXT:
        return False
    style = element.get("style") or ""
    if not options.all_elements_visible and (
        element.get("hidden") is not None or (style and _HIDDEN.search(style)) or _is_unseen_input(element, name)
    ):
        return False
    if options.no_fixed_elements and style and _FIXED.search(style):
        return False
    is_navigation = name in _NAVIGATION_TAGS or (element.get("role") or "").lower() in _NAVIGATION_ROLES
    return not (options.no_navigation and is_navigation)


def _is_unseen_input(element: Element, name: str) -> bool:
    return name == "input" and (element.get("type") or "").lower() in ("hidden", "password", "file", "image")
