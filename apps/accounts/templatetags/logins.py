"""Tags of the login page."""

from __future__ import annotations

from django import template

from apps.accounts.logins import oidc_provider_name

register = template.Library()
register.simple_tag(oidc_provider_name)
