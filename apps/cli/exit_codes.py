"""The exit codes of the command line (docs/command-line.md). They are stable."""

from __future__ import annotations

OK, UNEXPECTED, USAGE, REFUSED, PARTIAL, SERVER, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130
