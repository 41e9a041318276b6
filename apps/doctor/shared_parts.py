"""The doctor's checks of what all processes share: database, broker, quota store, workers, storage, clocks."""

from __future__ import annotations

import os
import secrets
import shlex
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import DatabaseError, OperationalError, connection
from django.db.migrations.executor import MigrationExecutor

from apps.core import logs
from apps.doctor.finding import Finding, failed, manage, not_checked, ok, python, warning
from apps.documents import storage
from apps.jobs import queries, workflow
from apps.jobs.queries import WorkersOfQueue
from apps.jobs.scheduling.workers import ocr_queue
from apps.providers.models import Deployment
from apps.providers.quota.store import connect
from apps.supervisor import embedded_broker, processes

ANSWER_SECONDS = 1
SKEW_WARNING_SECONDS, SKEW_FAILED_SECONDS = 2.0, 30.0
RETENTION_WARNING_SECONDS = 24 * 3600.0
MAX_LISTED_MIGRATIONS = 3
START = "make run"
SET_CLOCK = "sudo timedatectl set-ntp true"
ELSEWHERE = "Where yours runs with LEAFMILL_DATA=..., set it here too."
NO_DATABASE = "The database does not answer."


# --- database ---


def database() -> Finding:
    name = "database"
    missing = _missing_sqlite_file()
    if missing is not None:
        sentence = f"There is no service in {missing.parent}. {ELSEWHERE}"
        return failed(name, sentence, f"export LEAFMILL_DATA=..., or begin one there: {START}")
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT sqlite_version()" if connection.vendor == "sqlite" else "SHOW server_version")
            version = cursor.fetchone()[0]
    except DatabaseError as error:
        return failed(name, f"{_where_database()} does not answer: {_first_line(error)}.", _mend_database())
    return ok(name, f"{'SQLite' if connection.vendor == 'sqlite' else 'PostgreSQL'} {version} at {_where_database()}.")


def migrations() -> Finding:
    name = "migrations"
    try:
        refuse_missing_database()
        executor = MigrationExecutor(connection)
        missing = [migration for migration, _ in executor.migration_plan(executor.loader.graph.leaf_nodes())]
    except DatabaseError:
        return not_checked(name, NO_DATABASE)
    if not missing:
        return ok(name, "All are applied.")
    named = ", ".join(f"{each.app_label}.{each.name}" for each in missing[:MAX_LISTED_MIGRATIONS])
    more = f" and {len(missing) - MAX_LISTED_MIGRATIONS} more" if len(missing) > MAX_LISTED_MIGRATIONS else ""
    return failed(name, f"Not applied: {named}{more}.", manage("migrate"))


def _missing_sqlite_file() -> Path | None:
    """Return the path of an SQLite database that does not exist. A query would create it."""
    path = Path(str(connection.settings_dict["NAME"]))
    return path if connection.vendor == "sqlite" and not path.exists() else None


def refuse_missing_database() -> None:
    """Raise DatabaseError if a query would create an empty SQLite database."""
    if _missing_sqlite_file() is not None:
        raise OperationalError("There is no database yet.")


def _mend_database() -> str:
    if connection.vendor == "sqlite":
        return f"ls -l {_where_database()}"
    return f"start PostgreSQL at {_where_database()}, or check DATABASE_URL"


def _where_database() -> str:
    where = connection.settings_dict
    if connection.vendor == "sqlite":
        return str(where["NAME"])
    port = f":{where['PORT']}" if where["PORT"] else ""
    return f"{where['HOST'] or 'the local socket'}{port}/{where['NAME']}"


# --- broker and quota store ---


def broker() -> Finding:
    name, url = "broker", _reachable(settings.CELERY_BROKER_URL)
    try:
        with _broker_connection(url) as opened:
            if url.startswith("amqp"):
                facts = opened.connection.server_properties
                return ok(name, f"{facts.get('product', 'AMQP')} {facts.get('version', '')} at {_address(url)}.")
            with opened.default_channel as channel:
                return _redis_finding(name, channel.client.info(), url)
    except Exception as error:  # each transport has errors of its own
        return failed(name, f"{_address(url)} does not answer: {_first_line(error)}.", _mend_store("CELERY_BROKER_URL"))


def quota_store() -> Finding:
    name, url = "quota store", _reachable(settings.REDIS_URL)
    import redis

    try:
        with connect(url) as client:
            return _redis_finding(name, dict(client.info()), url)
    except (redis.RedisError, OSError) as error:
        return failed(name, f"{_address(url)} does not answer: {_first_line(error)}.", _mend_store("REDIS_URL"))


def _redis_finding(name: str, facts: dict[str, Any], url: str) -> Finding:
    product = str(facts.get("server_name", "redis")).capitalize()
    version = facts.get(f"{product.lower()}_version") or facts.get("redis_version", "")
    policy = facts.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        mend = "redis-cli CONFIG SET maxmemory-policy noeviction"
        return warning(name, f"{product} {version} at {_address(url)} may forget work ({policy}).", mend)
    return ok(name, f"{product} {version} at {_address(url)}.")


