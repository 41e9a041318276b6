"""Rows and sentences that describe a plan and a simulation, the same on the command line and in the admin."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from apps.capacity import sizing
from apps.capacity.measurements import HOW_TO_MEASURE
from apps.capacity.plan import ModelPlan, Plan
from apps.capacity.simulation.limits import WINDOW
from apps.capacity.simulation.run import Simulated
from apps.capacity.sizing import Basis, Scaler

MAX_LISTED_BINDINGS = 10
BASIS_IN_WORDS = {
    Basis.ANCHOR: "the deployment guide names this load",
    Basis.INTERPOLATED: "interpolated between two loads that the deployment guide names",
    Basis.EXTRAPOLATED: "extrapolated: the deployment guide names no load beyond 1,000 to 10,000 pages a minute",
}
_SOURCES = {
    "asked": "as given",
    "ledger": "the mean of the last 24 hours' calls",
    "benchmark": "assumed, as in the benchmark: no call was answered in the last 24 hours",
}


@dataclass(frozen=True)
class Row:
    """A workload: pods that it needs, the overlay's bounds, machines by the measurement."""

    what: str
    pods: str
    overlay: str = ""
    measured: str = ""


HEADINGS = Row("workload", "pods", "overlay", "measured here")


def plan_title(plan: Plan) -> str:
    """Return the load in one line."""
    wanted = plan.wanted
    peak = f", {wanted.busiest:,.0f} in the busiest minute" if wanted.peak > 1 else ""
    return (
        f"{wanted.pages_per_minute:,.0f} pages a minute{peak}, {wanted.mode} mode, {wanted.ocr_share:.0%} of them "
        f"through OCR, overlay {wanted.overlay}"
    )


def plan_rows(plan: Plan) -> list[Row]:
    """Return the rows of the table below ``HEADINGS``."""
    guide, overlay, measured, gpu = plan.guide, plan.overlay, plan.measured, plan.wanted.gpu
    ocr_pods, ocr_name = plan.ocr_pods, "ocr_gpu" if gpu else "ocr"
    rows = [
        Row(
            "parse",
            f"{guide.parse:,}",
            _bounds(overlay.parse, guide.parse),
            _machines(plan, plan.machines.fast, measured.fast, "fast"),
        ),
        Row(
            "OCR on GPUs" if gpu else "OCR on CPUs",
            f"{ocr_pods:,}",
            _bounds(overlay.ocr(gpu=gpu), ocr_pods),
            _machines(plan, plan.machines.ocr, measured.ocr_gpu if gpu else measured.ocr, ocr_name),
        ),
    ]
    if plan.model is not None:
        workers, mode = plan.model.workers, plan.wanted.mode
        machines = _machines(plan, plan.machines.model, measured.of_mode(mode), mode)
        rows.append(Row(plan.model.page_parser, f"{workers:,}", _bounds(plan.model.scaler, workers), machines))
    return rows


def plan_sentences(plan: Plan) -> list[str]:
    """Return notes on the pods, the models, the quotas and the costs."""
    sentences = [f"Parse and OCR pods: {BASIS_IN_WORDS[plan.guide.basis]}. Parse pods fill {plan.guide.nodes:,} nodes."]
    minimum = plan.overlay.parse.minimum
    if minimum > plan.guide.parse:
        nodes = sizing.nodes_of(minimum)
        sentences.append(
            f"The overlay never runs fewer than {minimum:,} parse pods, on {nodes:,} nodes: lower its minimum."
        )
    sentences.append("Order nodes for the pods; the measured column is for machines like that of the benchmarks.")
    if plan.wanted.ocr_share and plan.ocr_window < plan.ocr_pods:
        sentences.append(
            f"One project has at most {plan.ocr_window:,} pages in OCR at the same time, so it alone keeps fewer than "
            f"{plan.ocr_pods:,} OCR pods busy: raise WINDOW_PER_PROJECT if most pages belong to one project."
        )
    model = plan.model
    if model is None:
        return sentences
    calls = f"{model.width} calls in flight each, {model.call_seconds:.3g} s a call"
    tokens = f"{model.demand.input_tokens:,.0f} input tokens, {model.demand.output_tokens:,.0f} output tokens"
    window = f"{model.window:,} pages there at the same time: {model.pages_of_a_project:,.0f} a minute"
    return [
        *sentences,
        f"Model workers: {calls} ({_SOURCES[model.call_seconds_from]}).",
        f"Models, in the busiest minute: {model.demand.requests:,.0f} requests, {tokens}.",
        f"One project has at most {window}.",
        *quota_sentences(model, plan.wanted.pages_per_minute),
    ]


