#!/usr/bin/env python
"""Django's command line. ``parse``, ``extract`` and ``mcp`` need no settings and bypass Django, to start quickly."""

from __future__ import annotations

import os
import re
import sys

# Errors of SQLite and PostgreSQL if migrations are not applied.
_MISSING = re.compile(r"no such (table|column)|(relation|column) \S+ does not exist")


def main() -> None:
    if sys.argv[1:2] == ["parse"]:
        from apps.cli.command_line import main as parse

        sys.exit(parse(sys.argv[2:]))
    if sys.argv[1:2] == ["extract"]:
        from apps.cli.extract import main as extract

        sys.exit(extract(sys.argv[2:]))
    if sys.argv[1:2] == ["mcp"]:
        from apps.cli.mcp_stdio import main as mcp

        sys.exit(mcp(sys.argv[2:]))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "parse_project.settings")
    from django.core.management import execute_from_command_line
    from django.db.utils import OperationalError, ProgrammingError

    try:
        execute_from_command_line(sys.argv)
    except (OperationalError, ProgrammingError) as error:
        if not _MISSING.search(str(error)):
            raise
        from django.conf import settings
        from django.db import connection

        if connection.vendor == "sqlite" and not connection.introspection.table_names():
            sys.exit(
                f"There is no service in {settings.DATA_DIR}. If yours runs with LEAFMILL_DATA=..., set the same here. "
                "To start a new one there: `make run`, or `manage.py migrate`."
            )
        sys.exit(
            "The database lacks tables or columns of this release. Create them with `manage.py migrate`; the first "
            "`make run` does it automatically."
        )


if __name__ == "__main__":
    main()
