"""What Flower's configuration takes beside its password, in `make run` (apps/supervisor/programs.py) and deployed."""

from __future__ import annotations

import re
from typing import Any

from flower.views.monitor import Metrics
from tornado.web import authenticated

from parse_project import settings

TASKS_COLUMNS = "name,args,state,received,runtime,worker,uuid"
_EVERY_ADDRESS = ("0.0.0.0", "::", "")  # noqa: S104 (compared, not bound)


def protect_metrics() -> None:
    """Flower 2.2 asks for the password everywhere but at its metrics, which name every worker and task."""
    Metrics.get = authenticated(Metrics.get)


def format_task(task: Any) -> Any:
    """The task, a copy of Flower's, with pages and job as its arguments, and below them its job's address in the admin.

    No task of ours has arguments without names to show. Flower shows them as text: the address is there to be copied.
    """
    job = re.search("pjb-[0-9a-f-]+", task.kwargs or "")
    pages = re.search("'pages': '([0-9-]+)'", task.kwargs or "")
    if job:
        task.args = f"pages {pages[1]}, {job[0]}" if pages and pages[1] != "0" else job[0]
        task.kwargs += f"\n{_admin()}/admin/jobs/parsejob/{job[0]}/change/"
    return task


def _admin() -> str:
    host = "127.0.0.1" if settings.HOST in _EVERY_ADDRESS else settings.HOST
    return settings.PUBLIC_URL or f"http://{f'[{host}]' if ':' in host else host}:{settings.PORT}"
