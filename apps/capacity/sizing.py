"""Pods and model requests for a load, computed from the figures of the deployment guide. No database.

The guide's table has only two loads, its anchors. Between them pods are interpolated; beyond them the ratio of the
nearest anchor is kept. ``Basis`` names which of these applies. The guide does not state how many of its pages needed
OCR, so its OCR pods do not depend on that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

# --- the guide's table ---


@dataclass(frozen=True)
class Anchor:
    """The pods of the guide for one load."""

    pages_per_minute: int
    parse: int
    ocr_cpu: int
    ocr_gpu: int


ANCHORS = (Anchor(1_000, 8, 16, 2), Anchor(10_000, 64, 128, 12))
OCR_CPU_PER_PARSE_POD = 2
PARSE_PODS_PER_OCR_GPU = 8
PARSE_PODS_PER_NODE = 6
MIN_OCR_CPU_PODS, MIN_OCR_GPU_PODS = 12, 2
"""Minimum pods in overlays that serve people."""


@dataclass(frozen=True)
class Tokens:
    """Requests to models and tokens for 1,000 pages."""

    requests: int
    input_tokens: int
    output_tokens: int


TOKENS_PER_THOUSAND_PAGES = {
    "llm": Tokens(1_010, 1_200_000, 1_500_000),
    "agent": Tokens(2_000, 4_000_000, 2_000_000),
    "lvm": Tokens(1_200, 3_000_000, 1_500_000),
}
"""By page parser."""


@dataclass(frozen=True)
class Scaler:
    """The scaling of a workload by its queue: one pod per ``target`` messages, within bounds."""

    minimum: int
    maximum: int
    target: int


@dataclass(frozen=True)
class Overlay:
    """An overlay of deploy/k8s. ``parse`` is from the guide; the others follow its ratios."""

    parse: Scaler
    ocr_cpu: Scaler
    ocr_gpu: Scaler
    llm: Scaler
    lvm: Scaler
    agent: Scaler
    serves_people: bool = True

    def ocr(self, *, gpu: bool) -> Scaler:
        return self.ocr_gpu if gpu else self.ocr_cpu

    def model(self, page_parser: str) -> Scaler:
        return {"llm": self.llm, "lvm": self.lvm, "agent": self.agent}[page_parser]


OVERLAYS = {
    "development": Overlay(
        parse=Scaler(3, 12, 20),
        ocr_cpu=Scaler(2, 24, 60),
        ocr_gpu=Scaler(0, 2, 100),
        llm=Scaler(1, 2, 250),
        lvm=Scaler(1, 2, 50),
        agent=Scaler(1, 2, 25),
        serves_people=False,
    ),
    "staging": Overlay(
        parse=Scaler(12, 120, 20),
        ocr_cpu=Scaler(12, 240, 60),
        ocr_gpu=Scaler(2, 15, 100),
        llm=Scaler(1, 4, 250),
        lvm=Scaler(1, 8, 50),
        agent=Scaler(1, 8, 25),
    ),
    "production": Overlay(
        parse=Scaler(96, 600, 100),
        ocr_cpu=Scaler(12, 1200, 300),
        ocr_gpu=Scaler(12, 75, 500),
        llm=Scaler(2, 20, 250),
        lvm=Scaler(2, 40, 50),
        agent=Scaler(2, 80, 25),
    ),
}


# --- pods for a load ---


class Basis(StrEnum):
    """Source of the number of pods."""

    ANCHOR = "anchor"
    INTERPOLATED = "interpolated"
    EXTRAPOLATED = "extrapolated"


@dataclass(frozen=True)
class GuidePods:
    """The guide's pods for a load; ``nodes``: for the parse pods."""

    parse: int
    ocr_cpu: int
    ocr_gpu: int
    nodes: int
    basis: Basis


def nodes_of(parse_pods: int) -> int:
    return math.ceil(parse_pods / PARSE_PODS_PER_NODE)


