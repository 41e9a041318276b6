"""Counts of messages that workers put aside because they cannot be processed. Kept in Redis, for the metrics.

The main process of a worker counts them, and it may not use the database (apps/jobs/worker.py).
"""

from __future__ import annotations

import logging

from django.conf import settings

from apps.providers.quota import store

logger = logging.getLogger(__name__)
KEY = "leafmill:messages_put_aside"


def count(reason: str) -> None:
    """Count one message. If Redis does not respond, only the log has it."""
    from redis.exceptions import RedisError

    try:
        with store.connect(settings.REDIS_URL) as client:
            client.hincrby(KEY, reason, 1)
    except RedisError as error:
        logger.warning("A message that was put aside (%s) could not be counted: %s", reason, error)


def counts() -> dict[str, int]:
    """Return the number of messages by reason. Raise QuotaStoreUnavailable if Redis does not respond."""
    with store.reaching_the_store(), store.connect(settings.REDIS_URL) as client:
        return {reason.decode(): int(number) for reason, number in client.hgetall(KEY).items()}
