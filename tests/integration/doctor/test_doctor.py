"""manage.py doctor and its admin page with real servers that work, are missing or are broken."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.db.models.functions import Now
from django.test import Client

from apps.documents.models import Removal
from apps.jobs.scheduling import pauses, workers
from apps.providers.calls.client import Client as ProviderClient
from apps.providers.models import Deployment, Provider
from apps.supervisor.processes import MARKER
from tests.acceptance.running_service import MANAGE
from tests.fakes.collector import FakeCollector
from tests.fakes.deployments import deploy
from tests.fakes.fixtures import provider, running_provider
from tests.fakes.provider import FakeProvider
from tests.fakes.workers import register_worker, stop_heartbeat
from tests.services import Service, start_redis

__all__ = ["provider", "running_provider"]
NOBODY = 65534
# As a user types it after the README; containers have one Python.
PYTHON = ".venv/bin/python" if Path(sys.executable).parts[-3:-1] == (".venv", "bin") else "python"
PAGE = "/admin/operations/doctor/"
Parts = dict[str, dict[str, str]]


@pytest.fixture(autouse=True)
def _own_storage(transactional_db: None, settings: Any, tmp_path: Path) -> None:
    folder = {"location": str(tmp_path / "storage")}
    (tmp_path / "storage").mkdir()
    settings.STORAGES = settings.STORAGES | {
        "default": {"BACKEND": "apps.documents.storage.FolderStorage", "OPTIONS": folder}
    }


@pytest.fixture
def redis(settings: Any, tmp_path: Path) -> Iterator[Service]:
    """A Redis as broker and quota store."""
    server = start_redis(tmp_path)
    settings.CELERY_BROKER_URL = settings.REDIS_URL = server.url
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def admin(django_user_model: Any) -> Client:
    client = Client()
    client.force_login(django_user_model.objects.create_superuser("admin", password="secret"))
    return client


def examined(*arguments: str) -> tuple[Parts, int]:
    """Return the findings by name, and the exit code."""
    out, code = io.StringIO(), 0
    try:
        call_command("doctor", "--json", *arguments, stdout=out)
    except SystemExit as ended:
        code = int(str(ended.code))
    report = json.loads(out.getvalue())
    assert report["ok"] is (code == 0)
    return {finding["name"]: finding for finding in report["findings"]}, code


def test_servers_that_work_are_reported_with_product_and_version(redis: Service) -> None:
    parts, _ = examined()

    for name in ("database", "migrations", "broker", "quota store", "storage", "clock of the quota store"):
        assert parts[name]["state"] == "ok", parts[name]
    assert parts["database"]["sentence"].startswith(("PostgreSQL ", "SQLite "))
    assert parts["broker"]["sentence"].startswith(("Redis ", "Valkey "))
    assert parts["clock of the database"]["state"] == "ok"


def test_rabbitmq_is_recognized(redis: Service, rabbitmq_url: str, settings: Any) -> None:
    settings.CELERY_BROKER_URL = rabbitmq_url

    parts, _ = examined()

    assert parts["broker"]["state"] == "ok", parts["broker"]
    assert parts["broker"]["sentence"].startswith("RabbitMQ ")
    assert parts["worker of housekeeping"]["state"] == "failed"


def test_a_stopped_broker_fails_and_hides_no_other_part(redis: Service) -> None:
    redis.stop()

    parts, code = examined()

    assert code == 1
    assert parts["broker"]["state"] == parts["quota store"]["state"] == "failed"
    assert "CELERY_BROKER_URL" in parts["broker"]["mend"]
    assert "REDIS_URL" in parts["quota store"]["mend"]
    assert parts["worker of housekeeping"]["state"] == "failed"
    assert parts["database"]["state"] == parts["storage"]["state"] == "ok"


def test_a_frozen_broker_fails_at_the_time_limit(redis: Service) -> None:
    os.kill(redis.pid, signal.SIGSTOP)  # it accepts connections but never answers
    try:
        parts, code = examined()
    finally:
        os.kill(redis.pid, signal.SIGCONT)

    assert code == 1
    assert parts["broker"]["state"] == parts["quota store"]["state"] == "failed"
    for name in ("broker", "quota store"):
        assert "the log of the server at 127.0.0.1" in parts[name]["mend"]
    assert parts["database"]["state"] == "ok"


@pytest.mark.parametrize(("is_running", "mend"), [(False, "make run"), (True, "valkey.log; then stop make run")])
def test_the_repair_of_the_bundled_broker_is_to_start_or_restart_make_run(
    settings: Any, tmp_path: Path, is_running: bool, mend: str
) -> None:
    settings.DATA_DIR = tmp_path
    settings.CELERY_BROKER_URL = settings.REDIS_URL = f"redis+socket://{tmp_path}/valkey.sock"
    member = subprocess.Popen(["sleep", "60"], env={**os.environ, MARKER: str(tmp_path) if is_running else "another"})
    try:
        parts, _ = examined()
    finally:
        member.kill()
        member.wait()

    for name in ("broker", "quota store"):
        assert parts[name]["mend"].endswith(mend if not is_running else "(Ctrl-C) and start it again")
        assert mend in parts[name]["mend"]


def test_the_command_for_an_ocr_worker_names_the_broker_without_its_password(redis: Service, settings: Any) -> None:
    settings.CELERY_BROKER_URL = f"redis://:canary-71@{redis.url.removeprefix('redis://')}"

    parts, _ = examined()

    mend = parts["worker for OCR"]["mend"]
    assert mend.startswith("CELERY_BROKER_URL='redis://:***@127.0.0.1")
    assert "canary" not in mend


@pytest.mark.parametrize(
    ("url", "sentence"),
    [("postgres://leafmill:canary-71@127.0.0.1:1/leafmill", "does not answer"), ("", "There is no service in ")],
    ids=["stopped", "never created"],
)
def test_a_missing_database_fails_and_is_not_created(tmp_path: Path, url: str, sentence: str) -> None:
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environment |= {"LEAFMILL_DATA": str(tmp_path / "data"), "DATABASE_URL": url}
    done = subprocess.run([*MANAGE, "doctor", "--json"], env=environment, capture_output=True, text=True, timeout=60)
    parts = {finding["name"]: finding for finding in json.loads(done.stdout)["findings"]}

    assert done.returncode == 1
    assert parts["database"]["state"] == "failed"
    assert sentence in parts["database"]["sentence"]
    assert parts["migrations"]["state"] == parts["worker for OCR"]["state"] == "not checked"
    for name in ("storage", "SECRET_KEY"):
        assert parts[name]["state"] == "not checked"
    assert "canary" not in done.stdout + done.stderr
    if url:
        assert parts["database"]["mend"] == "start PostgreSQL at 127.0.0.1:1/leafmill, or check DATABASE_URL"
    assert not (tmp_path / "data").exists()


def test_a_missing_migration_is_named(redis: Service) -> None:
    recorder = MigrationRecorder(connection)
    latest = MigrationLoader(connection).graph.leaf_nodes("jobs")[0]
    recorder.record_unapplied(*latest)
    try:
        parts, code = examined()
    finally:
        recorder.record_applied(*latest)

    assert code == 1
    assert parts["migrations"]["state"] == "failed"
    assert ".".join(latest) in parts["migrations"]["sentence"]
    assert parts["migrations"]["mend"] == f"{PYTHON} manage.py migrate"


def test_an_unwritable_storage_fails(redis: Service, settings: Any, tmp_path: Path) -> None:
    folder = Path(settings.STORAGES["default"]["OPTIONS"]["location"])
    folder.chmod(0o555)
    is_root = os.geteuid() == 0
    if is_root:  # root ignores permissions
        os.seteuid(NOBODY)
    try:
        parts, code = examined()
    finally:
        if is_root:
            os.seteuid(0)

    assert code == 1
    assert parts["storage"]["state"] == "failed"
    assert "Permission denied" in parts["storage"]["sentence"]
    assert str(folder) in parts["storage"]["mend"]


def test_the_check_of_storage_leaves_no_files(redis: Service, settings: Any) -> None:
    examined()

    folder = Path(settings.STORAGES["default"]["OPTIONS"]["location"])
    assert [path for path in folder.rglob("*") if path.is_file()] == []


def test_removals_overdue_for_more_than_a_day_are_reported(redis: Service) -> None:
    before, _ = examined()
    Removal.objects.create(key="jobs/pjb-00/gone", noted_at=Now() - timedelta(days=2), due_at=Now())

    parts, _ = examined()

    assert before["retention"]["state"] == "ok"
    assert parts["retention"]["state"] == "warning"
    assert "2.0 days" in parts["retention"]["sentence"]
    assert parts["retention"]["mend"] == f"{PYTHON} manage.py cleanup"


def test_a_paused_queue_is_reported_with_the_command_that_resumes_it(redis: Service) -> None:
    before, _ = examined()
    pauses.pause(name="parse_raw_file_job", reason="a look at the disks", by="tester")

    parts, _ = examined()

    assert before["paused"]["state"] == "ok"
    assert parts["paused"]["state"] == "warning"
    assert parts["paused"]["sentence"].startswith("parse_raw_file_job, since 20")
    assert parts["paused"]["sentence"].endswith(" UTC, by tester: a look at the disks.")
    assert parts["paused"]["mend"] == f"{PYTHON} manage.py resume parse_raw_file_job"


def test_the_trace_collector_is_checked_if_one_is_configured(redis: Service, settings: Any) -> None:
    assert "traces" not in examined()[0]
    with FakeCollector() as collector:
        settings.TRACES_ENDPOINT = f"{collector.url}/v1/traces"
        assert examined()[0]["traces"]["state"] == "ok"
        collector.refuses = True
        assert examined()[0]["traces"]["sentence"].endswith(" answers 503.")
        settings.TRACES_ENDPOINT = f"{collector.url}/traces"
        assert examined()[0]["traces"]["sentence"].endswith(" accepts no traces at /traces.")

    stopped = examined()[0]["traces"]

    assert stopped["state"] == "warning"
    assert stopped["sentence"].startswith("The collector at 127.0.0.1:")
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in stopped["mend"]


def test_queues_without_a_worker_fail(redis: Service) -> None:
    parts, code = examined()

    assert code == 1
    assert parts["worker of parse_raw_file_job"]["state"] == "failed"
    assert parts["worker of parse_raw_file_job"]["mend"] == f"{PYTHON} manage.py work parse_raw_file_job"
    assert parts["worker of llm"]["state"] == "ok", "no deployment serves this queue"
    assert parts["worker for OCR"]["mend"] == f"CELERY_BROKER_URL={redis.url} {PYTHON} -m ocr_worker ocr_cpu"


def test_a_model_queue_needs_a_worker_if_a_deployment_serves_it(redis: Service) -> None:
    house = Provider.objects.create(name="house", family="openai")
    Deployment.objects.create(name="house", provider=house, model="m", serves_llm=True)

    parts, _ = examined()

    assert parts["worker of llm"]["state"] == "failed"
    assert parts["worker of lvm"]["state"] == "ok"


def test_live_workers_are_found(redis: Service) -> None:
    register_worker("housekeeping")
    workers.record_worker_stopped(register_worker("parse_raw_file_job"))
    stop_heartbeat(register_worker("parse_raw_file_job_pages"))
    register_worker("ocr_cpu")

    parts, _ = examined()

    assert parts["worker of housekeeping"]["state"] == "ok"
    assert parts["worker of parse_raw_file_job"]["state"] == "failed"
    assert parts["worker of parse_raw_file_job_pages"]["state"] == "failed"
    assert parts["worker for OCR"]["state"] == "ok"


def test_providers_are_called_only_with_the_option(redis: Service, provider: FakeProvider) -> None:
    provider.read_pictures()
    ProviderClient().warm_up()  # to import the client takes seconds, on a busy machine more than a check may take
    deploy(provider, "openai", name="house")
    deploy(provider, "azure", name="free", prices=None)  # no price list has a model of this name

    without, _ = examined()
    called, _ = examined("--providers")

    assert without["deployment house"]["state"] == "not checked"
    assert "--providers" in without["deployment house"]["sentence"]
    assert called["deployment house"]["state"] == "ok"
    assert len(provider.requests()) == 4  # each a page of text and a picture
    for parts in (without, called):
        assert "Its price is not set" in parts["deployment free"]["sentence"]
        assert "price" not in parts["deployment house"]["sentence"]


def test_the_page_shows_staff_the_same_findings(redis: Service, admin: Client) -> None:
    page = admin.get(PAGE).content.decode()

    assert "Something failed." in page
    assert "No worker has reported in the last 45 s: work in this queue waits." in page
    assert f"{PYTHON} manage.py work housekeeping" in page


def test_only_staff_can_open_the_page(django_user_model: Any) -> None:
    user = Client()
    user.force_login(django_user_model.objects.create_user("user", password="secret"))

    for client in (Client(), user):
        assert client.get(PAGE).status_code == client.post(PAGE).status_code == 302


def test_the_table_lists_parts_and_repairs(redis: Service) -> None:
    out = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("doctor", stdout=out)

    assert ended.value.code == 1
    lines = out.getvalue().splitlines()
    assert any(line.startswith("ok           database") for line in lines)
    assert any(line.strip().endswith(f"{PYTHON} -m ocr_worker ocr_cpu") for line in lines)
    assert "failed" in lines[-1]
