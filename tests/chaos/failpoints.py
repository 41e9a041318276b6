"""Failpoints: places between two commits where a test kills, stops or disturbs a process of the service.

The product has no hooks for them. With the settings ``tests.chaos.settings`` a process wraps the functions that are
named here before it begins to work, so that a release pays nothing and contains nothing. The variable ``FAILPOINTS``
names a folder. While its file ``armed`` contains ``NAME:ACTION:NTH``, the NTH call that reaches the place, counted over
all processes, does the action. So the process that replaces a killed one is not killed as well.
"""

from __future__ import annotations

import fcntl
import functools
import json
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from django.apps import AppConfig

ACTIONS = ("kill", "killgroup", "stop", "raise", "sleep")
SLEEP_SECONDS = 3.0
WEBHOOK_LEASE_SECONDS = 5.0
Kind = Literal["web", "parse", "model", "housekeeping"]


@dataclass(frozen=True)
class FailpointPlace:
    """Where a failpoint is: just before or after a call of ``function`` (module:name), in one kind of process."""

    function: str
    when: Literal["before", "after"]
    process: Kind


PLACES: dict[str, FailpointPlace] = {
    "upload.bytes_written": FailpointPlace("shutil:copyfileobj", "after", "web"),
    "upload.fsynced": FailpointPlace("apps.documents.storage:write", "after", "web"),
    "upload.row_committed": FailpointPlace("apps.jobs.scheduling.dispatch:_publish", "before", "web"),
    "upload.before_publish": FailpointPlace("apps.jobs.workflow:publish_step", "before", "web"),
    "upload.before_response": FailpointPlace("apps.api.v2.parse:_submit_once", "after", "web"),
    "split.before": FailpointPlace("apps.jobs.stages.split:_split", "before", "parse"),
    "split.each_batch": FailpointPlace("apps.jobs.stages.split:make_ranges", "after", "parse"),
    "split.done": FailpointPlace("apps.jobs.stages.split:dispatch_pages_of", "before", "parse"),
    "page.claimed": FailpointPlace("apps.jobs.stages.extract:extract_range", "before", "parse"),
    "page.child_started": FailpointPlace("apps.pages.sandbox.client:Reader._fork", "after", "parse"),
    "page.child_done": FailpointPlace("apps.pages.sandbox.client:Reader.read_range", "after", "parse"),
    "page.before_commit": FailpointPlace("apps.jobs.stages.extract:complete", "after", "parse"),
    "page.after_commit": FailpointPlace("apps.jobs.stages.extract:advance_if_done", "before", "parse"),
    "page.before_ack": FailpointPlace("apps.jobs.stages.extract:extract_pages", "after", "parse"),
    "last_page.committed": FailpointPlace("apps.jobs.scheduling.advance:advance_job", "before", "parse"),
    "finalize.before": FailpointPlace("apps.jobs.stages.assemble:write_result", "before", "parse"),
    "finalize.after": FailpointPlace("apps.jobs.stages.assemble:dispatch_due_if_any", "before", "parse"),
    "outbox.before_post": FailpointPlace("apps.jobs.workflow:publish_window", "before", "parse"),
    "outbox.after_post": FailpointPlace("apps.jobs.workflow:publish_window", "after", "parse"),
    "reconcile.mid_batch": FailpointPlace("apps.jobs.scheduling.rescue:reclaim", "after", "parse"),
    "cancel.mid": FailpointPlace("apps.jobs.commands.cancel:end_job", "after", "web"),
    "delete.mid": FailpointPlace("apps.documents.services:remove", "before", "web"),
    "quota.reserved": FailpointPlace("apps.providers.calls.gateway:Gateway._reserve", "after", "model"),
    "quota.called": FailpointPlace("apps.providers.calls.gateway:Gateway._write_call", "after", "model"),
    "quota.settled": FailpointPlace("apps.providers.calls.gateway:Gateway._settle", "after", "model"),
    "provider.after_response": FailpointPlace("apps.providers.calls.client:Client.send", "after", "model"),
    "model.before_commit": FailpointPlace("apps.jobs.stages.model:_complete", "before", "model"),
    "webhook.before_mark": FailpointPlace("apps.webhooks.delivery:_record", "before", "housekeeping"),
}
"""The 27 places of the fault matrix, and ``model.before_commit``: an answer is paid for and not yet written."""


