"""The heartbeat file, by which a probe recognizes a live worker."""

from __future__ import annotations

from pathlib import Path

from apps.core.worker_heartbeat import STALLED_SECONDS, Pulse


def test_a_worker_that_consumes_writes_taking(tmp_path: Path) -> None:
    pulse = Pulse(tmp_path / "heartbeat")
    pulse.record_loop(100.0)
    pulse.beat(101.0)
    assert (tmp_path / "heartbeat").read_text() == "taking\n"


def test_a_worker_without_its_broker_is_alive(tmp_path: Path) -> None:
    pulse = Pulse(tmp_path / "heartbeat")
    pulse.record_loop(100.0)
    pulse.stop_consuming()
    pulse.beat(100.0 + 10 * STALLED_SECONDS)
    assert (tmp_path / "heartbeat").read_text() == "waiting\n"


def test_a_stalled_main_loop_stops_the_heartbeat(tmp_path: Path) -> None:
    pulse = Pulse(tmp_path / "heartbeat")
    pulse.record_loop(100.0)
    pulse.beat(100.0 + STALLED_SECONDS + 1)
    assert not (tmp_path / "heartbeat").exists()


def test_an_unwritable_file_is_no_error(tmp_path: Path) -> None:
    Pulse(tmp_path / "missing" / "heartbeat").beat(1.0)
