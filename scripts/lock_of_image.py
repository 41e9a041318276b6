#!/usr/bin/env python
"""Print the requirements of a lock that an image installs: those for Linux and Python 3.11, with their hashes."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from packaging.requirements import Requirement

IN_IMAGES = {"python_version": "3.11", "python_full_version": "3.11.14", "sys_platform": "linux", "os_name": "posix"}
IN_IMAGES |= {"platform_system": "Linux", "platform_machine": "x86_64", "implementation_name": "cpython"}

for entry in re.split(r"\n(?=\S)", Path(sys.argv[1]).read_text(encoding="utf-8")):
    line = re.sub(r"\s*\\\n\s*|\n\s+#.*", " ", entry)
    requirement, *hashes = re.split(r"\s+--hash=", line.strip())
    wanted = Requirement(requirement)
    if wanted.marker is None or wanted.marker.evaluate(IN_IMAGES):
        print(f"{wanted.name}=={str(wanted.specifier).removeprefix('==')}", *(f"--hash={one}" for one in hashes))
