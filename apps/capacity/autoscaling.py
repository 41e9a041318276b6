"""The number of pods that an autoscaler wants for ``total_messages`` of /api/queue-statusz."""

from __future__ import annotations

import math


def desired_replicas(
    total: int,
    *,
    target: int,
    minimum: int,
    maximum: int,
    current: int,
    activation: int = 0,
    tolerance: float = 0.1,
) -> int:
    """Return the pods that KEDA and the Horizontal Pod Autoscaler want in one evaluation.

    ``total`` messages wait or are worked on, ``target`` of them are a pod's share, ``current`` pods are there.
    KEDA decides between none and some: with ``minimum`` 0, work of no more than ``activation`` needs no pod, and more
    than that starts the first. Everything else is the autoscaler's: metric type AverageValue, and no change while the
    load is within ``tolerance`` of the share. Waiting before pods are taken away (KEDA's cooldown, the autoscaler's
    stabilization window) and the pods that may be added in a period are matters of time and not decided here.

    Sources: kubernetes ``pkg/controller/podautoscaler`` (``GetExternalPerPodMetricReplicas``,
    ``reconcileAutoscaler``), KEDA ``pkg/scaling/executor/scale_scaledobjects.go``.
    """
    fewest = max(minimum, 1)
    if current == 0:
        return fewest if minimum or total > activation else 0
    if minimum == 0 and total <= activation:
        return 0
    if current > maximum:
        return maximum
    if current < fewest:
        return fewest
    load = total / (target * current)
    wanted = current if 1 - tolerance <= load <= 1 + tolerance else math.ceil(total / target)
    return min(max(wanted, fewest), maximum)
