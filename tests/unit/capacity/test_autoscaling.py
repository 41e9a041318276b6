"""The number of pods that an autoscaler wants for the messages in the queue status."""

from __future__ import annotations

import pytest

from apps.capacity.simulation.autoscaling import desired_replicas


@pytest.mark.parametrize(
    ("total", "target", "minimum", "maximum", "pods"),
    [(130, 20, 3, 12, 7), (1_500, 20, 12, 120, 75), (20_000, 100, 96, 600, 200)],
    ids=["development", "staging", "production"],
)
def test_one_pod_is_wanted_per_target_of_messages(
    total: int, target: int, minimum: int, maximum: int, pods: int
) -> None:
    assert desired_replicas(total, target=target, minimum=minimum, maximum=maximum, current=minimum) == pods


def test_the_number_stays_between_minimum_and_maximum() -> None:
    assert desired_replicas(0, target=20, minimum=3, maximum=12, current=7) == 3
    assert desired_replicas(1_000_000, target=20, minimum=3, maximum=12, current=7) == 12


def test_a_number_outside_the_bounds_is_corrected_under_any_load() -> None:
    assert desired_replicas(20, target=20, minimum=3, maximum=12, current=20) == 12
    assert desired_replicas(1_000, target=20, minimum=3, maximum=12, current=1) == 3
    assert desired_replicas(0, target=20, minimum=3, maximum=12, current=0) == 3


@pytest.mark.parametrize(("total", "pods"), [(179, 9), (180, 10), (200, 10), (220, 10), (221, 12)])
def test_a_load_within_the_tolerance_changes_nothing(total: int, pods: int) -> None:
    assert desired_replicas(total, target=20, minimum=1, maximum=100, current=10) == pods


def test_with_minimum_0_the_last_pod_ends_and_messages_above_the_activation_start_one() -> None:
    def wanted(total: int, *, current: int, activation: int = 0) -> int:
        return desired_replicas(total, target=20, minimum=0, maximum=12, current=current, activation=activation)

    assert wanted(0, current=4) == 0
    assert wanted(0, current=0) == 0
    assert wanted(1_000, current=0) == 1
    assert wanted(1, current=4) == 1
    assert wanted(5, current=4, activation=5) == 0
    assert wanted(5, current=0, activation=5) == 0
    assert wanted(6, current=0, activation=5) == 1
