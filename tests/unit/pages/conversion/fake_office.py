"""A program in LibreOffice's place, and what it leaves behind."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SCRIPT = """\
#!/bin/bash
# The arguments end with: --convert-to SUFFIX:FILTER --outdir FOLDER SOURCE
source="${{@: -1}}"
out="${{@: -2:1}}"
target="${{@: -4:1}}"
suffix="${{target%%:*}}"
for argument in "$@"; do
    case "$argument" in -env:UserInstallation=file://*) profile="${{argument#*file://}}" ;; esac
done
{body}
"""


@contextmanager
def open_folder() -> Iterator[Path]:
    """Make a folder that the user of readers may enter. Those of pytest are closed to others."""
    with tempfile.TemporaryDirectory(prefix="leafmill-test-") as folder:
        path = Path(folder)
        path.chmod(0o755)
        yield path


def fake_office(folder: Path, body: str) -> Path:
    """Write a script for bash. Its variables: ``source``, ``out``, ``suffix`` of the target, and ``profile``."""
    program = folder / "soffice"
    program.write_text(_SCRIPT.format(body=body))
    program.chmod(0o755)
    return program


COPIES = 'cp "$source" "$out/document.$suffix"'


def processes_with(mark: str) -> list[str]:
    """Return the command lines, of all processes of the machine, that contain ``mark``; zombies have none."""
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                line = Path(entry.path, "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if mark in line:
                found.append(line)
    return found
