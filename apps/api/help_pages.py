"""Two small pages for people: the front page with links, and the table of error codes."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256

from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from apps.api.error_codes import CODES, llamaparse_code

_STYLE = """body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 3rem auto; padding: 0 1rem }
td, th { text-align: left; padding: .2rem 1rem .2rem 0; vertical-align: top }"""
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>{style}</style></head>
<body><h1>{title}</h1>{body}</body></html>"""
_STYLE_HASH = b64encode(sha256(_STYLE.encode()).digest()).decode()
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_LINKS = (
    ("api/docs", "API documentation, with a form to try each call"),
    ("openapi.json", "OpenAPI description"),
    ("errors", "Error codes"),
    ("admin/", "Admin: jobs, pages, projects and keys"),
    ("api/health", "Health"),
)


@require_safe
def front_page(request: HttpRequest) -> HttpResponse:
    """Show the links. They are relative, so they also work behind a path prefix."""
    items = format_html_join("", '<li><a href="{}">{}</a></li>', _LINKS)
    return _page("Leafmill", format_html("<p>Parses documents into text, Markdown and JSON.</p><ul>{}</ul>", items))


@require_safe
def error_codes(request: HttpRequest) -> HttpResponse:
    """Show the table of codes. The ``type`` of every error links to its row."""
    rows = format_html_join(
        "",
        '<tr id="{}"><td><code>{}</code></td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>',
        (
            (code, code, kind.status, kind.title, "yes" if kind.retryable else "no", llamaparse_code(code))
            for code, kind in CODES.items()
        ),
    )
    head = "<tr><th>code</th><th>HTTP</th><th>meaning</th><th>try again</th><th>error_message begins with</th></tr>"
    return _page("Error codes", format_html("<table>" + head + "{}</table>", rows))


def _page(title: str, body: str) -> HttpResponse:
    response = HttpResponse(format_html(_PAGE, title=title, style=SafeString(_STYLE), body=body))
    response["Content-Security-Policy"] = _POLICY
    return response
