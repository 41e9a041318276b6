"""Empty the database between two tests, only the tables that have rows.

Django's own way truncates every table and then writes all permissions again, which takes longer than most tests.
"""

from __future__ import annotations

from typing import Any

from django.db import connection, transaction

# Migrations write these tables, and no test changes them.
KEPT_TABLES = frozenset({"django_migrations", "django_content_type", "auth_permission"})
AUDIT_LOG = '"accounts_auditentry"'  # the database refuses to delete its rows outside retention
MAX_DELETED_ROWS = 1_000  # tables with more rows are truncated on PostgreSQL


def empty_database(_test: Any = None) -> None:
    """Delete all rows; replaces ``TransactionTestCase._fixture_teardown``."""
    rows = count_rows()
    large = [table for table, count in rows.items() if count > MAX_DELETED_ROWS and table != AUDIT_LOG]
    with transaction.atomic(), connection.cursor() as cursor:
        if large and connection.vendor == "postgresql":
            cursor.execute(f"TRUNCATE {', '.join(large)} CASCADE")
        if AUDIT_LOG in rows:
            cursor.execute("INSERT INTO accounts_auditretention (before) VALUES ('9999-12-31')")
            cursor.execute(f"DELETE FROM {AUDIT_LOG}")
            cursor.execute("DELETE FROM accounts_auditretention")
        for table in rows:  # in any order: foreign keys are checked when the transaction ends
            cursor.execute(f"DELETE FROM {table}")


def count_rows() -> dict[str, int]:
    """Return the tables that have rows and their number, counted up to ``MAX_DELETED_ROWS + 1``."""
    quote = connection.ops.quote_name
    tables = [quote(table) for table in connection.introspection.django_table_names(include_views=False)]
    counts = " UNION ALL ".join(
        f"SELECT '{table}', COUNT(*) FROM (SELECT 1 FROM {table} LIMIT {MAX_DELETED_ROWS + 1}) AS counted"
        for table in tables
        if table.strip('"') not in KEPT_TABLES
    )
    with connection.cursor() as cursor:
        cursor.execute(counts)
        return {table: count for table, count in cursor.fetchall() if count}
