"""The database engine: Django's for PostgreSQL, whose connections notice a server that has frozen.

A frozen server, or a network that swallows packets, closes no connection and answers nothing, so libpq would wait for
ever. A statement that takes longer than ``PATIENCE_SECONDS`` therefore asks whether the server still answers anybody.
"""

from __future__ import annotations

from typing import Any

import psycopg
from django.db import connections
from django.db.backends.postgresql import base
from django.db.models.signals import pre_migrate
from django.dispatch import receiver
from psycopg import IsolationLevel

from apps.core.postgresql.watch import Watch, watched


class WatchedConnection(psycopg.Connection[Any]):
    """Raises OperationalError while it waits for a server that no longer responds."""

    watch: Watch

    def wait(self, gen: Any, *args: Any, **options: Any) -> Any:
        return super().wait(watched(gen, self.watch), *args, **options)


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params: dict[str, Any]) -> WatchedConnection:
        """Connect, unless the server has just been found not to answer."""
        watch = Watch.of(conn_params)
        watch.check()
        self.isolation_level = IsolationLevel.READ_COMMITTED
        try:
            connection = WatchedConnection.connect(**conn_params)
        except psycopg.errors.ConnectionTimeout:
            watch.found_silent()
            raise
        connection.watch = watch
        return connection


@receiver(pre_migrate)
def allow_long_statements(using: str, **_: Any) -> None:
    """Let a migration take its time: DATABASE_STATEMENT_SECONDS is for requests and workers."""
    if isinstance(connections[using], DatabaseWrapper):
        with connections[using].cursor() as cursor:
            cursor.execute("SET statement_timeout TO 0")
