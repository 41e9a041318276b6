"""Options and output that ``manage.py capacity`` and ``manage.py simulate`` share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from django.core.management.base import CommandError, CommandParser

from apps.capacity import report as words
from apps.capacity.chart import as_png
from apps.capacity.errors import CannotPlan
from apps.capacity.plan import DAILY_PEAK, LOADS, RATES, LoadRequest, Plan, Scenario, plan, simulated
from apps.capacity.simulation import Autoscaler, Simulated
from apps.capacity.simulation_chart import panels_of
from apps.capacity.sizing import OVERLAYS
from apps.parsing.modes import MODES

USAGE = 2  # exit code for wrong options
USUAL_PAGES_PER_MINUTE = 1000.0


def add_load_options(parser: CommandParser, *, required: bool) -> None:
    """Add the options that describe a load."""
    add = parser.add_argument
    add("--pages-per-minute", type=float, required=required, default=USUAL_PAGES_PER_MINUTE, help="on average")
    add("--mode", choices=MODES, default="balanced", help="balanced by default")
    add("--peak", type=float, default=1.0, help="the busiest minute has so many times the average (1)")
    add("--ocr-share", type=float, default=0.3, help="share of pages that need OCR, 0 to 1 (0.3)")
    add("--gpu", action="store_true", help="OCR on GPUs")
    add("--overlay", choices=OVERLAYS, default="production", help="production by default")
    add("--call-seconds", type=float, help="seconds of a model's answer; default: as on the last day")
    add("--json", action="store_true", help="one JSON object")


def add_simulation_options(parser: CommandParser) -> None:
    """Add the options of a simulation."""
    add = parser.add_argument
    add("--projects", type=int, default=1, help="whose pages these are: each has a window in every queue (1)")
    add("--load", choices=LOADS, default="constant", help=f"daily: a day's curve, its peak {DAILY_PEAK:g} or --peak")
    add("--hours", type=float, help="how long (4, a daily load 24)")
    add("--burst", type=float, default=0.0, metavar="PAGES", help="so many pages more in the tenth minute")
    add("--recorded", type=float, metavar="HOURS", help="the jobs of the last hours instead of --load")
    add("--rates", choices=RATES, default="guide", help="pods as the guide's or as this machine was measured")
    add("--pages-per-message", type=int, help="what a message of reading asks for (PAGES_PER_RANGE)")
    add("--most-pods", type=int, help="of each workload, instead of the overlay's most")
    add("--pod-start", type=int, default=Autoscaler.pod_start, help="seconds until a new pod works (30)")
    add("--chart", type=Path, metavar="FILE.png", help="draw it")


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


def answer(
    options: dict[str, Any], write: Callable[[str], object], *, tells_plan: bool, simulates: bool
) -> tuple[Plan, Simulated | None]:
    """Plan, simulate, draw and print as the options demand."""
    try:
        planned = plan(load_request_of(options))
        run = simulated(planned, scenario_of(options)) if simulates else None
    except CannotPlan as error:
        raise CommandError(str(error), returncode=USAGE) from error
    if run is not None and options["chart"] is not None:
        _draw(run, options["chart"])
    if options["json"]:
        told = ({"plan": planned} if tells_plan else {}) | ({} if run is None else {"simulation": run})
        write(msgspec.json.format(msgspec.json.encode(told), indent=2).decode())
        return planned, run
    write(words.plan_title(planned))
    if tells_plan:
        write("\n".join(["", words.table(words.plan_rows(planned)), "", *words.plan_sentences(planned)]))
    if run is not None:
        write("\n" + _simulation_text(run))
        if options["chart"] is not None:
            write(f"Chart: {options['chart']}")
        if planned.model is not None and planned.model.quotas is None and not tells_plan:
            write(" ".join(words.quota_sentences(planned.model, planned.wanted.pages_per_minute)))
    return planned, run


def _simulation_text(run: Simulated) -> str:
    pairs = words.simulation_pairs(run)
    width = max(len(name) for name, _ in pairs)
    return "\n".join([*(f"{name:<{width}}  {value}" for name, value in pairs), *words.binding_sentences(run)])


def _draw(run: Simulated, path: Path) -> None:
    try:
        path.write_bytes(as_png(panels_of(run)))
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}.", returncode=USAGE) from error
