"""The database between two tests: rows go from the tables that have any.

Django's way truncates every table and then writes all permissions again, which takes longer than most tests do.
"""

from __future__ import annotations

from typing import Any

from django.db import connection, transaction

# What migrating a database leaves in it, and no test changes.
KEPT = frozenset({"django_migrations", "django_content_type", "auth_permission"})
MANY = 1_000


def empty_database(_test: Any = None) -> None:
    """In place of ``TransactionTestCase._fixture_teardown``."""
    rows = _rows()
    many = [table for table, count in rows.items() if count > MANY]
    with transaction.atomic(), connection.cursor() as cursor:
        if many and connection.vendor == "postgresql":
            cursor.execute(f"TRUNCATE {', '.join(many)} CASCADE")
        for table in rows:  # in any order: foreign keys are looked at when the transaction ends
            cursor.execute(f"DELETE FROM {table}")


def _rows() -> dict[str, int]:
    """The tables that have rows, and how many, up to one more than ``MANY``."""
    quote = connection.ops.quote_name
    tables = [quote(table) for table in connection.introspection.django_table_names(include_views=False)]
    wanted = [table for table in tables if table.strip('"') not in KEPT]
    counts = " UNION ALL ".join(
        f"SELECT '{table}', COUNT(*) FROM (SELECT 1 FROM {table} LIMIT {MANY + 1}) AS seen" for table in wanted
    )
    with connection.cursor() as cursor:
        cursor.execute(counts)
        return {table: count for table, count in cursor.fetchall() if count}
