#!/usr/bin/env python
"""Django's command line. ``parse`` bypasses Django: it needs no settings and must start quickly."""

from __future__ import annotations

import os
import re
import sys

# Errors of SQLite and PostgreSQL on a database that was not migrated.
_MISSING = re.compile(r"no such (table|column)|(relation|column) \S+ does not exist")


def main() -> None:
    if sys.argv[1:2] == ["parse"]:
        from apps.cli.command_line import main as parse

        sys.exit(parse(sys.argv[2:]))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "parse_project.settings")
    from django.core.management import execute_from_command_line
    from django.db.utils import OperationalError, ProgrammingError

    try:
        execute_from_command_line(sys.argv)
    except (OperationalError, ProgrammingError) as error:
        if not _MISSING.search(str(error)):
            raise
        sys.exit(_what_is_missing())


def _what_is_missing() -> str:
    """Return what is missing: tables of this release, or the service (a terminal without LEAFMILL_DATA)."""
    from django.conf import settings
    from django.db import connection

    if connection.vendor == "sqlite" and not connection.introspection.table_names():
        return (
            f"There is no service in {settings.DATA_DIR}. Where yours runs with LEAFMILL_DATA=..., set it here too. "
            "To begin one there: `make run`, or `manage.py migrate`."
        )
    return (
        "The database lacks tables or columns of this release. Make them with `manage.py migrate`; the first "
        "`make run` does it by itself."
    )


if __name__ == "__main__":
    main()
