"""Facts that a deployment's own answers taught: refused parameters, the largest limit of an answer, thinking.

They are in the deployment's row, so that every process knows them within seconds (``PROVIDERS_REREAD_SECONDS``), and
are forgotten when the operator changes the deployment or its provider.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from apps.core.database_connections import borrowed_connection
from apps.providers.models import Deployment

logger = logging.getLogger(__name__)

NOTHING_LEARNT: dict[str, Any] = {"learnt": {}}
# An estimate falls by a quarter of the difference, after one answer of sixteen: writes cost more than precision gains.
_FALL = 0.25
_FALL_SHARE = 1 / 16
_MIN_FALL = 0.25


@dataclass(frozen=True)
class Learnt:
    """What is known of a deployment from its answers.

    ``refused``: parameters that it refuses. ``max_output_tokens``: the largest limit that it accepts.
    ``thinking_tokens``: how many tokens of thinking its answers had lately, an upper estimate; None: no answer yet.
    ``limits``: requests and tokens a minute, as its provider announces them.
    """

    refused: frozenset[str] = frozenset()
    max_output_tokens: int | None = None
    thinking_tokens: int | None = None
    limits: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Learnt:
        """Return the facts of a row's column ``learnt``."""
        return cls(
            frozenset(stored.get("refused", ())),
            stored.get("max_output_tokens"),
            stored.get("thinking_tokens"),
            stored.get("limits", {}),
        )

    def in_words(self) -> str:
        """Describe the facts for people; "" if there are none."""
        facts = []
        if self.refused:
            facts.append(f"refuses {', '.join(sorted(self.refused))}, which is no longer sent")
        if self.max_output_tokens is not None:
            facts.append(f"accepts at most {self.max_output_tokens:,} tokens for an answer")
        if self.thinking_tokens:
            facts.append(f"thinks with up to {self.thinking_tokens:,} tokens")
        facts += [
            f"its provider allows {limit:,} {name.replace('_', ' ')} a minute" for name, limit in self.limits.items()
        ]
        return "; ".join(facts)


def learn_refused(deployment_id: int, parameter: str) -> None:
    """Note that the deployment refuses a parameter."""
    _update(deployment_id, lambda facts: {**facts, "refused": sorted({*facts.get("refused", ()), parameter})})
    logger.warning("Deployment %s refuses the parameter %s. It is no longer sent", deployment_id, parameter)


def learn_max_output_tokens(deployment_id: int, tokens: int) -> None:
    """Note the largest limit of an answer that the deployment accepts."""
    _update(deployment_id, lambda facts: {**facts, "max_output_tokens": tokens})
    logger.warning("Deployment %s accepts at most %s tokens for an answer", deployment_id, tokens)


def learn_limits(deployment_id: int, limits: Mapping[str, int]) -> None:
    """Note the limits of a minute that the provider announces."""
    _update(deployment_id, lambda facts: {**facts, "limits": dict(limits)})


def learn_thinking(deployment_id: int, known: int | None, tokens: int) -> int | None:
    """Note how many tokens of thinking an answer had. ``known``: the estimate so far, which falls slowly.

    Return the new estimate; None if it stays.
    """
    if known is None or tokens > known:
        estimate = tokens
    elif known - tokens > _MIN_FALL * known and random.random() < _FALL_SHARE:
        estimate = known - round((known - tokens) * _FALL)
    else:
        return None
    _update(deployment_id, lambda facts: {**facts, "thinking_tokens": estimate})
    return estimate


def _update(deployment_id: int, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    with borrowed_connection(), transaction.atomic():
        row = Deployment.objects.select_for_update().filter(pk=deployment_id).only("learnt").first()
        if row is not None:
            Deployment.objects.filter(pk=deployment_id).update(learnt=change(row.learnt))
