"""manage.py capacity and simulate, with the guide, the configured quotas and a recorded load."""

from __future__ import annotations

import io
import json
import os
import subprocess
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from PIL import Image

from apps.accounts import services as accounts
from apps.jobs.models import ParseJob
from apps.providers.models import CallOutcome, Deployment, Provider, Quota, Usage
from tests.acceptance.running_service import MANAGE


@pytest.fixture(autouse=True)
def _database(transactional_db: None) -> None:
    return


def deployment(name: str = "house", *, price: str | None = "1", order: int = 1, **quota: Any) -> Deployment:
    provider, _ = Provider.objects.get_or_create(name="provider", family="openai")
    cost = Decimal(price) if price else None
    row = Deployment.objects.create(
        name=name, provider=provider, model="m", serves_llm=True, order=order, input_price=cost, output_price=cost
    )
    Quota.objects.create(deployment=row, **quota)
    return row


def run(*arguments: str) -> tuple[str, int]:
    """Run a command. Return its output and its exit code."""
    out = io.StringIO()
    try:
        call_command(*arguments, stdout=out)
    except SystemExit as ended:
        return out.getvalue(), int(str(ended.code))
    return out.getvalue(), 0


def as_json(*arguments: str) -> tuple[Any, int]:
    text, code = run(*arguments, "--json")
    return json.loads(text), code


def test_the_pods_tokens_and_costs_of_a_load_are_printed() -> None:
    deployment()

    text, code = run("capacity", "--pages-per-minute", "10000")

    assert code == 0
    rows = {line.split("  ")[0]: line for line in text.splitlines()}
    assert rows["parse"].split()[1] == "64"
    assert rows["OCR on CPUs"].split()[3] == "128"
    assert "the deployment guide names this load" in text
    assert "10,100 requests, 12,000,000 input tokens, 15,000,000 output tokens" in text
    # 27 million tokens a minute at $1 a million.
    assert "An hour of 10,000 pages a minute costs $1,620.00." in text


def test_pods_are_computed_for_the_peak() -> None:
    plan = as_json("capacity", "--pages-per-minute", "5000", "--peak", "2", "--mode", "fast", "--gpu")[0]["plan"]

    assert plan["guide"] == {"parse": 64, "ocr_cpu": 128, "ocr_gpu": 12, "nodes": 11, "basis": "anchor"}
    assert plan["model"] is None


def test_a_quota_that_is_too_small_is_listed_and_ends_with_exit_code_1() -> None:
    deployment(requests_per_window=500, tokens_per_window=10_000_000)

    text, code = run("capacity", "--pages-per-minute", "1000")

    assert code == 1
    assert "They lack 508 pages in the busiest minute." in text
    assert "Too small: house: 500 requests a minute are too few by 517; 1,017 are needed." in text
    assert "tokens a minute are too few" not in text


def test_deployments_add_up_except_paused_ones() -> None:
    deployment("first", requests_per_window=600)
    second = deployment("second", order=2, requests_per_window=600)
    together = run("capacity", "--pages-per-minute", "1000")[1]
    second.paused = True
    second.save()

    alone = run("capacity", "--pages-per-minute", "1000")[1]

    assert (together, alone) == (0, 1)


def test_external_deployments_do_not_count_if_they_are_not_allowed(settings: Any) -> None:
    deployment()
    settings.EXTERNAL_PROVIDERS = False

    text, code = run("capacity", "--pages-per-minute", "1000")

    assert code == 1
    assert "No deployment serves llm" in text


def test_costs_are_unknown_without_a_price() -> None:
    deployment(price=None)
    deployment("priced", order=2)

    plan = as_json("capacity", "--pages-per-minute", "1000")[0]["plan"]
    text = run("capacity", "--pages-per-minute", "1000")[0]

    assert plan["model"]["dollars_per_hour"] is None
    assert plan["model"]["without_price"] == ["house"]
    assert "costs unknown: no price is set for house." in text


def test_prices_that_nobody_entered_are_those_of_the_price_table() -> None:
    deployment(price="3")
    entered = as_json("capacity", "--pages-per-minute", "1000")[0]["plan"]["model"]
    Deployment.objects.update(input_price=None, output_price=None, listed_prices={"input": "3", "output": "3"})

    listed = as_json("capacity", "--pages-per-minute", "1000")[0]["plan"]["model"]

    assert listed["dollars_per_hour"] == entered["dollars_per_hour"] > 0
    assert listed["without_price"] == []


def test_a_plan_needs_no_database(tmp_path: Path) -> None:
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environment |= {"LEAFMILL_DATA": str(tmp_path)}
    command = [*MANAGE, "capacity", "--pages-per-minute", "10000", "--simulate", "--hours", "1"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)

    assert done.returncode == 1
    assert "parse" in done.stdout
    assert "so quotas and prices are not checked" in done.stdout
    assert "wait of a page, p95" in done.stdout
    assert done.stderr == ""


def test_the_duration_of_calls_comes_from_the_ledger() -> None:
    call = {"project_id": accounts.default_project().pk, "job_id": "pjb-1", "page_number": 1, "page_parser": "llm"}
    Usage.objects.create(
        **call,
        deployment=deployment(),
        provider_name="provider",
        model="m",
        started_at=timezone.now(),
        seconds=20.0,
        outcome=CallOutcome.ANSWERED,
        input_tokens=1,
        output_tokens=1,
    )

    model = as_json("capacity", "--pages-per-minute", "10000")[0]["plan"]["model"]

    assert (model["call_seconds"], model["call_seconds_from"]) == (20.0, "ledger")
    assert model["workers"] == 14  # 10,100 calls of 20 s are 3,367 in flight, 250 to a worker


