"""The errors of webhooks.

ParseError (apps/pages/model/errors.py)
  WebhookNotFound
"""

from __future__ import annotations

from apps.pages.model.errors import ParseError


class WebhookNotFound(ParseError):
    """No such webhook configuration. It may have been deleted, or the id belongs to another project."""

    code = "not_found"
