"""Template tags for all admin pages."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe

from apps.jobs import queries

register = template.Library()


@register.filter
def breakable(name: str) -> str:
    """Allow line breaks after underscores in the name."""
    return format_html_join(mark_safe("_<wbr>"), "{}", ((part,) for part in name.split("_")))


@register.simple_tag(takes_context=True)
def paused_things(context: dict[str, Any]) -> str:
    """Return a line for each paused queue, for users who are logged in."""
    if not context.get("has_permission"):
        return ""
    lines = (
        (
            "The intake of new jobs is paused" if pause.name == "intake" else f"The queue {pause.name} is paused",
            pause.since.strftime("%Y-%m-%d %H:%M UTC"),
            pause.by,
            f": {pause.reason}" if pause.reason else "",
        )
        for pause in queries.pauses()
    )
    return format_html_join("", '<p class="lm-paused"><strong>{}</strong> since {}, by {}{}</p>', lines)
