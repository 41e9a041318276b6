"""The configuration of Flower, except its password, for `make run` (apps/supervisor/programs.py) and deployments."""

from __future__ import annotations

import re
from typing import Any

from flower.views.monitor import Metrics
from tornado.web import authenticated

from parse_project import settings

TASKS_COLUMNS = "name,args,state,received,runtime,worker,uuid"
_EVERY_ADDRESS = ("0.0.0.0", "::", "")  # noqa: S104 (compared, not bound)


def protect_metrics() -> None:
    """Require the password for the metrics, too: they name every worker and task, and Flower 2.2 leaves them open."""
    Metrics.get = authenticated(Metrics.get)


def format_task(task: Any) -> Any:
    """Return the task (a copy) with pages and job as its arguments, and the URL of its job in the admin below them.

    Our tasks have only keyword arguments, so the positional ones are free for this. Flower shows them as text, so the
    URL can only be copied.
    """
    job = re.search("pjb-[0-9a-f-]+", task.kwargs or "")
    pages = re.search("'pages': '([0-9-]+)'", task.kwargs or "")
    if job:
        task.args = f"pages {pages[1]}, {job[0]}" if pages and pages[1] != "0" else job[0]
        host = "127.0.0.1" if settings.HOST in _EVERY_ADDRESS else settings.HOST
        service = settings.PUBLIC_URL or f"http://{f'[{host}]' if ':' in host else host}:{settings.PORT}"
        task.kwargs += f"\n{service}/admin/jobs/parsejob/{job[0]}/change/"
    return task
