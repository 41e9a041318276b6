"""Django's settings of the database and of storage, from their URLs."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from parse_project import env

IDLE_TRANSACTION_SECONDS = 30


def database(
    url: str, *, connection_seconds: int, statement_seconds: int, lock_seconds: int, create_folder: bool
) -> dict[str, object]:
    """Return the entry in DATABASES. ``create_folder``: create the folder of an SQLite database if it is missing.

    A statement of PostgreSQL may take ``statement_seconds``, and wait ``lock_seconds`` for a lock; 0: no limit.
    """
    if url.startswith("sqlite:"):
        path = unquote(url.removeprefix("sqlite:///"))
        if create_folder:
            Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": path,
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                # DEFERRED loses read-then-write transactions to "database is locked" as soon as two processes write.
                "transaction_mode": "IMMEDIATE",
                "timeout": 30,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-16000;",
            },
            "TEST": {"NAME": path + ".test"},
        }
    if url.startswith(("postgres:", "postgresql:")):
        parts = urlsplit(url)
        query = dict(pair.split("=", 1) for pair in parts.query.split("&") if "=" in pair)
        limits = {
            # A process that freezes inside a transaction holds its row locks until the server ends the session.
            "idle_in_transaction_session_timeout": IDLE_TRANSACTION_SECONDS,
            "statement_timeout": statement_seconds,
            "lock_timeout": lock_seconds,
        }
        return {
            "ENGINE": "apps.core.postgresql",
            "NAME": unquote(parts.path.lstrip("/")) or "leafmill",
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": unquote(query.pop("host", "") or parts.hostname or ""),
            "PORT": str(parts.port or ""),
            "CONN_MAX_AGE": connection_seconds,
            "CONN_HEALTH_CHECKS": connection_seconds > 0,
            "OPTIONS": {
                "connect_timeout": 2,
                "tcp_user_timeout": 10_000,  # milliseconds until a server that does not answer counts as lost
                "keepalives_idle": 10,  # seconds
                "keepalives_interval": 5,
                "keepalives_count": 3,
                "options": " ".join(f"-c {name}={seconds}s" for name, seconds in limits.items()),
                **query,
            },
        }
    raise env.BadVariable("DATABASE_URL", url.split("@")[-1], "sqlite:///PATH or postgres://USER:PASSWORD@HOST/NAME")


def storage(url: str) -> dict[str, object]:
    """Return the entry in STORAGES."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        return {"BACKEND": "apps.documents.storage.FolderStorage", "OPTIONS": {"location": unquote(parts.path)}}
    if parts.scheme == "s3":
        query = dict(pair.split("=", 1) for pair in parts.query.split("&") if "=" in pair)
        options = {"bucket_name": parts.netloc, "location": parts.path.lstrip("/"), "file_overwrite": True}
        return {
            "BACKEND": "apps.documents.object_storage.ObjectStorage",
            "OPTIONS": options | {key: unquote(value) for key, value in query.items()},
        }
    raise env.BadVariable("STORAGE_URL", url.split("@")[-1], "file:///FOLDER or s3://BUCKET/PREFIX is expected")
