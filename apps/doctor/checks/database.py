"""Checks of the database."""

from __future__ import annotations

from pathlib import Path

from django.db import DatabaseError, OperationalError, connection
from django.db.migrations.executor import MigrationExecutor

from apps.doctor.finding import Finding, failed, first_line, manage, not_checked, ok

MAX_LISTED_MIGRATIONS = 3
NO_DATABASE = "The database does not answer."


def database() -> Finding:
    name = "database"
    missing = missing_sqlite_file()
    if missing is not None:
        sentence = f"There is no service in {missing.parent}. If yours runs with LEAFMILL_DATA=..., set the same here."
        return failed(name, sentence, "export LEAFMILL_DATA=..., or start a new service there: make run")
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT sqlite_version()" if connection.vendor == "sqlite" else "SHOW server_version")
            version = cursor.fetchone()[0]
    except DatabaseError as error:
        return failed(name, f"{database_address()} does not answer: {first_line(error)}.", repair_database())
    product = "SQLite" if connection.vendor == "sqlite" else "PostgreSQL"
    return ok(name, f"{product} {version} at {database_address()}.")


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
    listed = ", ".join(f"{each.app_label}.{each.name}" for each in missing[:MAX_LISTED_MIGRATIONS])
    more = f" and {len(missing) - MAX_LISTED_MIGRATIONS} more" if len(missing) > MAX_LISTED_MIGRATIONS else ""
    return failed(name, f"Not applied: {listed}{more}.", manage("migrate"))


def missing_sqlite_file() -> Path | None:
    """Return the path of an SQLite database that does not exist. A query would create it."""
    path = Path(str(connection.settings_dict["NAME"]))
    return path if connection.vendor == "sqlite" and not path.exists() else None


def refuse_missing_database() -> None:
    """Raise DatabaseError if a query would create an empty SQLite database."""
    if missing_sqlite_file() is not None:
        raise OperationalError("There is no database yet.")


def repair_database() -> str:
    if connection.vendor == "sqlite":
        return f"ls -l {database_address()}"
    return f"start PostgreSQL at {database_address()}, or check DATABASE_URL"


def database_address() -> str:
    where = connection.settings_dict
    if connection.vendor == "sqlite":
        return str(where["NAME"])
    port = f":{where['PORT']}" if where["PORT"] else ""
    return f"{where['HOST'] or 'the local socket'}{port}/{where['NAME']}"
