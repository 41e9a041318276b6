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

    ``total`` messages wait or are being processed, ``target`` is the number of messages per pod, and ``current`` pods
    exist. KEDA decides between none and some: with ``minimum`` 0, up to ``activation`` messages need no pod, and more
    start the first one. The autoscaler decides the rest: metric type AverageValue, and no change while the load is
    within ``tolerance`` of the target. Not included, because they depend on time: the wait before pods are removed
    (KEDA's cooldown, the autoscaler's stabilization window) and the maximum of pods added in a period.

    Sources: kubernetes ``pkg/controller/podautoscaler`` (``GetExternalPerPodMetricReplicas``,
    ``reconcileAutoscaler``), KEDA ``pkg/scaling/executor/scale_scaledobjects.go``.
    """
    min_pods = max(minimum, 1)
    if current == 0:
        return min_pods if minimum or total > activation else 0
    if minimum == 0 and total <= activation:
        return 0
    if current > maximum:
        return maximum
    if current < min_pods:
        return min_pods
    load = total / (target * current)
    wanted = current if 1 - tolerance <= load <= 1 + tolerance else math.ceil(total / target)
    return min(max(wanted, min_pods), maximum)
