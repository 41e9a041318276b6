"""Options and output that ``manage.py capacity`` and ``manage.py simulate`` share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from django.core.management.base import CommandError, CommandParser

from apps.capacity import report
from apps.capacity.chart import as_png
from apps.capacity.errors import CannotPlan
from apps.capacity.plan import LoadRequest, Plan, plan
from apps.capacity.simulation.panels import panels_of
from apps.capacity.simulation.run import Simulated
from apps.capacity.simulation.scenario import DAILY_PEAK, LOADS, RATES, Scenario, simulated
from apps.capacity.simulation.stage import Autoscaler
from apps.capacity.sizing import OVERLAYS
from apps.parsing.modes import MODES

USAGE = 2  # exit code for wrong options
DEFAULT_PAGES_PER_MINUTE = 1000.0


def add_load_options(parser: CommandParser, *, required: bool) -> None:
    """Add the options that describe a load."""
    add = parser.add_argument
    add("--pages-per-minute", type=float, required=required, default=DEFAULT_PAGES_PER_MINUTE, help="on average")
    add("--mode", choices=MODES, default="balanced", help="balanced by default")
    add("--peak", type=float, default=1.0, help="load of the busiest minute as a multiple of the average (1)")
    add("--ocr-share", type=float, default=0.3, help="share of pages that need OCR, 0 to 1 (0.3)")
    add("--gpu", action="store_true", help="OCR on GPUs")
    add("--overlay", choices=OVERLAYS, default="production", help="production by default")
    add("--call-seconds", type=float, help="duration of a model call; default: the mean of the last 24 hours")
    add("--json", action="store_true", help="print one JSON object")


def add_simulation_options(parser: CommandParser) -> None:
    """Add the options of a simulation."""
    add = parser.add_argument
    add(
        "--projects",
        type=int,
        default=1,
        help="number of projects that share the load; each has a window in every queue (1)",
    )
    add(
        "--load",
        choices=LOADS,
        default="constant",
        help=f"daily: the curve of a day, with --peak or {DAILY_PEAK:g} as its peak",
    )
    add("--hours", type=float, help="simulated time (4; a daily load 24)")
    add("--burst", type=float, default=0.0, metavar="PAGES", help="additional pages in the tenth minute")
    add("--recorded", type=float, metavar="HOURS", help="replay the jobs of the last hours instead of --load")
    add(
        "--rates",
        choices=RATES,
        default="guide",
        help="speed of a pod: as in the guide, or as measured on this machine",
    )
    add("--pages-per-message", type=int, help="pages per message of the reading stage (PAGES_PER_RANGE)")
    add("--most-pods", type=int, help="maximum of pods per workload, instead of the overlay's")
    add("--pod-start", type=int, default=Autoscaler.pod_start, help="seconds until a new pod works (30)")
    add("--chart", type=Path, metavar="FILE.png", help="draw a chart")


def load_request_of(options: dict[str, Any]) -> LoadRequest:
    return LoadRequest(
        pages_per_minute=options["pages_per_minute"],
        mode=options["mode"],
        peak=options["peak"],
        ocr_share=options["ocr_share"],
        gpu=options["gpu"],
        overlay=options["overlay"],
        call_seconds=options["call_seconds"],
    )


def scenario_of(options: dict[str, Any]) -> Scenario:
    return Scenario(
        projects=options["projects"],
        load=options["load"],
        hours=options["hours"] or (24.0 if options["load"] == "daily" else 4.0),
        burst=options["burst"],
        recorded_hours=options["recorded"],
        rates=options["rates"],
        pages_per_message=options["pages_per_message"],
        most_pods=options["most_pods"],
        autoscaler=Autoscaler(pod_start=options["pod_start"]),
    )


def plan_and_print(
    options: dict[str, Any], write: Callable[[str], object], *, shows_plan: bool, simulates: bool
) -> tuple[Plan, Simulated | None]:
    """Plan, simulate, draw the chart and print, according to the options. Raise CommandError for invalid ones."""
    try:
        planned = plan(load_request_of(options))
        run = simulated(planned, scenario_of(options)) if simulates else None
    except CannotPlan as error:
        raise CommandError(str(error), returncode=USAGE) from error
    chart: Path | None = options["chart"]
    if run is not None and chart is not None:
        try:
            chart.write_bytes(as_png(panels_of(run)))
        except OSError as error:
            raise CommandError(f"{chart} cannot be written: {error.strerror}.", returncode=USAGE) from error
    if options["json"]:
        output = ({"plan": planned} if shows_plan else {}) | ({} if run is None else {"simulation": run})
        write(msgspec.json.format(msgspec.json.encode(output), indent=2).decode())
        return planned, run
    write(report.plan_title(planned))
    if shows_plan:
        write("\n".join(["", report.table(report.plan_rows(planned)), "", *report.plan_sentences(planned)]))
    if run is not None:
        write("\n" + report.simulation_text(run))
        if chart is not None:
            write(f"Chart: {chart}")
        if planned.model is not None and planned.model.quotas is None and not shows_plan:
            write(" ".join(report.quota_sentences(planned.model, planned.wanted.pages_per_minute)))
    return planned, run