def quota_sentences(model: ModelPlan, pages_per_minute: float) -> list[str]:
    """Return whether the quotas are large enough, and the costs of an hour."""
    if not model.is_configured:
        return ["The database does not respond or is not migrated, so quotas and prices are not checked."]
    if model.quotas is None:
        return [f"No deployment serves {model.page_parser}: load one with manage.py load_providers FILE."]
    quotas = model.quotas
    rate = "any number of" if math.isinf(quotas.pages_per_minute) else f"{quotas.pages_per_minute:,.0f}"
    sentences = [f"Quotas of {', '.join(model.deployments)}: {rate} pages a minute."]
    if quotas.is_enough:
        sentences.append("They are large enough.")
    else:
        lacking = [(quotas.lacking_per_minute, "in the busiest minute"), (quotas.lacking_per_day, "a day")]
        sentences += [f"They lack {pages:,.0f} pages {when}." for pages, when in lacking if pages]
        sentences += [f"Too small: {each.in_words()}." for each in quotas.too_small]
    if model.dollars_per_hour is None:
        cost = f"unknown: no price is set for {', '.join(model.without_price)}"
    else:
        suffix = "" if quotas.pages_per_minute >= pages_per_minute else ", for the pages that the quotas allow"
        cost = f"${model.dollars_per_hour:,.2f}{suffix}"
    return [*sentences, f"An hour of {pages_per_minute:,.0f} pages a minute costs {cost}."]


def _bounds(scaler: Scaler, needed: int) -> str:
    bounds = f"{scaler.minimum:,} to {scaler.maximum:,}"
    return bounds if needed <= scaler.maximum else f"{bounds}: {needed - scaler.maximum:,} too few"


def _machines(plan: Plan, machines: int | None, rate: float | None, name: str) -> str:
    if machines is None:
        return f"not measured: {HOW_TO_MEASURE[name]}"
    if rate is None:
        return "none"
    cores = f" of {plan.measured.cores} cores" if plan.measured.cores else ""
    return f"{machines:,} machine{'s' if machines != 1 else ''}{cores}, {rate:,.0f} pages a minute each"


def table(rows: Sequence[Row]) -> str:
    """Return the rows below their headings as text for a terminal."""
    cells = [(row.what, row.pods, row.overlay, row.measured) for row in (HEADINGS, *rows)]
    widths = [max(len(cell[column]) for cell in cells) for column in range(3)]
    return "\n".join(
        f"{what:<{widths[0]}}  {pods:>{widths[1]}}  {overlay:<{widths[2]}}  {measured}".rstrip()
        for what, pods, overlay, measured in cells
    )


# --- simulation ---


def simulation_pairs(run: Simulated) -> list[tuple[str, str]]:
    """Return the figures of a simulation as names and values."""
    pairs = [
        ("pages in", f"{run.pages_in:,.0f} in {run.seconds / 3600:g} h"),
        ("pages done", f"{run.pages_done:,.0f}"),
        ("wait of a page, p50", _duration(run.wait_p50)),
        ("wait of a page, p95", _duration(run.wait_p95)),
        ("longest wait", _duration(run.longest_wait)),
        ("largest backlog", f"{run.largest_backlog:,.0f} pages, at {_clock(run.largest_backlog_minute * 60)}"),
        ("backlog at the end", f"{run.backlog_left:,.0f} pages"),
    ]
    for name, hours in run.pod_hours.items():
        pairs.append((f"pod hours, {name}", f"{hours:,.1f} (at most {run.most_pods[name]:,} pods)"))
    for name, seconds in run.at_most_seconds.items():
        if seconds:
            pairs.append((f"time at maximum pods, {name}", _duration(seconds)))
    return pairs


def binding_sentences(run: Simulated) -> list[str]:
    """Return when quotas and windows delayed pages, the longest times first."""
    longest = sorted(run.bindings, key=lambda each: each.from_seconds - each.until_seconds)
    sentences = []
    for each in longest[:MAX_LISTED_BINDINGS]:
        times = f"from {_clock(each.from_seconds)} to {_clock(each.until_seconds)}"
        if each.limit == WINDOW:
            sentences.append(f"The projects' windows ({each.where}) delay pages {times}, and pods are idle.")
        else:
            sentences.append(f"The quota of {each.where} ({each.limit.replace('_', ' ')}) delays pages {times}.")
    more = len(longest) - MAX_LISTED_BINDINGS
    return [*sentences, *([f"... and {more} more times."] if more > 0 else [])]


def simulation_text(run: Simulated) -> str:
    """Return the figures and the sentences as text for a terminal."""
    pairs = simulation_pairs(run)
    width = max(len(name) for name, _ in pairs)
    return "\n".join([*(f"{name:<{width}}  {value}" for name, value in pairs), *binding_sentences(run)])


def _clock(seconds: float) -> str:
    """Return hours and minutes since the start."""
    return f"{int(seconds // 3600)}:{int(seconds % 3600 // 60):02} h"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
