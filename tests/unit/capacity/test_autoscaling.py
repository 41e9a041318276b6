"""The pods that an autoscaler asks for, from the messages that the queue status tells of."""

from __future__ import annotations

import pytest

from apps.capacity.autoscaling import desired_replicas


@pytest.mark.parametrize(
    ("total", "target", "minimum", "maximum", "pods"),
    [(130, 20, 3, 12, 7), (1_500, 20, 12, 120, 75), (20_000, 100, 96, 600, 200)],
    ids=["development", "staging", "production"],
)
def test_each_pod_gets_its_share_of_the_messages(
    total: int, target: int, minimum: int, maximum: int, pods: int
) -> None:
    assert desired_replicas(total, target=target, minimum=minimum, maximum=maximum, current=minimum) == pods


def test_no_fewer_than_the_minimum_and_no_more_than_the_maximum() -> None:
    assert desired_replicas(0, target=20, minimum=3, maximum=12, current=7) == 3
    assert desired_replicas(1_000_000, target=20, minimum=3, maximum=12, current=7) == 12


def test_pods_outside_the_bounds_are_brought_back_whatever_the_load() -> None:
    assert desired_replicas(20, target=20, minimum=3, maximum=12, current=20) == 12
    assert desired_replicas(1_000, target=20, minimum=3, maximum=12, current=1) == 3
    assert desired_replicas(0, target=20, minimum=3, maximum=12, current=0) == 3


@pytest.mark.parametrize(("total", "pods"), [(179, 9), (180, 10), (200, 10), (220, 10), (221, 12)])
def test_a_load_near_the_share_changes_nothing(total: int, pods: int) -> None:
    assert desired_replicas(total, target=20, minimum=1, maximum=100, current=10) == pods


def test_without_work_there_may_be_no_pod_and_the_first_message_brings_one() -> None:
    def wanted(total: int, *, current: int, activation: int = 0) -> int:
        return desired_replicas(total, target=20, minimum=0, maximum=12, current=current, activation=activation)

    assert wanted(0, current=4) == 0
    assert wanted(0, current=0) == 0
    assert wanted(1_000, current=0) == 1
    assert wanted(1, current=4) == 1
    assert wanted(5, current=4, activation=5) == 0
    assert wanted(5, current=0, activation=5) == 0
    assert wanted(6, current=0, activation=5) == 1
