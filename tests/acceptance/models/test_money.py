"""A small budget: pages wait for money in real workers, and are sent again only when there is some."""

from __future__ import annotations

import pytest

from tests.acceptance.backends import EMBEDDED, REDIS
from tests.acceptance.models.conftest import Document
from tests.acceptance.models.model_workers import ModelWorkers, assert_every_page_by_a_model, deployed, upload
from tests.acceptance.running_service import RunningService
from tests.documents.long import LINES_PER_PAGE
from tests.fakes.provider import FakeProvider

PAGES = 24


@pytest.mark.parametrize(
    "backends", [EMBEDDED, pytest.param(REDIS, marks=pytest.mark.long)], indirect=True, scope="session"
)
def test_24_pages_on_a_small_budget_make_few_messages(
    workers: ModelWorkers, service: RunningService, provider: FakeProvider, document: Document
) -> None:
    # A call reserves 6 cents, for the longest answer, and costs 0.75: four calls at once.
    workers.deploy(deployed(provider, prices=["2", "20"]))
    provider.count_tokens(input=1768, output=200)
    provider.set_latency(2.0)

    job_id = upload(service, document(PAGES, lines=LINES_PER_PAGE), max_cost=0.25)

    assert_every_page_by_a_model(service, job_id, PAGES)
    one_page = f"job_id='{job_id}' AND stage='model' AND first_page > 0 AND state <> 'split'"
    claims = service.rows(f"SELECT (fence + 1) / 2 FROM jobs_step WHERE {one_page}")  # a claim and its end raise it
    windows = service.number(f"SELECT windows_sent FROM jobs_parsejob WHERE id='{job_id}'")
    assert len(claims) == PAGES
    assert max(count for (count,) in claims) <= 10
    assert sum(count for (count,) in claims) <= 4 * PAGES
    assert windows <= 4 * PAGES
