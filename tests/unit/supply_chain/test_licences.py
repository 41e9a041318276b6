"""Every locked package is listed with its licence, and none is under the GPL."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from scripts import licences

ROOT = Path(__file__).resolve().parents[3]


def test_the_page_of_licences_lists_every_locked_package() -> None:
    written = (ROOT / "docs/licences.md").read_text(encoding="utf-8")

    assert written == licences.page(), "Run: .venv/bin/python scripts/licences.py > docs/licences.md"
    assert licences.refused(list(licences.used_in())) == []


@pytest.mark.parametrize(
    ("header", "is_refused"),
    [
        ("License-Expression: AGPL-3.0-or-later", True),
        ("Classifier: License :: OSI Approved :: GNU General Public License v2 (GPLv2)", True),
        ("Classifier: License :: OSI Approved :: MIT License\nLicense: GPL v3", True),
        ("License: GNU Affero General Public License", True),
        ("License-Expression: LGPL-3.0-only", False),
        ("Classifier: License :: OSI Approved :: GNU Lesser General Public License v3 (LGPLv3)", False),
        ("License: BSD-3-Clause", False),
    ],
)
def test_packages_under_the_gpl_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, header: str, is_refused: bool
) -> None:
    about = tmp_path / "strange_package-1.0.dist-info/METADATA"
    about.parent.mkdir()
    about.write_text(f"Metadata-Version: 2.4\nName: strange-package\nVersion: 1.0\n{header}\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)

    assert metadata.version("strange-package") == "1.0"
    assert licences.refused(["strange-package", "django"]) == (["strange-package"] if is_refused else [])
