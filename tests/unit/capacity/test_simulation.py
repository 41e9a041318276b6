"""A simulated service: its steady state follows the formula, a burst waits, and binding quotas are reported."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from apps.capacity import sizing
from apps.capacity.quota_check import Allowance
from apps.capacity.simulation import loads
from apps.capacity.simulation.limits import WINDOW
from apps.capacity.simulation.run import MODEL, OCR, PARSE, Simulated, SimulationModel, simulate
from apps.capacity.simulation.stage import Autoscaler, StageModel
from apps.capacity.sizing import Scaler

SHARE = 0.3
STAGING = sizing.OVERLAYS["staging"]


def guide_model(pages: float, *, parse: Scaler = STAGING.parse, ocr: Scaler = STAGING.ocr_cpu) -> SimulationModel:
    """Return stages whose pods have the guide's rates at this load."""
    return SimulationModel(
        StageModel(PARSE, parse, pages / sizing.guide_parse_pods(pages), slots=2, pages_per_message=32),
        ocr=StageModel(OCR, ocr, SHARE * pages / sizing.guide_ocr_pods(pages, gpu=False)),
        ocr_share=SHARE,
    )


def llm_model(
    *allowances: Allowance, scaler: Scaler | None = None, width: int = 250, autoscaler: Autoscaler | None = None
) -> SimulationModel:
    rate = sizing.model_pages_per_minute("llm", width=width, call_seconds=4.0)
    return SimulationModel(
        StageModel(PARSE, Scaler(100, 100, 20), 1_000.0),
        model=StageModel(MODEL, scaler or Scaler(1, 100, width), rate, slots=width),
        quotas=allowances,
        autoscaler=autoscaler or Autoscaler(),
    )


