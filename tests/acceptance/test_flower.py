"""A real Flower, configured as deployed, beside a real service: its authentication, its task pages and its links."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from flower.urls import handlers

from tests import services
from tests.acceptance.running_service import Backends, RunningService, descendants, wait_for
from tests.documents.scans import scanned_pdf
from tests.services import free_port

PASSWORD = "canary-of-the-broker"
LOGIN = ("operator", "canary-of-flower")
PEOPLE = """
from django.contrib.auth.models import User
User.objects.create_superuser("admin", password="secret")
"""
OPEN = {"/healthcheck", "/static/(.*)", "/login/?", "/logout", ".*"}
ADDRESS = re.compile(r'href="(http[^"]*/tasks\?name=[^"]*)"')


@dataclass
class Watched:
    """A service that has parsed a scan of two pages over signed links, and its Flower."""

    service: RunningService
    flower: httpx.Client
    admin: httpx.Client
    job_id: str

    def found(self, address: str) -> list[dict[str, Any]]:
        """Return the tasks that Flower's page shows at this address, with the request that the page's script makes."""
        name = parse_qs(urlsplit(address).query)["name"][0]
        answer = self.flower.post(
            "/tasks/datatable",
            data={
                "draw": "1",
                "start": "0",
                "length": "100",
                "search[value]": f"name:{name}",
                "order[0][column]": "0",
                "order[0][dir]": "desc",
                "columns[0][data]": "received",
            },
        )
        assert answer.status_code == 200, answer.text
        assert "searchError" not in answer.json()
        return list(answer.json()["data"])


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("flower")
    (folder / "redis").mkdir()
    (folder / "data").mkdir()
    redis = services.start_redis(folder / "redis")
    with services.redis_client(redis.url) as client:
        client.config_set("requirepass", PASSWORD)
    url = redis.url.replace("redis://", f"redis://:{PASSWORD}@")
    backends = Backends("own", {"CELERY_BROKER_URL": url, "REDIS_URL": url}, redis.stop, redis.stop, redis.stop)
    service = RunningService(backends, folder / "data")
    try:
        yield parsed_scan_and_flower(service)
    finally:
        service.stop()
        redis.close()


def parsed_scan_and_flower(service: RunningService) -> Watched:
    """Start every process of the service and Flower, parse a scan, and wait until Flower has all events."""
    service.prepare()
    service.run_python(PEOPLE)
    port = free_port()
    service.settings |= {"FLOWER_URL": f"http://127.0.0.1:{port}", "FLOWER_BASIC_AUTH": ":".join(LOGIN)}
    service.start_web()
    service.settings |= {"OCR_EXCHANGE_URL": service.url, "PUBLIC_URL": service.url, "OCR_ENGINES": "null"}
    service.settings["RESEND_SECONDS"] = "60"  # while the engines start, the message of the second page waits
    service.start(
        "flower",
        *(sys.executable, "-m", "celery", "-A", "parse_project.celery:app", "flower", "--conf=deploy/flowerconfig.py"),
        *("--address=127.0.0.1", f"--port={port}", "--persistent=False", "--logging=warning"),
    )
    flower = httpx.Client(base_url=f"http://127.0.0.1:{port}", auth=LOGIN, timeout=10)
    wait_for(lambda: is_healthy(flower), "Flower answers", seconds=60, pause=0.2)
    service.start_worker("parse", "parse_raw_file_job", "parse_raw_file_job_pages")
    service.start_worker("housekeeping", "housekeeping")
    service.start("ocr", sys.executable, "-m", "ocr_worker", "ocr_cpu")
    # Events are not kept: what a worker does before Flower listens to it is never shown.
    wait_for(lambda: workers_online(flower) == 3, "Flower has heard from all workers", seconds=60, pause=0.2)
    scan = service.folder / "scan.pdf"
    scan.write_bytes(scanned_pdf(2))
    job_id = service.upload(scan)
    assert service.wait(job_id) == "COMPLETED"
    watched = Watched(service, flower, admin_client(service.url), job_id)

    def has_all_events() -> bool:
        done = [task["name"] for task in watched.found("/tasks?name=none OR state:SUCCESS")]
        return (done.count("accept_ocr"), done.count("recognize_page"), done.count("assemble_document")) == (2, 2, 1)

    # Each worker sends its events once a second.
    wait_for(has_all_events, "Flower has the events of all workers", seconds=30, pause=0.2)
    return watched


def workers_online(flower: httpx.Client) -> int:
    workers = flower.get("/workers", params={"json": "1"}).json()["data"]
    return sum(bool(worker["status"]) for worker in workers)


def is_healthy(flower: httpx.Client) -> bool:
    try:
        return flower.get("/healthcheck").status_code == 200
    except httpx.HTTPError:
        return False


def admin_client(url: str) -> httpx.Client:
    admin = httpx.Client(base_url=url, timeout=30, follow_redirects=True)
    admin.get("/admin/login/")
    token = admin.cookies["csrftoken"]
    admin.post("/admin/login/", data={"username": "admin", "password": "secret", "csrfmiddlewaretoken": token})
    return admin


def page_of_job(watched: Watched) -> str:
    answer = watched.admin.get(f"/admin/jobs/parsejob/{watched.job_id}/change/")
    assert answer.status_code == 200
    return answer.text


def test_every_path_requires_the_password(watched: Watched) -> None:
    patterns = [handler[0] if isinstance(handler, tuple) else handler.regex.pattern.rstrip("$") for handler in handlers]
    assert {"/metrics", "/api/tasks", "/worker/(.+)"} < set(patterns)
    with httpx.Client(base_url=watched.flower.base_url) as anonymous:
        for pattern in set(patterns) - OPEN:
            path = re.sub(r"\(.+\)", "any", pattern)
            answers = [anonymous.get(path), anonymous.post(path)]
            codes = {answer.status_code for answer in answers}
            assert codes <= {401, 405}, (path, codes)
            assert 401 in codes, path


def test_a_job_links_to_its_tasks_and_they_link_back(watched: Watched) -> None:
    address = unescape(ADDRESS.findall(page_of_job(watched))[0])

    tasks = watched.found(address)

    assert {task["name"] for task in tasks} >= {"split_document", "render_page", "recognize_page", "accept_ocr"}
    for task in tasks:
        arguments, _, back = task["kwargs"].partition("\n")
        assert watched.job_id in arguments
        assert watched.admin.get(back).url.path == f"/admin/jobs/parsejob/{watched.job_id}/change/"
    shown = {task["args"] for task in tasks if task["name"] == "recognize_page"}
    assert shown == {f"pages {number}, {watched.job_id}" for number in (1, 2)}
    assert 'data-column="args"' in watched.flower.get("/tasks").text


def test_an_attempt_links_to_its_own_task(watched: Watched) -> None:
    of_attempts = [unescape(address) for address in ADDRESS.findall(page_of_job(watched))[1:]]
    names = [sorted(task["name"] for task in watched.found(address)) for address in of_attempts]

    assert names.count(["accept_ocr", "recognize_page", "render_page"]) == 2
    assert names.count(["split_document"]) == names.count(["assemble_document"]) == 1


def test_no_secret_is_shown(watched: Watched) -> None:
    (worker,) = [name for name in watched.flower.get("/api/workers?refresh=1").json() if name.startswith("parse")]
    tasks = watched.flower.get("/api/tasks").json()
    paths = ["/workers", f"/worker/{worker}", "/broker", "/api/workers", "/api/tasks", "/metrics"]
    shown = "\n".join(watched.flower.get(path).text for path in [*paths, *(f"/task/{task}" for task in tasks)])

    assert "render_page" in shown
    secret_key = (watched.service.folder / "secret_key").read_text(encoding="ascii").strip()
    for secret in ("canary", "ocr-exchange", watched.service.key, secret_key):
        assert secret not in shown, secret


def test_no_command_line_shows_a_password(watched: Watched) -> None:
    """Every user of the machine can read command lines."""
    pids = [pid for process in watched.service.processes for pid in descendants(process.popen.pid)]
    pids += [process.popen.pid for process in watched.service.processes]
    shown = "\n".join(
        Path(f"/proc/{pid}/cmdline").read_bytes().decode() for pid in pids if Path(f"/proc/{pid}").exists()
    )

    assert "flower" in shown
    assert "ocr_worker" in shown
    for secret in (PASSWORD, LOGIN[1], watched.service.key):
        assert secret not in shown
