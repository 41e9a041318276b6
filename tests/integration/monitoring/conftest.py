"""The metrics that Prometheus scrapes, with a real database and a real Valkey."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from apps.monitoring import running_totals
from tests.integration.api.conftest import _own_service, api, finish
from tests.integration.api.test_queue_status import broker

__all__ = ["_own_service", "api", "broker", "finish"]
TOKEN = "for-the-collector"


class Samples:
    """A response of /metrics, as text and by name and labels."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._values = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def __call__(self, name: str, **labels: str) -> float:
        return self._values[name, frozenset(labels.items())]


Metrics = Callable[[], Samples]


@pytest.fixture
def metrics(settings: Any, transactional_db: None, broker: str, monkeypatch: pytest.MonkeyPatch) -> Metrics:
    """Return a function that scrapes /metrics; rows are counted at once instead of after ten seconds."""
    settings.METRICS_TOKEN = TOKEN
    settings.REDIS_URL = broker
    monkeypatch.setattr(running_totals, "MIN_AGE", timedelta(seconds=-1))

    def metrics() -> Samples:
        response = Client(headers={"authorization": f"Bearer {TOKEN}"}).get("/metrics")
        assert response.status_code == 200, response.content
        return Samples(response.content.decode())

    metrics()  # counting starts with the first scrape
    return metrics
