"""A plan and a simulation for people: rows and sentences, the same on the command line and in the admin."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from apps.capacity import sizing
from apps.capacity.measurements import HOW_TO_MEASURE
from apps.capacity.plan import ModelPlan, Plan
from apps.capacity.simulation import WINDOW, BindingLimit, Simulated
from apps.capacity.sizing import Basis, Scaler

MAX_LISTED_BINDINGS = 10
BASIS_IN_WORDS = {
    Basis.ANCHOR: "the deployment guide names this load",
    Basis.INTERPOLATED: "interpolated between two loads that the deployment guide names",
    Basis.EXTRAPOLATED: "extrapolated: the deployment guide names no load beyond 1,000 to 10,000 pages a minute",
}
_SOURCES = {
    "asked": "as asked",
    "ledger": "the mean of the last day's calls",
    "benchmark": "assumed, as in the benchmark: no call was answered on the last day",
}


@dataclass(frozen=True)
class Row:
    """A workload: what it takes, what the overlay gives, what was measured."""

    what: str
    pods: str
    overlay: str = ""
    measured: str = ""


HEADINGS = Row("workload", "pods", "overlay", "measured here")


def plan_title(plan: Plan) -> str:
    wanted = plan.wanted
    peak = f", {wanted.busiest:,.0f} in the busiest minute" if wanted.peak > 1 else ""
    return (
        f"{wanted.pages_per_minute:,.0f} pages a minute{peak}, {wanted.mode} mode, {wanted.ocr_share:.0%} of them "
        f"through OCR, overlay {wanted.overlay}"
    )


def plan_rows(plan: Plan) -> list[Row]:
    """The table; ``HEADINGS`` stands over it."""
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
        workers = plan.model.workers
        mode = plan.wanted.mode
        told = _machines(plan, plan.machines.model, measured.of_mode(mode), mode)
        rows.append(Row(plan.model.page_parser, f"{workers:,}", _bounds(plan.model.scaler, workers), told))
    return rows


def plan_sentences(plan: Plan) -> list[str]:
    told = [f"Parse and OCR pods: {BASIS_IN_WORDS[plan.guide.basis]}. Parse pods fill {plan.guide.nodes:,} nodes."]
    least = plan.overlay.parse.minimum
    if least > plan.guide.parse:
        nodes = sizing.nodes_of(least)
        told.append(f"The overlay never runs fewer than {least:,} parse pods, on {nodes:,} nodes: lower its least.")
    told.append("Order by the pods; what was measured is for machines like that of the benchmarks.")
    if plan.wanted.ocr_share and plan.ocr_window < plan.ocr_pods:
        told.append(
            f"One project has at most {plan.ocr_window:,} pages with OCR at once, so it alone keeps fewer than "
            f"{plan.ocr_pods:,} OCR pods busy: raise WINDOW_PER_PROJECT where most pages are one project's."
        )
    if plan.model is not None:
        told += _model_sentences(plan.model)
        told += quota_sentences(plan.model, plan.wanted.pages_per_minute)
    return told


def _model_sentences(model: ModelPlan) -> list[str]:
    demand = model.demand
    calls = f"{model.width} calls in flight each, {model.call_seconds:.3g} s a call"
    tokens = f"{demand.input_tokens:,.0f} input tokens, {demand.output_tokens:,.0f} output tokens"
    return [
        f"Model workers: {calls} ({_SOURCES[model.call_seconds_from]}).",
        f"Models, in the busiest minute: {demand.requests:,.0f} requests, {tokens}.",
        f"One project has at most {model.window:,} pages there at once: {model.pages_of_a_project:,.0f} a minute.",
    ]


def quota_sentences(model: ModelPlan, pages_per_minute: float) -> list[str]:
    if not model.is_configured:
        return ["The database does not answer or is not migrated, so quotas and prices are not looked at."]
    if model.quotas is None:
        return [f"No deployment serves {model.page_parser}: load some with manage.py load_providers FILE."]
    quotas = model.quotas
    rate = "any number of" if math.isinf(quotas.pages_per_minute) else f"{quotas.pages_per_minute:,.0f}"
    told = [f"Quotas of {', '.join(model.deployments)}: {rate} pages a minute."]
    if quotas.is_enough:
        told.append("They are large enough.")
    else:
        lacking = [(quotas.lacking_per_minute, "in the busiest minute"), (quotas.lacking_per_day, "a day")]
        told += [f"They lack {pages:,.0f} pages {when}." for pages, when in lacking if pages]
        told += [f"Too small: {each.in_words()}." for each in quotas.too_small]
    return [*told, _money_sentence(model, pages_per_minute, all_pass=quotas.pages_per_minute >= pages_per_minute)]


def _money_sentence(model: ModelPlan, pages_per_minute: float, *, all_pass: bool) -> str:
    hour = f"An hour of {pages_per_minute:,.0f} pages a minute costs"
    if model.dollars_per_hour is None:
        return f"{hour} unknown: no price is set for {', '.join(model.without_price)}."
    return f"{hour} ${model.dollars_per_hour:,.2f}{'' if all_pass else ', for the pages that the quotas let through'}."


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
    cells = [(row.what, row.pods, row.overlay, row.measured) for row in (HEADINGS, *rows)]
    widths = [max(len(cell[column]) for cell in cells) for column in range(3)]
    return "\n".join(
        f"{what:<{widths[0]}}  {pods:>{widths[1]}}  {overlay:<{widths[2]}}  {measured}".rstrip()
        for what, pods, overlay, measured in cells
    )


# --- simulation ---


def simulation_pairs(run: Simulated) -> list[tuple[str, str]]:
    """What is to be told of a simulation, name and value."""
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
        pairs.append((f"pod hours, {name}", f"{hours:,.1f} (at most {run.most_pods[name]:,} pods at once)"))
    for name, seconds in run.at_most_seconds.items():
        if seconds:
            pairs.append((f"all pods in use, {name}", f"the overlay's most, for {_duration(seconds)}"))
    return pairs


def binding_sentences(run: Simulated) -> list[str]:
    """When quotas and windows held pages back, the longest times first."""
    longest = sorted(run.bindings, key=lambda each: each.from_seconds - each.until_seconds)
    told = [_binding(each) for each in longest[:MAX_LISTED_BINDINGS]]
    more = len(longest) - len(told)
    return [*told, *([f"... and {more} times more."] if more else [])]


def _binding(each: BindingLimit) -> str:
    times = f"from {_clock(each.from_seconds)} to {_clock(each.until_seconds)}"
    if each.limit == WINDOW:
        return f"The projects' windows ({each.where}) hold pages back {times}; pods stand idle meanwhile."
    return f"The quota of {each.where} ({each.limit.replace('_', ' ')}) holds pages back {times}."


def _clock(seconds: float) -> str:
    """Hours and minutes since the beginning."""
    return f"{int(seconds // 3600)}:{int(seconds % 3600 // 60):02} h"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