def guide_pods(pages_per_minute: float, *, serves_people: bool = True) -> GuidePods:
    """Return the pods for the load. ``serves_people``: apply the guide's minimum of OCR pods (staging, production)."""
    parse = _rounded_up(guide_parse_pods(pages_per_minute))
    min_cpu, min_gpu = (MIN_OCR_CPU_PODS, MIN_OCR_GPU_PODS) if serves_people else (1, 1)
    return GuidePods(
        parse=parse,
        ocr_cpu=max(min_cpu, _rounded_up(_interpolated(pages_per_minute, "ocr_cpu"))),
        ocr_gpu=max(min_gpu, _rounded_up(_interpolated(pages_per_minute, "ocr_gpu"))),
        nodes=nodes_of(parse),
        basis=basis_of(pages_per_minute),
    )


def basis_of(pages_per_minute: float) -> Basis:
    if any(anchor.pages_per_minute == pages_per_minute for anchor in ANCHORS):
        return Basis.ANCHOR
    within = ANCHORS[0].pages_per_minute < pages_per_minute < ANCHORS[-1].pages_per_minute
    return Basis.INTERPOLATED if within else Basis.EXTRAPOLATED


def guide_parse_pods(pages_per_minute: float) -> float:
    """Return the parse pods before rounding up."""
    return _interpolated(pages_per_minute, "parse")


def guide_ocr_pods(pages_per_minute: float, *, gpu: bool) -> float:
    """Return the OCR pods before rounding up, without the guide's minimum."""
    return _interpolated(pages_per_minute, "ocr_gpu" if gpu else "ocr_cpu")


def _interpolated(pages_per_minute: float, kind: str) -> float:
    first, last = ANCHORS[0], ANCHORS[-1]
    if pages_per_minute <= first.pages_per_minute:
        return float(getattr(first, kind)) * pages_per_minute / first.pages_per_minute
    if pages_per_minute >= last.pages_per_minute:
        return float(getattr(last, kind)) * pages_per_minute / last.pages_per_minute
    low, high = next(
        pair for pair in pairwise(ANCHORS) if pair[0].pages_per_minute <= pages_per_minute <= pair[1].pages_per_minute
    )
    share = (pages_per_minute - low.pages_per_minute) / (high.pages_per_minute - low.pages_per_minute)
    return float(getattr(low, kind) + share * (getattr(high, kind) - getattr(low, kind)))


def _rounded_up(pods: float) -> int:
    return max(1, math.ceil(pods - 1e-9))


@dataclass(frozen=True)
class ModelDemand:
    """Requests to models and tokens per minute."""

    requests: float
    input_tokens: float
    output_tokens: float


def model_demand(page_parser: str, pages_per_minute: float) -> ModelDemand:
    per_thousand = TOKENS_PER_THOUSAND_PAGES[page_parser]
    thousands = pages_per_minute / 1000
    return ModelDemand(
        per_thousand.requests * thousands,
        per_thousand.input_tokens * thousands,
        per_thousand.output_tokens * thousands,
    )


def requests_per_page(page_parser: str) -> float:
    return TOKENS_PER_THOUSAND_PAGES[page_parser].requests / 1000


def model_pages_per_minute(page_parser: str, *, width: int, call_seconds: float) -> float:
    """Return the maximum of one model worker with ``width`` calls in flight."""
    return width / call_seconds * 60 / requests_per_page(page_parser)


def model_workers(page_parser: str, pages_per_minute: float, *, width: int, call_seconds: float) -> int:
    """Return the workers that the load needs: its calls in flight (rate times latency) divided by the width."""
    return _rounded_up(pages_per_minute / model_pages_per_minute(page_parser, width=width, call_seconds=call_seconds))


# --- measured machines ---


def machines(pages_per_minute: float, *, measured: float | None) -> int | None:
    """Return the number of machines that do ``measured`` pages a minute each; None if nothing was measured."""
    return None if not measured else _rounded_up(pages_per_minute / measured)