def test_an_overlay_with_too_few_pods_is_reported() -> None:
    text, _ = run("capacity", "--pages-per-minute", "10000", "--mode", "fast", "--overlay", "development")

    assert "3 to 12: 52 too few" in text


def test_an_overlay_with_too_many_pods_is_reported() -> None:
    text, _ = run("capacity", "--pages-per-minute", "1000", "--mode", "fast")

    assert "The overlay never runs fewer than 96 parse pods, on 16 nodes" in text


def test_a_project_that_cannot_use_all_ocr_pods_is_reported() -> None:
    within, _ = run("capacity", "--pages-per-minute", "10000", "--mode", "fast")
    beyond, _ = run("capacity", "--pages-per-minute", "20000", "--mode", "fast")

    assert "WINDOW_PER_PROJECT" not in within
    assert (
        "One project has at most 128 pages in OCR at the same time, so it alone keeps fewer than 256 OCR pods busy"
        in beyond
    )


def test_a_missing_measurement_is_reported_with_its_command(settings: Any, tmp_path: Path) -> None:
    settings.BASE_DIR = tmp_path

    text, _ = run("capacity", "--pages-per-minute", "10000", "--mode", "fast")

    assert "not measured: make bench ARGS=service" in text
    with pytest.raises(CommandError, match="Not measured yet: fast"):
        call_command("simulate", "--mode", "fast", "--rates", "measured")


def test_measured_machines_are_printed_beside_the_pods(settings: Any, tmp_path: Path) -> None:
    settings.BASE_DIR = tmp_path
    results = tmp_path / "bench" / "results"
    results.mkdir(parents=True)
    rate = {"what": "documents of 20 to 500 pages: pages a minute", "value": 3_000.0, "unit": "pages/min"}
    (results / "service-embedded.json").write_text(json.dumps([rate]))

    text, _ = run("capacity", "--pages-per-minute", "10000", "--mode", "fast")
    simulated, _ = as_json("simulate", "--mode", "fast", "--ocr-share", "0", "--rates", "measured", "--hours", "1")

    assert "4 machines, 3,000 pages a minute each" in text
    assert simulated["simulation"]["pages_done"] > 0


def test_a_simulation_reports_when_a_quota_binds_and_draws_a_chart(tmp_path: Path) -> None:
    deployment(requests_per_window=300)
    chart = tmp_path / "chart.png"

    text, code = run(
        "simulate",
        *("--pages-per-minute", "100", "--burst", "20000", "--overlay", "staging", "--chart", str(chart)),
    )

    assert code == 0
    assert "The quota of house (requests) delays pages from 0:1" in text
    for name in ("wait of a page, p50", "wait of a page, p95", "largest backlog", "pod hours, model"):
        assert name in text
    assert f"Chart: {chart}" in text
    assert Image.open(chart).format == "PNG"


def test_the_windows_of_projects_delay_pages(settings: Any) -> None:
    alone = run("simulate", "--pages-per-minute", "5000", "--mode", "agentic")[0]
    many = run("simulate", "--pages-per-minute", "5000", "--mode", "agentic", "--projects", "20")[0]
    plan = run("capacity", "--pages-per-minute", "5000", "--mode", "agentic")[0]

    assert "The projects' windows (model) delay pages" in alone
    assert "The projects' windows" not in many
    # Calls of 4 s, two per page: 150 pages at the same time are 1,125 a minute.
    assert "One project has at most 150 pages there at the same time: 1,125 a minute." in plan


def test_capacity_also_simulates_on_request() -> None:
    output, _ = as_json("capacity", "--pages-per-minute", "100", "--mode", "fast", "--simulate", "--hours", "1")

    assert set(output) == {"plan", "simulation"}
    assert output["simulation"]["pages_in"] == pytest.approx(6_000)


def test_the_load_of_the_last_hours_is_replayed() -> None:
    now = timezone.now()
    for minutes_ago, pages in ((30, 700), (90, 300), (60 * 5, 10_000)):
        ParseJob.objects.create(
            project=accounts.default_project(),
            mode="fast",
            page_count=pages,
            created_at=now - timedelta(minutes=minutes_ago),
            updated_at=now,
            deadline_at=now,
        )

    simulated = as_json("simulate", "--recorded", "2", "--mode", "fast")[0]["simulation"]

    assert simulated["pages_in"] == 1_000
    assert simulated["seconds"] == 2 * 3600


def test_a_replay_without_jobs_is_refused() -> None:
    with pytest.raises(CommandError, match="No job was created in the last 2 hours"):
        call_command("simulate", "--recorded", "2", "--mode", "fast")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--pages-per-minute", "0"], "Pages a minute must be from 0.001 to 1,000,000, not 0"),
        (["--pages-per-minute", "nan"], "Pages a minute"),
        (["--pages-per-minute", "10", "--ocr-share", "30"], "The share of pages for OCR"),
        (["--pages-per-minute", "10", "--peak", "0.5"], "The peak"),
        (["--pages-per-minute", "10", "--call-seconds", "0"], "The seconds of a call"),
        (["--pages-per-minute", "10", "--simulate", "--hours", "1000"], "Hours"),
        (["--pages-per-minute", "10", "--chart", "/nowhere/chart.png", "--mode", "fast"], "cannot be written"),
    ],
)
def test_invalid_options_are_refused(options: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message) as refused:
        call_command("capacity", *options)
    assert refused.value.returncode == 2
