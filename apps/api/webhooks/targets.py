"""The webhooks that a request names, checked."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence

from apps.accounts.models import Project
from apps.core.outbound.addresses import UrlNotAllowed
from apps.jobs.errors import InvalidOption
from apps.jobs.option_groups import WebhookConfiguration
from apps.jobs.options import JobOptions
from apps.webhooks import services as webhooks
from apps.webhooks.events import EVENTS
from apps.webhooks.models import OutputFormat
from apps.webhooks.services import WebhookTarget
from apps.webhooks.signatures import STANDARD_PREFIX

MAX_HEADERS = 20
MAX_HEADER_CHARS = 2000
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_VALUE = re.compile(r"[\x20-\x7e\xa0-\xff]*")
# Those that belong to the connection, and those that the service sets itself.
_RESERVED = frozenset(
    {
        *("host", "content-length", "content-type", "transfer-encoding", "connection", "expect", "upgrade", "te"),
        *("trailer", "keep-alive", "proxy-authorization", "proxy-connection", "accept-encoding", "user-agent"),
        *("lc-signature", "webhook-id", "webhook-timestamp", "webhook-signature"),
        *("x-webhook-event-id", "x-webhook-event-type"),
    }
)
Location = tuple[str | int, ...]


def requested_targets(project: Project, options: JobOptions) -> tuple[WebhookTarget, ...]:
    """Return the webhooks of a request for a job, the saved ones included.

    Raise InvalidOption, UrlNotAllowed or WebhookNotFound.
    """
    own = [
        checked_target(configuration, ("body", "webhook_configurations", index))
        for index, configuration in enumerate(options.webhook_configurations or ())
    ]
    saved = webhooks.targets_of_endpoints(project=project, endpoint_ids=options.webhook_configuration_ids or ())
    return (*own, *saved)


def checked_target(configuration: WebhookConfiguration, where: Location) -> WebhookTarget:
    """Return the webhook. Raise InvalidOption or UrlNotAllowed."""
    if not configuration.webhook_url:
        raise InvalidOption("A webhook needs a URL. Send webhook_url.", location=(*where, "webhook_url"))
    try:
        webhooks.check_target(configuration.webhook_url)
    except UrlNotAllowed as error:
        path = ".".join(str(each) for each in (*where[1:], "webhook_url"))
        raise UrlNotAllowed(f"{path}: {error.detail}") from None
    events = configuration.webhook_events or ()
    for index, event in enumerate(events):
        if event not in EVENTS:
            detail = f"This event does not exist. Send some of: {', '.join(EVENTS)}."
            raise InvalidOption(detail, location=(*where, "webhook_events", index), value=event)
    _check_secret(configuration.webhook_signing_secret or "", (*where, "webhook_signing_secret"))
    _check_headers(configuration.webhook_headers or {}, (*where, "webhook_headers"))
    return WebhookTarget(
        configuration.webhook_url,
        tuple(dict.fromkeys(events)),
        dict(configuration.webhook_headers or {}),
        configuration.webhook_signing_secret or "",
        configuration.webhook_output_format or OutputFormat.STRING,
        bool(configuration.webhook_sends_result),
    )


def _check_secret(secret: str, where: Location) -> None:
    """Raise InvalidOption for a secret in the form of Standard Webhooks whose key cannot be read."""
    if not secret.startswith(STANDARD_PREFIX):
        return
    try:
        base64.b64decode(secret.removeprefix(STANDARD_PREFIX), validate=True)
    except binascii.Error:
        detail = (
            f"The text after {STANDARD_PREFIX} is not base64. Send the key in base64, or a secret without the prefix."
        )
        raise InvalidOption(detail, location=where) from None


def _check_headers(headers: Mapping[str, str], where: Location) -> None:
    names: Sequence[str] = [name.lower() for name in headers]
    if len(names) > MAX_HEADERS or len(set(names)) < len(names):
        raise InvalidOption(f"Send at most {MAX_HEADERS} headers, each name once.", location=where)
    for name, value in headers.items():
        if not _NAME.fullmatch(name) or len(value) > MAX_HEADER_CHARS or not _VALUE.fullmatch(value):
            raise InvalidOption("A header has a name or a value that HTTP does not allow.", location=where)
        if name.lower() in _RESERVED:
            detail = f"The header {name.lower()} is set by the service. Send another name."
            raise InvalidOption(detail, location=where)