def _broker_connection(url: str) -> Any:
    """Return an open connection, or raise the transport's error within about a second.

    It uses its own Celery application, because the service's application keeps its connections.
    """
    from celery import Celery

    configured = import_module(settings.CELERY_APP).app.conf
    app = Celery("doctor", broker=url, set_as_current=False)
    app.conf.broker_transport_options = configured.broker_transport_options
    app.conf.broker_connection_timeout = ANSWER_SECONDS
    return app.connection_for_read().ensure_connection(
        max_retries=1, interval_start=0, interval_step=0, timeout=ANSWER_SECONDS
    )


def _reachable(url: str) -> str:
    """Return where the bundled server listens: its socket is elsewhere when the data folder's path is long."""
    return _bundled() if url == f"redis+socket://{settings.DATA_DIR}/valkey.sock" else str(url)


def _bundled() -> str:
    return f"redis+socket://{embedded_broker.socket_path(Path(settings.DATA_DIR))}"


def _address(url: str) -> str:
    """Return the server's address without the password."""
    parts = urlsplit(url)
    if "socket" in parts.scheme:
        return parts.path
    return f"{parts.hostname or 'localhost'}{f':{parts.port}' if parts.port else ''}"


def _mend_store(variable: str) -> str:
    """``variable`` names the server: CELERY_BROKER_URL or REDIS_URL."""
    url = _reachable(getattr(settings, variable))
    if url != _bundled():
        return f"look at the log of the server at {_address(url)} and start it again, or check {variable}"
    folder = Path(settings.DATA_DIR)
    if not processes.processes_of(str(folder)):
        return START
    return f"tail {folder / 'logs' / 'valkey.log'}; then stop make run (Ctrl-C) and start it again"


# --- workers ---


def workers() -> list[Finding]:
    """Check that every queue has a live worker, by the heartbeats in the database."""
    own = [name for name in settings.QUEUES if name not in workflow.OCR_QUEUES]
    try:
        refuse_missing_database()
        there, served = queries.live_workers(), _served_parsers()
        asked = ocr_queue()
    except DatabaseError:
        return [not_checked(name, NO_DATABASE) for name in [*map(_worker_of, own), _WORKER_FOR_OCR]]
    return [_worker(name, there, served) for name in own] + [_ocr_worker(asked, there)]


def _served_parsers() -> set[str]:
    rows = Deployment.objects.values_list("serves_llm", "serves_lvm", "serves_agent")
    return {name for row in rows for name, serves in zip(("llm", "lvm", "agent"), row, strict=True) if serves}


_WORKER_FOR_OCR = "worker for OCR"
_UNHEARD = f"was heard of in the last {queries.WORKER_TIMEOUT.total_seconds():.0f} s"


def _worker_of(queue: str) -> str:
    return f"worker of {queue}"


def _worker(queue: str, there: Mapping[str, WorkersOfQueue], served: Collection[str]) -> Finding:
    name = _worker_of(queue)
    if queue in there:
        return ok(name, _taken_by(there[queue]))
    if settings.QUEUES[queue].page_parser and queue not in served:
        return ok(name, "None is there and none is needed: no deployment serves it.")
    return failed(name, f"No worker of it {_UNHEARD}: its work waits.", manage(f"work {queue}"))


def _ocr_worker(asked: str, there: Mapping[str, WorkersOfQueue]) -> Finding:
    if asked in there:
        return ok(_WORKER_FOR_OCR, f"{asked}: {_taken_by(there[asked])}")
    sentence = f"No worker of {asked} {_UNHEARD}: scanned pages wait."
    return failed(_WORKER_FOR_OCR, sentence, _start_ocr(asked))


def _start_ocr(queue: str) -> str:
    """Return the command that starts an OCR worker. The broker's address is shown without its password."""
    url = logs.without_secrets(_reachable(settings.CELERY_BROKER_URL))
    hidden = f"   ({logs.HIDDEN} is the password)" if logs.HIDDEN in url else ""
    return f"CELERY_BROKER_URL={shlex.quote(url)} {python()} -m ocr_worker {queue}{hidden}"


def _taken_by(found: WorkersOfQueue) -> str:
    workers = "1 worker takes" if found.workers == 1 else f"{found.workers} workers take"
    return f"{workers} from it, {found.width} at once."


# --- storage and clocks ---


def file_storage() -> Finding:
    """Write, read and delete a small file."""
    name, where = "storage", _where_storage()
    key, content = storage.probe(secrets.token_hex(8)), os.urandom(64)
    try:
        if not _folder_is_there():
            return not_checked(name, f"{where} is not there yet; the first document makes it.")
        storage.write(key, content)
        try:
            same = storage.read(key) == content
        finally:
            storage.delete(key)
    except Exception as error:  # each kind of storage has errors of its own
        told = getattr(error, "strerror", None) or _first_line(error)
        return failed(name, f"{where} cannot be used: {told}.", f"make it writable: {where}, or check STORAGE_URL")
    if not same:
        return failed(name, f"{where} gives back other bytes than were written.", "check STORAGE_URL")
    return ok(name, f"{where}: written, read, removed.")


