"""Pods and machines for a load, by the deployment guide's table and by measurements."""

from __future__ import annotations

import json
from dataclasses import fields
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from apps.capacity import sizing
from apps.capacity.measurements import HOW_TO_MEASURE, Measured, read_measured
from apps.capacity.sizing import Basis, GuidePods

MANIFESTS = Path(__file__).resolve().parents[3] / "deploy" / "k8s" / "overlays"


@pytest.mark.parametrize(
    ("pages", "parse", "ocr_cpu", "ocr_gpu", "nodes"), [(1_000, 8, 16, 2, 2), (10_000, 64, 128, 12, 11)]
)
def test_the_loads_of_the_guide_get_exactly_its_pods(
    pages: int, parse: int, ocr_cpu: int, ocr_gpu: int, nodes: int
) -> None:
    assert sizing.guide_pods(pages) == GuidePods(parse, ocr_cpu, ocr_gpu, nodes, Basis.ANCHOR)


def test_pods_between_the_anchors_are_interpolated() -> None:
    assert sizing.guide_pods(5_500) == GuidePods(36, 72, 7, 6, Basis.INTERPOLATED)


def test_pods_beyond_the_anchors_keep_their_ratio() -> None:
    assert sizing.guide_pods(100_000) == GuidePods(640, 1280, 120, 107, Basis.EXTRAPOLATED)
    assert sizing.guide_pods(500, serves_people=False) == GuidePods(4, 8, 1, 1, Basis.EXTRAPOLATED)


def test_overlays_that_serve_people_have_the_minimum_of_ocr_pods() -> None:
    small = sizing.guide_pods(10)

    assert (small.parse, small.ocr_cpu, small.ocr_gpu) == (1, 12, 2)


def test_more_pages_never_need_fewer_pods() -> None:
    pods = [sizing.guide_pods(pages) for pages in range(100, 20_000, 50)]

    for fewer, more in pairwise(pods):
        assert (fewer.parse, fewer.ocr_cpu, fewer.ocr_gpu) <= (more.parse, more.ocr_cpu, more.ocr_gpu)


def test_the_anchors_keep_the_guides_ratio_of_ocr_pods() -> None:
    for anchor in sizing.ANCHORS:
        assert anchor.ocr_cpu == sizing.OCR_CPU_PER_PARSE_POD * anchor.parse
        assert anchor.ocr_gpu >= anchor.parse / sizing.PARSE_PODS_PER_OCR_GPU


@pytest.mark.parametrize(
    ("page_parser", "requests", "input_tokens", "output_tokens"),
    [("llm", 1_010, 1.2e6, 1.5e6), ("agent", 2_000, 4e6, 2e6), ("lvm", 1_200, 3e6, 1.5e6)],
)
def test_a_thousand_pages_need_the_guides_tokens(
    page_parser: str, requests: float, input_tokens: float, output_tokens: float
) -> None:
    demand = sizing.model_demand(page_parser, 1_000)

    assert (demand.requests, demand.input_tokens, demand.output_tokens) == (requests, input_tokens, output_tokens)


def test_model_workers_are_calls_in_flight_divided_by_the_width() -> None:
    # 10,000 pages a minute are 20,000 calls of 4 s: 1,333 in flight, 25 per worker.
    assert sizing.model_workers("agent", 10_000, width=25, call_seconds=4.0) == 54


def test_overlays_have_the_guides_parse_pods() -> None:
    table = {name: overlay.parse for name, overlay in sizing.OVERLAYS.items()}

    assert table == {
        "development": sizing.Scaler(3, 12, 20),
        "staging": sizing.Scaler(12, 120, 20),
        "production": sizing.Scaler(96, 600, 100),
    }


def test_the_manifests_have_the_same_numbers() -> None:
    for path in sorted(MANIFESTS.glob("*/*.yaml")):
        workload = path.stem.replace("-", "_")
        if workload not in {field.name for field in fields(sizing.Overlay)}:
            continue
        values = {patch["path"].rpartition("/")[2]: int(patch["value"]) for patch in yaml.safe_load(path.read_text())}
        scaler = getattr(sizing.OVERLAYS[path.parent.name], workload)
        in_manifest = (values["minReplicaCount"], values["maxReplicaCount"], values["targetValue"])
        assert in_manifest == (scaler.minimum, scaler.maximum, scaler.target), path


def test_a_missing_measurement_is_not_estimated(tmp_path: Path) -> None:
    measured = read_measured(tmp_path)

    assert measured == Measured()
    assert set(vars(measured)) == set(HOW_TO_MEASURE)
    assert sizing.machines(1_000, measured=measured.fast) is None


def test_measurements_are_read_from_the_results_of_the_benchmarks(tmp_path: Path) -> None:
    write(tmp_path / "service-embedded.json", [figure("documents of 20 to 500 pages: pages a minute", 12_000.0)])
    write(
        tmp_path / "ocr-speed.json",
        {
            "rapidocr-openvino,tesseract, 1 processes, 200 dpi": {"pages_per_minute": 65.3, "peak_mb": 659},
            "rapidocr-openvino,tesseract, 2 processes, 200 dpi": {"pages_per_minute": 121.2, "peak_mb": 657},
            "rapidocr-openvino,tesseract, 2 processes, 300 dpi": {"pages_per_minute": 122.9, "peak_mb": 649},
            "tesseract, 2 processes, 200 dpi": {"pages_per_minute": 63.9, "peak_mb": 373},
        },
    )
    write(tmp_path / "genai-widths-2.json", [figure("balanced, 250 wide: pages a minute", 2278.0)])
    (tmp_path / "sizing.json").write_text("not JSON")

    measured = read_measured(tmp_path)

    assert measured == Measured(fast=12_000.0, ocr=121.2, balanced=2278.0)
    assert sizing.machines(10_000, measured=measured.balanced) == 5


def test_production_databases_are_preferred_to_embedded_ones(tmp_path: Path) -> None:
    write(tmp_path / "service-embedded.json", [figure("documents of 20 to 500 pages: pages a minute", 12_000.0)])
    write(tmp_path / "service-postgres+redis.json", [figure("documents of 20 to 500 pages: pages a minute", 15_000.0)])

    assert read_measured(tmp_path).fast == 15_000.0


def figure(what: str, value: float) -> dict[str, object]:
    return {"what": what, "value": value, "unit": "pages/min", "target": None}


def write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content))
