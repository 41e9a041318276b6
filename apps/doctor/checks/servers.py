"""Checks of the servers beside the database: broker, quota store, trace collector."""

from __future__ import annotations

from http import HTTPStatus
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from apps.doctor.finding import Finding, failed, first_line, ok, warning
from apps.providers.quota.store import connect
from apps.supervisor import embedded_broker, processes

ANSWER_SECONDS = 1


def broker() -> Finding:
    from celery import Celery

    name, url = "broker", reachable(settings.CELERY_BROKER_URL)
    try:
        # A Celery application of its own, because the service's application keeps its connections.
        app = Celery("doctor", broker=url, set_as_current=False)
        app.conf.broker_transport_options = import_module(settings.CELERY_APP).app.conf.broker_transport_options
        app.conf.broker_connection_timeout = ANSWER_SECONDS
        connection: Any = app.connection_for_read()
        limits = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "timeout": ANSWER_SECONDS}
        with connection.ensure_connection(**limits) as opened:
            if url.startswith("amqp"):
                facts = opened.connection.server_properties
                return ok(name, f"{facts.get('product', 'AMQP')} {facts.get('version', '')} at {address(url)}.")
            with opened.default_channel as channel:
                return _redis_finding(name, channel.client.info(), url)
    except Exception as error:  # each transport has its own errors
        return failed(name, f"{address(url)} does not answer: {first_line(error)}.", repair_broker())


def quota_store() -> Finding:
    name, url = "quota store", reachable(settings.REDIS_URL)
    import redis

    try:
        with connect(url) as client:
            return _redis_finding(name, dict(client.info()), url)
    except (redis.RedisError, OSError) as error:
        return failed(name, f"{address(url)} does not answer: {first_line(error)}.", repair_quota_store())


def _redis_finding(name: str, facts: dict[str, Any], url: str) -> Finding:
    product = str(facts.get("server_name", "redis")).capitalize()
    version = facts.get(f"{product.lower()}_version") or facts.get("redis_version", "")
    policy = facts.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        mend = "redis-cli CONFIG SET maxmemory-policy noeviction"
        return warning(name, f"{product} {version} at {address(url)} may evict work ({policy}).", mend)
    return ok(name, f"{product} {version} at {address(url)}.")


def traces() -> list[Finding]:
    """Check that the collector accepts an empty export; no finding if traces are off."""
    name, endpoint = "traces", settings.TRACES_ENDPOINT
    if not endpoint:
        return []
    import httpx

    collector = address(endpoint)
    try:
        response = httpx.post(endpoint, headers={"Content-Type": "application/x-protobuf"}, timeout=ANSWER_SECONDS)
    except httpx.HTTPError as error:
        sentence = (
            f"The collector at {collector} does not answer: {first_line(error)}. Documents are parsed without it."
        )
        return [warning(name, sentence, "start it, or check OTEL_EXPORTER_OTLP_ENDPOINT")]
    if response.status_code == HTTPStatus.NOT_FOUND:
        sentence = f"{collector} answers, but accepts no traces at {urlsplit(endpoint).path}."
        return [warning(name, sentence, "check OTEL_EXPORTER_OTLP_ENDPOINT: the URL without /v1/traces")]
    if response.is_server_error:
        return [warning(name, f"The collector at {collector} answers {response.status_code}.", "check its log")]
    return [ok(name, f"The collector at {collector} answers.")]


def reachable(url: str) -> str:
    """Return the URL where the bundled server listens: its socket is elsewhere if the data folder's path is long."""
    folder = Path(settings.DATA_DIR)
    return embedded_broker.listening_url(folder) if url == embedded_broker.configured_url(folder) else str(url)


def address(url: str) -> str:
    """Return the server's address without the password."""
    parts = urlsplit(url)
    if "socket" in parts.scheme:
        return parts.path
    return f"{parts.hostname or 'localhost'}{f':{parts.port}' if parts.port else ''}"


def repair_broker() -> str:
    return _repair("CELERY_BROKER_URL")


def repair_quota_store() -> str:
    return _repair("REDIS_URL")


def _repair(variable: str) -> str:
    url, folder = reachable(getattr(settings, variable)), Path(settings.DATA_DIR)
    if url != embedded_broker.listening_url(folder):
        return f"check the log of the server at {address(url)} and restart it, or check {variable}"
    if not processes.processes_of(str(folder)):
        return "make run"
    return f"tail {folder / 'logs' / 'valkey.log'}; then stop make run (Ctrl-C) and start it again"