def retention() -> Finding:
    """Check that housekeeping removes jobs and files in time."""
    name = "retention"
    try:
        refuse_missing_database()
        seconds = queries.overdue_seconds()
    except DatabaseError:
        return not_checked(name, NO_DATABASE)
    if seconds > RETENTION_WARNING_SECONDS:
        days = f"{seconds / 86400:,.1f} days"
        return warning(
            name, f"Jobs or files whose time is over have been there for {days}.", "python manage.py cleanup"
        )
    return ok(name, "What is over is removed in time.")


def paused() -> Finding | list[Finding]:
    """Report paused queues: their work waits although the workers are healthy."""
    name = "paused"
    try:
        refuse_missing_database()
        found = [warning(name, f"{pause.describe()}.", manage(f"resume {pause.name}")) for pause in queries.pauses()]
    except DatabaseError:
        return not_checked(name, NO_DATABASE)
    return found or ok(name, "Nothing is.")


def traces() -> list[Finding]:
    """Check that the collector accepts an empty export; no finding if traces are off."""
    name, endpoint = "traces", settings.TRACES_ENDPOINT
    if not endpoint:
        return []
    import httpx

    shown = _address(endpoint)
    try:
        answer = httpx.post(endpoint, headers={"Content-Type": "application/x-protobuf"}, timeout=ANSWER_SECONDS)
    except httpx.HTTPError as error:
        told = f"The collector at {shown} does not answer: {_first_line(error)}. Documents are parsed without it."
        return [warning(name, told, "start it, or check OTEL_EXPORTER_OTLP_ENDPOINT")]
    if answer.status_code == HTTPStatus.NOT_FOUND:
        told = f"{shown} answers, but takes no traces under {urlsplit(endpoint).path}."
        return [warning(name, told, "check OTEL_EXPORTER_OTLP_ENDPOINT: the address before /v1/traces")]
    if answer.is_server_error:
        return [warning(name, f"The collector at {shown} answers {answer.status_code}.", "look at its log")]
    return [ok(name, f"The collector at {shown} answers.")]


def _where_storage() -> str:
    options = storage_options()
    return str(options.get("bucket_name") or options.get("location") or "storage")


def _folder_is_there() -> bool:
    """Return whether storage can be written without creating its folder; a bucket needs none."""
    options = storage_options()
    return "bucket_name" in options or "location" not in options or Path(options["location"]).exists()


def storage_options() -> dict[str, Any]:
    """``location`` of a folder, ``bucket_name`` and more of an object store."""
    default: Any = settings.STORAGES["default"]
    return dict(default.get("OPTIONS", {}))


def database_clock() -> Finding:
    name = "clock of the database"
    if connection.vendor == "sqlite":
        return ok(name, "The database is a file: its clock is this machine's.")

    def seconds() -> float:
        with connection.cursor() as cursor:
            cursor.execute("SELECT extract(epoch FROM clock_timestamp())")
            return float(cursor.fetchone()[0])

    try:
        return _clock(name, seconds)
    except DatabaseError:
        return not_checked(name, NO_DATABASE)


def quota_clock() -> Finding:
    name = "clock of the quota store"
    import redis

    def seconds() -> float:
        whole, micros = client.time()
        return float(whole) + float(micros) / 1e6

    try:
        with connect(_reachable(settings.REDIS_URL)) as client:
            client.ping()  # so that the time does not include connecting
            return _clock(name, seconds)
    except (redis.RedisError, OSError):
        return not_checked(name, "The quota store does not answer.")


def _clock(name: str, theirs: Callable[[], float]) -> Finding:
    before = time.time()
    shown = theirs()
    after = time.time()
    return clock_finding(name, shown - (before + after) / 2)


def clock_finding(name: str, skew: float) -> Finding:
    """``skew``: seconds by which the other clock is ahead of ours."""
    told = f"{abs(skew):.1f} s {'ahead of' if skew > 0 else 'behind'} this machine's"
    if abs(skew) >= SKEW_FAILED_SECONDS:
        return failed(name, f"It is {told}: links that were signed expire at the wrong time.", SET_CLOCK)
    if abs(skew) >= SKEW_WARNING_SECONDS:
        return warning(name, f"It is {told}.", SET_CLOCK)
    return ok(name, "It agrees with this machine's.")


PARTS: Sequence[tuple[str, Callable[[], Finding | list[Finding]]]] = (
    ("database", database),
    ("migrations", migrations),
    ("broker", broker),
    ("quota store", quota_store),
    ("workers", workers),
    ("clock of the database", database_clock),
    ("clock of the quota store", quota_clock),
    ("storage", file_storage),
    ("retention", retention),
    ("paused", paused),
    ("traces", traces),
)

# The repair of a part that did not answer in time.
MENDS: Mapping[str, Callable[[], str]] = {
    "database": _mend_database,
    "broker": partial(_mend_store, "CELERY_BROKER_URL"),
    "quota store": partial(_mend_store, "REDIS_URL"),
}


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
