"""The configuration of Flower: a task shows the URL of its job in the admin."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from parse_project import flower

JOB = "pjb-00000000-0000-4000-8000-000000000001"


@pytest.mark.parametrize(
    ("public_url", "host", "admin"),
    [
        ("https://parse.example.com", "127.0.0.1", "https://parse.example.com"),
        ("", "0.0.0.0", "http://127.0.0.1:8000"),
        ("", "::1", "http://[::1]:8000"),
    ],
)
def test_a_task_shows_the_url_of_its_job(
    monkeypatch: pytest.MonkeyPatch, public_url: str, host: str, admin: str
) -> None:
    monkeypatch.setattr(flower, "settings", SimpleNamespace(PUBLIC_URL=public_url, HOST=host, PORT=8000))
    task: Any = SimpleNamespace(args="()", kwargs=repr({"job": JOB, "pages": "3"}))
    other: Any = SimpleNamespace(args="()", kwargs=None)

    assert flower.format_task(task).kwargs.endswith(f"\n{admin}/admin/jobs/parsejob/{JOB}/change/")
    assert task.args == f"pages 3, {JOB}"
    assert (flower.format_task(other).args, other.kwargs) == ("()", None)