def mean_pods_of_later_half(run: Simulated, stage: str) -> float:
    """Return the mean number of pods in the second half, after the load has settled."""
    half = run.moments[len(run.moments) // 2 :]
    return sum(moment.pods[stage] for moment in half) / len(half)


@pytest.mark.parametrize("pages", [5_500, 10_000, 15_000])
def test_the_steady_state_has_the_pods_of_the_formula(pages: int) -> None:
    run = simulate(loads.constant(pages, hours=8), guide_model(pages))

    assert mean_pods_of_later_half(run, PARSE) == pytest.approx(sizing.guide_parse_pods(pages), rel=0.05)
    assert mean_pods_of_later_half(run, OCR) == pytest.approx(sizing.guide_ocr_pods(pages, gpu=False), rel=0.05)
    half = run.moments[len(run.moments) // 2 :]
    assert sum(moment.done for moment in half) == pytest.approx(pages * len(half), rel=0.01)


@pytest.mark.parametrize("overlay", ["development", "staging", "production"])
@pytest.mark.parametrize("pages", [10_000, 60_000, 100_000])
def test_model_workers_settle_at_the_formula_within_the_autoscalers_tolerance(overlay: str, pages: int) -> None:
    scaler = replace(sizing.OVERLAYS[overlay].llm, maximum=1_000)
    run = simulate(loads.constant(pages, hours=6), llm_model(scaler=scaler))

    needed = pages / sizing.model_pages_per_minute("llm", width=250, call_seconds=4.0)
    settled = run.moments[len(run.moments) // 2 :]
    assert needed <= mean_pods_of_later_half(run, MODEL) <= math.ceil(needed) * 1.1
    assert all(0.9 * needed <= moment.pods[MODEL] <= 1.1 * math.ceil(needed) for moment in settled)
    in_flight = sorted(moment.backlog[MODEL] for moment in settled)
    assert in_flight[len(in_flight) // 2] == pytest.approx(pages / 60 * 4.0, rel=0.1)


def test_no_page_is_lost() -> None:
    run = simulate(loads.with_burst(loads.daily(10_000, peak=3, hours=24), pages=50_000), guide_model(10_000))

    assert run.pages_in == pytest.approx(10_000 * 1440 + 50_000)
    assert run.pages_done + run.backlog_left == pytest.approx(run.pages_in)


def test_a_burst_waits_and_pods_are_added_and_removed() -> None:
    calm = simulate(loads.constant(100, hours=2), guide_model(1_000))
    run = simulate(loads.with_burst(loads.constant(100, hours=2), pages=50_000), guide_model(1_000))

    assert calm.wait_p95 is not None
    assert run.wait_p50 is not None
    assert run.wait_p95 is not None
    assert run.largest_backlog >= 45_000
    assert run.largest_backlog_minute in (11, 12)
    assert run.wait_p95 > run.wait_p50 > 2 * calm.wait_p95
    assert run.most_pods[PARSE] > 5 * STAGING.parse.minimum
    assert run.moments[-1].pods[PARSE] == STAGING.parse.minimum
    assert run.backlog_left < 500


def test_a_burst_waits_longer_if_pods_start_slowly() -> None:
    load = loads.with_burst(loads.constant(100, hours=2), pages=50_000)
    slow = replace(guide_model(1_000), autoscaler=Autoscaler(pod_start=300))

    quick_wait, slow_wait = simulate(load, guide_model(1_000)).wait_p95, simulate(load, slow).wait_p95

    assert quick_wait is not None
    assert slow_wait is not None
    assert slow_wait > quick_wait + 60


def test_pods_double_or_grow_by_four_in_fifteen_seconds() -> None:
    model = SimulationModel(StageModel(PARSE, Scaler(1, 1_000, 1), 1.0))

    run = simulate(loads.constant(1_000_000, hours=1 / 60), model)

    # One pod at the start; at 0 s four more, at 15, 30 and 45 s twice as many.
    assert run.moments[0].pods == {PARSE: 40}


def test_pods_are_removed_five_minutes_after_the_load_ends() -> None:
    load = [600.0] * 10 + [0.0] * 20
    run = simulate(load, SimulationModel(StageModel(PARSE, Scaler(1, 100, 1), 60.0)))

    pods = [moment.pods[PARSE] for moment in run.moments]
    assert max(pods) > 5
    assert pods[13] > 1, "the wishes of the last five minutes hold"
    assert pods[17] == 1


def test_the_last_pod_ends_without_work_if_the_minimum_is_0() -> None:
    run = simulate([60.0] + [0.0] * 20, SimulationModel(StageModel(PARSE, Scaler(0, 10, 10), 60.0)))

    pods = [moment.pods[PARSE] for moment in run.moments]
    assert max(pods) >= 1
    assert pods[4] >= 1, "the cooldown comes first"
    assert pods[-1] == 0
    assert run.pages_done == pytest.approx(60)


def test_a_quota_that_binds_is_reported() -> None:
    allowance = Allowance("house", {"requests": 500.0, "tokens": 800.0}, {})

    run = simulate(loads.constant(1_000, hours=2), llm_model(allowance))

    [binding] = run.bindings
    assert (binding.where, binding.limit) == ("house", "requests")
    assert binding.until_seconds == 7200
    assert run.pages_done == pytest.approx(500 * 120, rel=0.01)
    assert run.backlog_left == pytest.approx(500 * 120, rel=0.02)


def test_a_quota_that_is_large_enough_never_binds() -> None:
    run = simulate(loads.constant(1_000, hours=2), llm_model(Allowance("house", {"requests": 2_500.0}, {})))

    assert run.bindings == []
    assert run.backlog_left < 1_000


def test_a_quota_binds_only_after_a_burst() -> None:
    load = loads.with_burst(loads.constant(100, hours=4), pages=20_000)

    run = simulate(load, llm_model(Allowance("house", {"requests": 300.0}, {})))

    [binding] = run.bindings
    assert 600 <= binding.from_seconds < 780
    assert binding.until_seconds == pytest.approx(600 + 20_000 / 200 * 60, rel=0.05)


def test_a_daily_quota_binds_until_the_next_day() -> None:
    run = simulate(loads.constant(100, hours=30), llm_model(Allowance("house", {}, {"requests_per_day": 72_000.0})))

    [binding] = run.bindings
    assert binding.limit == "requests_per_day"
    assert binding.from_seconds == pytest.approx(12 * 3600, rel=0.02)
    assert run.pages_done == pytest.approx(2 * 72_000)


def test_a_window_delays_pages_regardless_of_the_number_of_pods() -> None:
    # 30 messages at the same time, of a minute each: 30 pages a minute.
    stage = StageModel(PARSE, Scaler(100, 100, 20), 1.0, window=30)

    run = simulate(loads.constant(50, hours=2), SimulationModel(stage))

    [binding] = run.bindings
    assert (binding.where, binding.limit) == (PARSE, WINDOW)
    assert binding.until_seconds == 7200
    assert run.pages_done == pytest.approx(30 * 119, rel=0.01)


def test_a_window_that_is_not_full_delays_nothing() -> None:
    stage = StageModel(PARSE, Scaler(100, 100, 20), 1.0, window=60)

    assert simulate(loads.constant(50, hours=2), SimulationModel(stage)).bindings == []


def test_the_second_deployment_gets_the_pages_beyond_the_first_ones_quota() -> None:
    first, second = Allowance("first", {"requests": 600.0}, {}), Allowance("second", {"tokens": 200.0}, {})

    run = simulate(loads.constant(1_000, hours=1), llm_model(first, second))

    assert {(each.where, each.limit) for each in run.bindings} == {("first", "requests"), ("second", "tokens")}
    assert run.pages_done == pytest.approx(800 * 60, rel=0.03)


def test_ten_thousand_workers_for_a_day_of_a_hundred_thousand_pages_a_minute() -> None:
    parse = Scaler(96, 10_000, 100)
    model = guide_model(100_000, parse=parse, ocr=Scaler(192, 10_000, 60))

    run = simulate(loads.daily(100_000, peak=2, hours=24), model)

    assert run.pages_done == pytest.approx(100_000 * 1440, rel=0.02)
    assert run.pod_hours[PARSE] == pytest.approx(24 * 640, rel=0.1)


@pytest.mark.parametrize("peak", [1.0, 1.5, 2.0, 5.0, 20.0])
def test_a_daily_curve_has_its_mean_and_its_peak(peak: float) -> None:
    load = loads.daily(1_000, peak=peak, hours=24)

    assert sum(load) == pytest.approx(1_000 * 1440)
    assert max(load) == pytest.approx(1_000 * peak, rel=0.01)
    assert min(load) >= 0
    if peak > 1:
        assert load.index(max(load)) == 14 * 60


def test_waits_equal_those_of_a_queue_computed_by_hand() -> None:
    # One pod, 60 pages a minute, one second per page: 120 pages that arrive within a minute take two minutes.
    run = simulate([120.0, 0.0, 0.0], SimulationModel(StageModel(PARSE, Scaler(1, 1, 10), 60.0)))

    assert run.pages_done == pytest.approx(120)
    # The page that arrives at t is done at 2t: it waits t, evenly distributed from 0 to 60 s.
    assert run.wait_p50 == pytest.approx(30, abs=5)
    assert run.wait_p95 == pytest.approx(57, abs=5)
    assert run.pod_hours == {PARSE: pytest.approx(3 / 60)}
    assert math.isclose(run.largest_backlog, 60, abs_tol=6)
