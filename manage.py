#!/usr/bin/env python
"""Django's command line. ``parse`` goes around Django: it needs no settings and should start in no time."""

from __future__ import annotations

import os
import re
import sys

# What SQLite and PostgreSQL say of a database that was not migrated.
_MISSING = re.compile(r"no such (table|column)|(relation|column) \S+ does not exist")


def main() -> None:
    if sys.argv[1:2] == ["parse"]:
        from apps.parsing.command_line import main as parse

        sys.exit(parse(sys.argv[2:]))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "parse_project.settings")
    from django.core.management import execute_from_command_line
    from django.db.utils import OperationalError, ProgrammingError

    try:
        execute_from_command_line(sys.argv)
    except (OperationalError, ProgrammingError) as error:
        if not _MISSING.search(str(error)):
            raise
        sys.exit(
            "The database lacks tables or columns of this release. Make them with `manage.py migrate`; the first "
            "`make run` does it by itself."
        )


if __name__ == "__main__":
    main()
