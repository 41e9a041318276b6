"""A real small model answers balanced pages over OpenAI's protocol. tests/small-model.txt installs it.

It is too small to rebuild a page. So nothing wrong may be taken, the job ends, and the ledger has its tokens.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from apps.jobs import queries
from apps.jobs.states import JobState
from apps.pages.sandbox.preload import assembled_pdf
from apps.providers.catalog import catalog
from apps.providers.models import CallOutcome, Deployment, Provider, Usage
from tests.documents.hostile import stream
from tests.integration.jobs.conftest import Submit, run

pytestmark = [
    pytest.mark.usefixtures("gateway"),
    pytest.mark.timeout(600),
    pytest.mark.skipif(find_spec("xllamacpp") is None, reason="tests/small-model.txt is not installed"),
]
ROOT = Path(__file__).resolve().parents[3]
WORDS = ["Invoice 7", "Consulting 10 hours 900.00", "Total 900.00 EUR"]
PAGE = assembled_pdf(
    b"<</Type/Catalog/Pages 2 0 R>>",
    b"<</Type/Pages/Kids[4 0 R]/Count 1>>",
    b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 5 0 R/Resources<</Font<</F 3 0 R>>>>>>",
    stream(" ".join(f"BT /F 12 Tf 60 {600 - 40 * n} Td ({words}) Tj ET" for n, words in enumerate(WORDS)).encode()),
)


@pytest.fixture(scope="module")
def small_model() -> Iterator[str]:
    """Run the server and return its address."""
    command = [sys.executable, "-m", "tests.fakes.small_model"]
    server = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert server.stdout is not None
    address = next(line.split()[-1] for line in server.stdout if line.startswith("listening on "))
    yield address
    server.kill()
    server.wait()


def test_nothing_wrong_is_taken_the_job_ends_and_the_ledger_is_right(submit: Submit, small_model: str) -> None:
    provider = Provider.objects.create(
        name="house", family="openai_compatible", external=False, settings={"base_url": small_model}
    )
    Deployment.objects.create(
        name="gemma", provider=provider, model="gemma-3-270m", serves_llm=True, max_output_tokens=160, input_price=0
    )
    Deployment.objects.update(output_price=0)
    catalog.forget()

    job = run(submit(PAGE, mode="balanced", tier="balanced", uses_models=True))

    source = queries.open_result(job, "metadata.json")
    assert source is not None
    with source:
        parsing = json.load(source)["pages"][0]["parsing"]
    markdown = queries.open_result(job, "markdown.md")
    assert markdown is not None
    with markdown:
        text = markdown.read().decode()
    calls = list(Usage.objects.all())
    assert job.state == JobState.SUCCEEDED
    assert all(words in text for words in WORDS)
    assert "document_page" not in text
    assert parsing.get("fallback_used") or parsing["deployment"] == "gemma"
    assert calls
    for call in calls:
        assert call.outcome == CallOutcome.ANSWERED
        assert 100 < call.input_tokens < 4096
        assert 0 < call.output_tokens <= 160
        assert (call.cost_nanos, call.usage_suspect) == (0, False)
