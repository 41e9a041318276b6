"""Markdown, AsciiDoc and Org: text whose marks say what is a heading, a list or a table. Each becomes a web page."""

from __future__ import annotations

from markdown_it import MarkdownIt

from apps.pages.model.office_options import OfficeOptions
from apps.pages.office.paged_blocks import Content, PagedBlocks
from apps.pages.office.plain import text_types
from apps.pages.office.plain.decoding import decoded
from apps.pages.office.sources import Source, bytes_of
from apps.pages.office.web import html_blocks, html_file
from apps.pages.office.web.asciidoc import AsciiDoc
from apps.pages.office.web.org import OrgText


def open_file(source: Source, _password: str | None, options: OfficeOptions) -> PagedBlocks:
    content = bytes_of(source)
    media_type = text_types.type_of(content, options.suffix)
    text, warnings = decoded(content)
    title = ""
    if media_type == "text/asciidoc":
        page = AsciiDoc(text).html()
    elif media_type == "text/org":
        org = OrgText(text)
        page, title = org.html(), org.title
    else:
        markdown = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
        page = markdown.render(_without_front_matter(text))
    root = html_file.parsed(page)
    read = Content(()) if root is None else Content(*html_blocks.read(root, options))
    return PagedBlocks(media_type, [read], title=title, warnings=warnings)


def _without_front_matter(text: str) -> str:
    """Return the text with the fields that site generators keep before it as a block of code."""
    if not text.startswith("---\n"):
        return text
    end = text.find("\n---\n", 4)
    return text if end < 0 else f"```\n{text[4:end]}\n```\n{text[end + 5 :]}"