class Failpoints(AppConfig):
    """Installs the failpoint of the environment when Django has loaded the service's own modules."""

    name = "tests.chaos"
    label = "chaos"

    def ready(self) -> None:
        from apps.accounts import idempotency
        from apps.webhooks import delivery

        idempotency.LEASE = timedelta(seconds=2)  # the leases of steps are settings
        delivery.LEASE = timedelta(seconds=WEBHOOK_LEASE_SECONDS)
        folder = os.environ.get("FAILPOINTS")
        if folder:
            for name in PLACES:
                install(name, Path(folder))


class FailpointReached(Exception):
    """The action ``raise``: an error that no code of ours expects."""


def install(name: str, folder: Path) -> None:
    """Wrap the function at the failpoint in this process and in those that it forks."""
    place = PLACES[name]
    owner, attribute = find(place)
    original: Callable[..., Any] = getattr(owner, attribute)

    @functools.wraps(original)
    def with_failpoint(*args: Any, **kwargs: Any) -> Any:
        if place.when == "before":
            reach(name, folder)
        returned = original(*args, **kwargs)
        if place.when == "after":
            reach(name, folder)
        return returned

    setattr(owner, attribute, with_failpoint)


def find(place: FailpointPlace) -> tuple[Any, str]:
    """Return the module or class with the function, and its name. Raise AttributeError if there is none."""
    module, _, path = place.function.partition(":")
    owner: Any = import_module(module)
    *classes, attribute = path.split(".")
    for one in classes:
        owner = getattr(owner, one)
    getattr(owner, attribute)
    return owner, attribute


def reach(name: str, folder: Path) -> None:
    """Do the armed action if it is the turn of this call."""
    try:
        armed, action, nth = (folder / "armed").read_text().split(":")
    except FileNotFoundError:
        return
    if armed != name:
        return
    with (folder / "hits").open("a+") as counted:
        fcntl.flock(counted, fcntl.LOCK_EX)
        counted.seek(0)
        count = len(counted.readlines()) + 1
        counted.write(json.dumps({"name": name, "count": count, "pid": os.getpid(), "at": time.time()}) + "\n")
    if count == int(nth):
        act(name, action)


def act(name: str, action: str) -> None:
    match action:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "killgroup":
            os.killpg(os.getpgid(0), signal.SIGKILL)
        case "stop":  # the test sends SIGCONT
            os.kill(os.getpid(), signal.SIGSTOP)
        case "sleep":
            time.sleep(SLEEP_SECONDS)
        case "raise":
            raise FailpointReached(name)
        case _:
            raise ValueError(f"{action} is not one of {', '.join(ACTIONS)}")


@dataclass(frozen=True)
class Hit:
    """A call that reached the armed failpoint. ``at``: seconds since the epoch."""

    name: str
    count: int
    pid: int
    at: float


class Control:
    """Arms the failpoints of a service from the test, one at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)

    @property
    def environment(self) -> dict[str, str]:
        return {"DJANGO_SETTINGS_MODULE": "tests.chaos.settings", "FAILPOINTS": str(self.folder)}

    def arm(self, name: str, action: str, nth: int = 1) -> None:
        self.disarm()
        draft = self.folder / "draft"
        draft.write_text(f"{name}:{action}:{nth}")
        draft.rename(self.folder / "armed")

    def disarm(self) -> None:
        (self.folder / "armed").unlink(missing_ok=True)
        (self.folder / "hits").unlink(missing_ok=True)

    def hits(self) -> list[Hit]:
        with suppress(FileNotFoundError):
            return [Hit(**json.loads(line)) for line in (self.folder / "hits").read_text().splitlines()]
        return []
