#!/usr/bin/env python
"""Print docs/licences.md: the licence of every locked package, as the installed packages state it.

.venv/bin/python scripts/licences.py > docs/licences.md
Exit with 1 if a package is under the GPL or AGPL, which would bind users who run or extend the service.
"""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCKS = {
    "service": "requirements.txt",
    "ocr": "ocr_worker/requirements.txt",
    "ocr-gpu": "ocr_worker/requirements-gpu.txt",
    "development": "requirements-dev.txt",
}
PIN = re.compile(r"^([a-z0-9][\w.-]*)==", re.MULTILINE)
CUDA, CUDNN = "NVIDIA CUDA Toolkit EULA", "NVIDIA cuDNN Software License Agreement"
# Packages of other platforms and of GPUs, which are not installed here, and packages whose statement is not a licence.
STATED_HERE = {
    "async-timeout": "Apache-2.0",
    "blinker": "MIT",
    "colorama": "BSD-3-Clause",
    "nvidia-cublas": CUDA,
    "nvidia-cuda-nvrtc": CUDA,
    "nvidia-cuda-runtime": CUDA,
    "nvidia-cudnn-cu13": CUDNN,
    "nvidia-cufft": CUDA,
    "nvidia-curand": CUDA,
    "nvidia-nvjitlink": CUDA,
    "onnxruntime-gpu": "MIT",
    "python-dateutil": "Apache-2.0 OR BSD-3-Clause",
    "resvg-py": "MIT",
    "supervisor": "BSD-derived (Repoze)",
    "tzdata": "Apache-2.0",
}
SHORT = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
NO_LICENCE = ("", "OSI Approved", "DFSG approved", "UNKNOWN")
PAGE = """\
# Licences

Leafmill is under the [Apache License 2.0](../LICENSE). These are the Python packages of the locks and the images that
contain them; `development`: used by tests and checks only. No package may be under the GPL or AGPL. `make sbom` writes
a bill of materials with versions and hashes per image. The images also contain Debian packages, whose licences are in
`/usr/share/doc` of the image.

After a change of the locks: `.venv/bin/python scripts/licences.py > docs/licences.md`.

| package | licence | used in |
|---|---|---|
"""


def stated(package: str) -> list[str]:
    """Return all that is said about a package's licence: expression, classifiers, first line of the text."""
    if package in STATED_HERE:
        return [STATED_HERE[package]]
    about = metadata.metadata(package)
    expressions, classifiers, texts = (
        about.get_all(field) or [] for field in ("License-Expression", "Classifier", "License")
    )
    named = [one.rpartition(" :: ")[2] for one in classifiers if one.startswith("License")]
    first_lines = [text.strip().partition("\n")[0].strip() for text in texts]
    return [one for one in (*expressions, *named, *first_lines) if one not in NO_LICENCE]


def licence(package: str) -> str:
    """Return the licence in few words. Raise LookupError if the package states none."""
    found = stated(package)
    if not found:
        raise LookupError(f"{package} states no licence; look it up and add it to STATED_HERE in scripts/licences.py")
    if found[0] not in SHORT:
        return found[0]
    return " OR ".join(dict.fromkeys(SHORT[one] for one in found if one in SHORT))


def is_refused(words: str) -> bool:
    """Return whether these words name the GPL or AGPL; the LGPL is allowed."""
    return re.search(r"\bA?GPL|Affero|(?<!Lesser )General Public License", words, re.IGNORECASE) is not None


def used_in() -> dict[str, list[str]]:
    """Return the locked packages, each with the locks that contain it; ``development`` only if no image does."""
    found: dict[str, list[str]] = {}
    for name, lock in LOCKS.items():
        for package in dict.fromkeys(PIN.findall((ROOT / lock).read_text(encoding="utf-8"))):
            if name != "development" or package not in found:
                found.setdefault(package, []).append(name)
    return dict(sorted(found.items()))


def refused(packages: list[str]) -> list[str]:
    """Return the packages that say GPL or AGPL anywhere."""
    return [package for package in packages if any(is_refused(words) for words in stated(package))]


def page() -> str:
    rows = [f"| {package} | {licence(package)} | {', '.join(names)} |\n" for package, names in used_in().items()]
    return PAGE + "".join(rows)


if __name__ == "__main__":
    if wrong := refused(list(used_in())):
        sys.exit(f"Under the GPL or AGPL: {', '.join(wrong)}. Use another package.")
    print(page(), end="")
