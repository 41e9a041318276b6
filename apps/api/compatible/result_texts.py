"""The whole text of a result in memory, for APIs that return it in one JSON object."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html import escape
from typing import Any

from markdown_it import MarkdownIt

from apps.api.request_errors import NotFound
from apps.api.v1.stored_pages import StoredPage, stored_pages
from apps.jobs import queries
from apps.jobs.models import ParseJob

Item = dict[str, Any]
# Texts of documents contain no other HTML: the rest is escaped in their Markdown.
_ALLOWED_TAG = re.compile(r"&lt;(/?(?:sup|sub|u))&gt;")
_markdown = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


def whole_text(job: ParseJob, name: str) -> str:
    """Return ``markdown.md`` or ``text.txt`` of the result. Raise NotFound while there is none."""
    source = queries.open_result(job, name)
    if source is None:
        raise NotFound("The job has no result. Check its status, or send the document again.")
    with source:
        return source.read().decode()


def pages_of(job: ParseJob) -> list[StoredPage]:
    """Return the pages of the result. Raise NotFound while there is none."""
    pages = stored_pages(job)
    if pages is None:
        raise NotFound("The job has no result. Check its status, or send the document again.")
    return list(pages)


def plain_text(item: Item) -> str:
    """Return the text of an item without markup; the rows of a table are lines."""
    if "items" in item:
        return "\n".join(filter(None, map(plain_text, item["items"])))
    if item["type"] == "table":
        return "\n".join(" ".join(filter(None, row)) for row in item["rows"])
    return str(item.get("value", item.get("text", item.get("caption"))) or "")


def html_document(name: str, pages: Iterable[StoredPage]) -> str:
    """Return the result as an HTML document."""
    parts = "\n".join(part for page in pages for part in _html_page(page))
    return (
        f'<!DOCTYPE html>\n<html>\n<head>\n<meta charset="utf-8">\n<title>{escape(name)}</title>\n</head>\n'
        f"<body>\n{parts}\n</body>\n</html>\n"
    )


def _html_page(page: StoredPage) -> Iterator[str]:
    for item in page.items.get("items", ()):
        if item["type"] == "table":
            yield item["html"]
        elif item["type"] in ("header", "footer"):
            yield f"<{item['type']}>{_rendered(item['md'])}</{item['type']}>"
        else:
            yield _rendered(item["md"])


def _rendered(markdown: str) -> str:
    return _ALLOWED_TAG.sub(r"<\1>", _markdown.render(markdown)).strip()
