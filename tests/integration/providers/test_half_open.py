"""A provider takes a request, and its answer never arrives: the connection is half open."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any, cast

from apps.providers.catalog import deployment_quota_key
from apps.providers.models import CallOutcome, Usage
from apps.providers.quota.store import QuotaStore
from tests.chaos.proxy import ChaosProxy
from tests.chaos.results import FaultResult, record
from tests.fakes.deployments import deploy
from tests.fakes.fixtures import MakeGateway
from tests.fakes.provider import FakeProvider
from tests.integration.providers.test_gateway import complete

FIRST_BYTE_SECONDS = 2.0
COMMAND = ".venv/bin/python -m pytest tests/integration/providers/test_half_open.py"


def test_f16_an_answer_that_never_arrives_frees_its_slot(
    provider: FakeProvider, make_gateway: MakeGateway, quota_store: QuotaStore
) -> None:
    with ChaosProxy(int(provider.url.rpartition(":")[2])) as proxy:
        behind = cast(Any, SimpleNamespace(url=f"http://127.0.0.1:{proxy.port}"))
        lost = deploy(behind, "openai", quota={"calls_in_flight": 5})
        deploy(provider, "anthropic", order=2)
        gateway = make_gateway(first_byte_seconds=FIRST_BYTE_SECONDS, idle_seconds=1.0)
        gateway.warm_up()  # to import the client takes seconds
        proxy.set("drop_half")
        began = time.monotonic()

        completion = complete(gateway)

        seconds = time.monotonic() - began
        [state] = quota_store.state([deployment_quota_key(lost.pk)])
    assert completion.target.name == "anthropic"
    assert seconds >= FIRST_BYTE_SECONDS  # the lost answer was waited for
    assert state.in_flight == 0
    failed = Usage.objects.get(provider_name="openai-account")
    assert (failed.outcome, failed.error_code) == (CallOutcome.FAILED, "provider_timeout")
    figures = {"limit_seconds": FIRST_BYTE_SECONDS, "freed_after_seconds": round(seconds, 2)}
    record(FaultResult("F16", "answer dropped", "Valkey", COMMAND, recover=[seconds], figures=figures))
