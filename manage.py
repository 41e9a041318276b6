#!/usr/bin/env python
"""Django's command line. ``parse`` goes around Django: it needs no settings and should start in no time."""

from __future__ import annotations

import os
import sys


def main() -> None:
    if sys.argv[1:2] == ["parse"]:
        from apps.parsing.command_line import main as parse

        sys.exit(parse(sys.argv[2:]))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "parse_project.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
