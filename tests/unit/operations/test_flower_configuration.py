"""What Flower is told beside its password: a task leads to its job in the admin."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from apps.operations.members import flower

JOB = "pjb-00000000-0000-4000-8000-000000000001"


def test_a_task_ends_with_the_address_of_its_job(tmp_path: Path, settings: Any) -> None:
    settings.PUBLIC_URL = "https://parse.example.com"
    (tmp_path / "run").mkdir()
    flower(tmp_path)
    told: dict[str, Any] = {}
    exec((tmp_path / "run" / "flowerconfig.py").read_text(encoding="utf-8"), told)

    task = told["format_task"](SimpleNamespace(kwargs=repr({"job": JOB, "pages": "3"})))
    other = told["format_task"](SimpleNamespace(kwargs=None))

    assert task.kwargs.endswith(f"\nhttps://parse.example.com/admin/jobs/parsejob/{JOB}/change/")
    assert other.kwargs is None
