"""The file by which a probe tells a worker that lives from one that does not."""

from __future__ import annotations

from pathlib import Path

from apps.core.worker_heartbeat import STILL_SECONDS, Pulse


def test_a_worker_that_takes_messages_says_so(tmp_path: Path) -> None:
    pulse = Pulse(tmp_path / "heartbeat")
    pulse.turned(100.0)
    pulse.beat(101.0)
    assert (tmp_path / "heartbeat").read_text() == "taking\n"


def test_a_worker_without_its_broker_is_alive(tmp_path: Path) -> None:
    pulse = Pulse(tmp_path / "heartbeat")
    pulse.turned(100.0)
    pulse.let_go()
    pulse.beat(100.0 + 10 * STILL_SECONDS)
    assert (tmp_path / "heartbeat").read_text() == "waiting\n"


def test_a_main_loop_that_stands_still_lets_the_file_grow_old(tmp_path: Path) -> None:
    pulse = Pulse(tmp_path / "heartbeat")
    pulse.turned(100.0)
    pulse.beat(100.0 + STILL_SECONDS + 1)
    assert not (tmp_path / "heartbeat").exists()


def test_a_file_that_cannot_be_written_ends_nothing(tmp_path: Path) -> None:
    Pulse(tmp_path / "missing" / "heartbeat").beat(1.0)
