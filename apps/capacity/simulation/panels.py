"""The charts of a simulation: pages in and out, backlog, pods."""

from __future__ import annotations

from apps.capacity.chart import Curve, Panel
from apps.capacity.simulation.run import Simulated


def panels_of(run: Simulated) -> list[Panel]:
    moments = run.moments
    stages = list(run.pod_hours)
    return [
        Panel(
            "Pages a minute",
            [
                Curve("in", [moment.arrived for moment in moments]),
                Curve("done", [moment.done for moment in moments]),
            ],
        ),
        Panel(
            "Pages that wait or are being processed",
            [Curve(stage, [moment.backlog[stage] for moment in moments]) for stage in stages],
        ),
        Panel("Pods", [Curve(stage, [float(moment.pods[stage]) for moment in moments]) for stage in stages]),
    ]
