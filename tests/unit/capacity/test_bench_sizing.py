"""The sizing table of ``make bench`` has only figures that were measured."""

from __future__ import annotations

from apps.capacity.measurements import Measured
from bench.sizing import figures_of


def test_it_has_rates_and_machines_only_for_measurements() -> None:
    figures = figures_of(Measured(fast=4_000.0), cores=2)

    assert [(figure.what, figure.value) for figure in figures] == [
        ("cores", 2),
        ("fast mode, text layers: this machine", 4_000.0),
        ("fast mode, text layers: for 1,000 pages a minute", 1),
        ("fast mode, text layers: for 10,000 pages a minute", 3),
    ]


def test_without_measurements_it_has_only_the_cores() -> None:
    assert [figure.what for figure in figures_of(Measured(), cores=2)] == ["cores"]
