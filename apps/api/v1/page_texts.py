"""The text and the Markdown of pages as the first API gives them: with headers, separators and replaced pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from apps.api.v1.stored_pages import StoredPage
from apps.jobs.option_groups import Presentation

PageText = Callable[[StoredPage, Presentation], str]
_NUMBER = "{page_number}"


def markdown_of(page: StoredPage, presentation: Presentation) -> str:
    """Return the Markdown of a page with its header and its footer, unless the job hides them."""
    replaced = _replacement(page, presentation)
    if replaced is not None:
        return replaced
    header, footer = page.markdown.get("header", ""), page.markdown.get("footer", "")
    return _framed(header, page.markdown["markdown"], footer, presentation)


def text_of(page: StoredPage, presentation: Presentation) -> str:
    """Return the text of a page with its header and its footer, unless the job hides them."""
    replaced = _replacement(page, presentation)
    if replaced is not None:
        return replaced
    return _framed(_margin(page, "header"), page.text, _margin(page, "footer"), presentation)


def joined(pages: Iterable[StoredPage], text_of_page: PageText, presentation: Presentation) -> Iterator[str]:
    """Yield the parts of the whole document's text: the pages, with what the job wants between and around them."""
    is_first = True
    for page in pages:
        number = str(page.number)
        if not is_first:
            yield presentation.page_separator.replace(_NUMBER, number)
        is_first = False
        yield presentation.page_prefix.replace(_NUMBER, number)
        yield text_of_page(page, presentation)
        yield presentation.page_suffix.replace(_NUMBER, number)


def error_of(page: StoredPage) -> str:
    """Return why a page failed, or why no model could parse it; "" if all went well."""
    if page.has_failed:
        return str(page.markdown["error"])
    parsing = page.parsing
    return str(parsing.get("fallback_reason") or "fallback_used") if parsing.get("fallback_used") else ""


def _replacement(page: StoredPage, presentation: Presentation) -> str | None:
    """Return the text in place of a page that failed; None if the page keeps its own.

    A page that no model could parse has its text as extracted, which is the mode ``raw_text``.
    """
    error = error_of(page)
    if not error:
        return None
    if presentation.replace_failed_page_mode == "error_message":
        before = presentation.replace_failed_page_with_error_message_prefix
        return f"{before}{error}{presentation.replace_failed_page_with_error_message_suffix}"
    if page.has_failed or presentation.replace_failed_page_mode == "blank_page":
        return ""
    return None


def _margin(page: StoredPage, kind: str) -> str:
    """Return the plain text of the header or the footer."""
    items: list[dict[str, Any]] = page.items.get("items", [])
    return "\n\n".join(inner["value"] for item in items if item["type"] == kind for inner in item["items"])


def _framed(header: str, body: str, footer: str, presentation: Presentation) -> str:
    if header and not presentation.hide_headers:
        header = f"{presentation.page_header_prefix}{header}{presentation.page_header_suffix}"
    else:
        header = ""
    if footer and not presentation.hide_footers:
        footer = f"{presentation.page_footer_prefix}{footer}{presentation.page_footer_suffix}"
    else:
        footer = ""
    return "\n\n".join(filter(None, (header, body, footer)))
