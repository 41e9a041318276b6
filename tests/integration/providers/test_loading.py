"""manage.py load_providers and check_providers, with the fake providers' server."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from apps.providers.calls.usage import TokenUsage
from apps.providers.catalog import deployment_quota_key, read_targets
from apps.providers.model_facts.price_table import table_name
from apps.providers.models import Deployment, Provider, Quota, Usage
from apps.providers.quota.store import QuotaStore
from tests.fakes.deployments import deploy
from tests.fakes.provider import FakeProvider

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parents[3]
SECRET = "sk-a-secret-never-to-be-shown"
ENTRY = """
providers:
  - name: openai
    family: openai
    external: true
    region: eu
    settings: {base_url: https://eu.api.openai.com/v1}
    secrets: {api_key: {env: MY_KEY}}
    deployments:
      - name: gpt
        model: gpt-4o-mini
        page_parsers: [llm]
        order: 2
        price: {input: 0.15, output: 0.6}
        quota: {rpm: 500, dollars_per_day: 20, counts: max_tokens, window_seconds: 10}
"""


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", SECRET)


def load(tmp_path: Path, text: str = ENTRY, *options: str) -> str:
    path = tmp_path / "providers.yaml"
    path.write_text(text, encoding="utf-8")
    out = io.StringIO()
    call_command("load_providers", str(path), *options, stdout=out)
    return out.getvalue()


def refused(tmp_path: Path, text: str) -> str:
    with pytest.raises(CommandError) as error:
        load(tmp_path, text)
    assert not Provider.objects.exists()
    return str(error.value)


def test_rows_have_the_values_of_the_file(tmp_path: Path) -> None:
    load(tmp_path)

    deployment = Deployment.objects.select_related("provider", "quota").get()
    assert (deployment.provider.region, deployment.model, deployment.order) == ("eu", "gpt-4o-mini", 2)
    assert (deployment.serves_llm, deployment.serves_lvm, deployment.serves_agent) == (True, False, False)
    assert (float(deployment.input_price or 0), float(deployment.output_price or 0)) == (0.15, 0.6)
    assert (deployment.quota.requests_per_window, deployment.quota.counts_max_tokens) == (500, True)
    assert SECRET not in deployment.provider.secrets_sealed


def test_loading_twice_changes_nothing(tmp_path: Path) -> None:
    load(tmp_path)
    before = list(Provider.objects.values()) + list(Deployment.objects.values()) + list(Quota.objects.values())

    output = load(tmp_path)

    assert output.splitlines() == ["provider openai: unchanged", "deployment gpt: unchanged"]
    assert before == list(Provider.objects.values()) + list(Deployment.objects.values()) + list(Quota.objects.values())


def test_dry_run_lists_changes_and_makes_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load(tmp_path)
    monkeypatch.setenv("MY_KEY", "another-secret-of-ours")

    output = load(tmp_path, ENTRY.replace("rpm: 500", "rpm: 900").replace("region: eu", "region: us"), "--dry-run")

    assert "region: eu -> us; secrets changed" in output
    assert "quota.requests_per_window: 500 -> 900" in output
    assert Quota.objects.get().requests_per_window == 500
    assert "another-secret" not in output


def test_new_key_clears_the_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load(tmp_path)
    Provider.objects.update(trouble_code="provider_auth_failed")
    monkeypatch.setenv("MY_KEY", "another-secret-of-ours")

    load(tmp_path)

    assert Provider.objects.get().trouble_code == ""


def test_rows_not_in_the_file_stay_unless_pruned(tmp_path: Path) -> None:
    load(tmp_path)
    other = ENTRY.replace("name: openai", "name: second").replace("name: gpt", "name: gpt-2")
    load(tmp_path, other)
    assert Provider.objects.count() == 2

    output = load(tmp_path, other, "--prune")

    assert "provider openai: removed" in output
    assert list(Provider.objects.values_list("name", flat=True)) == ["second"]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("{env: MY_KEY}", SECRET, "providers[0].secrets.api_key: secrets must not be written in the file"),
        ("MY_KEY", "UNSET_VARIABLE", "providers[0].secrets.api_key: the variable UNSET_VARIABLE is not set"),
        ("family: openai", "family: opneai", "providers[0].family: 'opneai' is not one of"),
        ("    external: true\n", "", "providers[0].external: true or false"),
        ("rpm: 500", "rpm: many", "providers[0].deployments[0].quota.rpm: a whole number"),
        ("rpm: 500", "rpmm: 500", "providers[0].deployments[0].quota.rpmm: unknown"),
        ("page_parsers: [llm]", "page_parsers: [lmm]", "providers[0].deployments[0].page_parsers: a list of"),
        ("input: 0.15", "input: cheap", "providers[0].deployments[0].price.input: an amount of US dollars"),
        ("counts: max_tokens", "counts: all", "providers[0].deployments[0].quota.counts: actual or max_tokens"),
        ("https://eu.api.openai.com/v1", "ftp://somewhere", "providers[0].base_url: an http(s) address"),
        ("name: gpt\n", "name: a b/c\n", "providers[0].deployments[0].name: at most 60"),
        ("order: 2", "dialect: dots", "providers[0].deployments[0].dialect: 'dots' is not one of markdown, olmocr"),
        ("order: 2", "dialect: dots_ocr", "providers[0].deployments[0].dialect: a model with its own form reads the"),
        ("order: 2", "prompt: Read.", "providers[0].deployments[0].prompt: a text is expected, beside a dialect"),
        ("order: 2", "picture_pixels: 9", "providers[0].deployments[0].picture_pixels: 256 to 4000"),
        ("providers:", "provider:", "providers: a list is expected"),
        ("providers:", "providers: [", "The file is not YAML"),
    ],
)
def test_invalid_file_is_refused_with_the_position(tmp_path: Path, old: str, new: str, problem: str) -> None:
    message = refused(tmp_path, ENTRY.replace(old, new))

    assert problem in message
    assert SECRET not in message


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/v1}", "/v1, api_key: sk-LITERAL}"),
        ("family: openai\n", "family: openai\n    optional: yes please\n"),
        ("counts: max_tokens", "counts: [max_tokens]"),
        ("order: 2", "order: 40000"),
        ("order: 2", "order: 2\n        order: 3"),
        ("name: gpt\n", f"name: {'g' * 80}\n"),
        ("order: 2", "order: 2\n        parameters: {api_key: sk-LITERAL}"),
        ("{env: MY_KEY}", "{env: sk-LITERAL}"),
        ("family: openai", 'family: ["sk-LITERAL'),
        ("region: eu", "region: no"),
        ("input: 0.15", "input: 0.0375"),
    ],
)
def test_no_message_repeats_a_possible_secret(tmp_path: Path, old: str, new: str) -> None:
    assert "LITERAL" not in refused(tmp_path, ENTRY.replace(old, new))


def test_a_dialect_is_loaded_with_its_prompt_and_size_of_picture(tmp_path: Path) -> None:
    form = "page_parsers: [lvm]\n        dialect: markdown\n        prompt: Read it.\n        picture_pixels: 1000"
    load(tmp_path, ENTRY.replace("page_parsers: [llm]", form))

    row = Deployment.objects.get()
    assert (row.dialect, row.prompt, row.picture_pixels, row.page_parsers) == ("markdown", "Read it.", 1000, ["lvm"])
    load(tmp_path, ENTRY)
    row.refresh_from_db()
    assert (row.dialect, row.prompt, row.picture_pixels) == ("", "", None)


def test_date_is_read_as_a_string(tmp_path: Path) -> None:
    azure = "settings: {base_url: https://x.openai.azure.com, api_version: 2024-10-21}"
    text = ENTRY.replace("settings: {base_url: https://eu.api.openai.com/v1}", azure)
    load(tmp_path, text.replace("family: openai", "family: azure"))

    assert Provider.objects.get().settings["api_version"] == "2024-10-21"


def test_skipped_provider_is_not_pruned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = ENTRY.replace("family: openai\n", "family: openai\n    optional: true\n")
    load(tmp_path, text)
    monkeypatch.delenv("MY_KEY")

    load(tmp_path, text, "--prune")

    assert Deployment.objects.count() == 1


def test_changed_provider_is_called_again_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota_store: QuotaStore
) -> None:
    load(tmp_path)
    key = deployment_quota_key(Deployment.objects.get().pk)
    quota_store.hold_off(key, seconds=600)
    monkeypatch.setenv("MY_KEY", "another-secret-of-ours")

    load(tmp_path)

    assert quota_store.held_off_seconds(key) == 0


def test_all_problems_are_listed_at_once(tmp_path: Path) -> None:
    message = refused(tmp_path, ENTRY.replace("rpm: 500", "rpm: no").replace("order: 2", "order: first"))

    assert "quota.rpm" in message
    assert ".order" in message


def test_example_has_every_family_and_loads_the_configured_ones(
    tmp_path: Path, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    example = (ROOT / "docs/providers.example.yaml").read_text(encoding="utf-8")
    output = load(tmp_path, example)
    assert output.count("skipped") == 10
    for name, value in provider.environment().items():
        monkeypatch.setenv(name, value)
    for name in ("AZURE_API_BASE", "OLLAMA_BASE_URL", "VLLM_BASE_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:1/v1")

    load(tmp_path, example)

    assert Provider.objects.count() == 10
    assert Deployment.objects.count() == 10
    assert Provider.objects.values("family").distinct().count() == 7


# --- prices ---

WITHOUT_PRICE = ENTRY.replace("        price: {input: 0.15, output: 0.6}\n", "").replace("//eu.api", "//api")


def test_prices_that_the_file_leaves_out_are_those_of_the_price_table(tmp_path: Path) -> None:
    load(tmp_path, WITHOUT_PRICE)

    row = Deployment.objects.get()
    assert row.has_price
    assert row.prices_in_words() == (
        f"input 0.15, cached 0.075, output 0.6 US dollars per million tokens ({table_name()}: gpt-4o-mini)"
    )
    assert row.cost_nanos(TokenUsage(793, 100, cached_tokens=700)) == 93 * 150 + 700 * 75 + 100 * 600
    assert row.input_price is None


def test_prices_in_the_file_replace_those_of_the_table(tmp_path: Path) -> None:
    load(tmp_path, WITHOUT_PRICE.replace("order: 2", "price: {input: 0.3, output: 0.6, cache_write: 0.5}"))

    row = Deployment.objects.get()
    usage = TokenUsage(1000, 100, cached_tokens=500, cache_write_tokens=200)
    assert row.cost_nanos(usage) == 300 * 300 + 500 * 150 + 200 * 500 + 100 * 600
    assert "(entered; the others follow from litellm" in row.prices_in_words()


def test_a_model_of_ones_own_has_the_prices_of_the_model_behind_it(tmp_path: Path) -> None:
    own_name = WITHOUT_PRICE.replace("model: gpt-4o-mini", "model: ft-of-ours")
    load(tmp_path, own_name)
    assert Deployment.objects.get().prices_in_words().startswith("unknown")

    output = load(tmp_path, own_name.replace("order: 2", "base_model: gpt-4o-mini"))

    assert f"prices_from:  -> {table_name()}: gpt-4o-mini" in output
    assert Deployment.objects.get().has_price


def test_an_unknown_name_of_a_price_is_refused(tmp_path: Path) -> None:
    problems = refused(tmp_path, ENTRY.replace("input: 0.15", "inptu: 0.15"))

    assert (
        "deployments[0].price.inptu: unknown; the known names are cache_write, cached_input, input, output" in problems
    )


def test_check_shows_prices_and_refreshes_those_of_an_old_table(tmp_path: Path) -> None:
    load(tmp_path, WITHOUT_PRICE)
    Deployment.objects.update(listed_prices={"input": "9", "output": "9"}, prices_from="litellm of last year")

    output, _ = check("--no-call")

    assert f"prices: input 0.15, cached 0.075, output 0.6 US dollars per million tokens ({table_name()}" in output
    assert Deployment.objects.get().prices_from == f"{table_name()}: gpt-4o-mini"


# --- check_providers ---


@pytest.fixture
def provider(provider: FakeProvider) -> FakeProvider:
    """The models of these tests read the pictures that they are sent."""
    provider.read_pictures()
    return provider


def check(*options: str) -> tuple[str, int]:
    out = io.StringIO()
    try:
        call_command("check_providers", *options, stdout=out)
    except CommandError:
        return out.getvalue(), 1
    return out.getvalue(), 0


def test_check_reports_which_deployments_work(
    provider: FakeProvider, quota_store: QuotaStore, caplog: pytest.LogCaptureFixture
) -> None:
    deploy(provider, "openai")
    deploy(provider, "anthropic", order=2)
    deploy(provider, "gemini", order=3)
    deploy(provider, "local", order=4, paused=True)
    provider.fault("auth", family="anthropic")
    provider.fault("model_not_found", family="gemini")

    with caplog.at_level(logging.DEBUG):
        output, code = check()

    lines = {line.split()[0]: line for line in output.splitlines()}
    assert code == 1
    assert " ok " in lines["openai"]
    assert "FAILED" in lines["anthropic"]
    assert "provider_auth_failed" in lines["anthropic"]
    assert "provider_model_not_found" in lines["gemini"]
    assert "paused" in lines["local"]
    assert Usage.objects.filter(job_id="check").count() == 4
    assert "sk-" not in output + caplog.text


def test_check_clears_the_fault_of_a_working_deployment(provider: FakeProvider, quota_store: QuotaStore) -> None:
    deploy(provider, "openai")
    provider.fault("auth", times=1)
    assert check()[1] == 1
    assert Provider.objects.get().trouble_code == "provider_auth_failed"
    assert check("--no-call")[1] == 1

    assert check()[1] == 0

    assert Provider.objects.get().trouble_code == ""


def test_check_calls_no_external_provider_if_they_are_off(
    provider: FakeProvider, quota_store: QuotaStore, settings: Any
) -> None:
    settings.EXTERNAL_PROVIDERS = False
    deploy(provider, "openai")

    assert check()[1] == 0
    assert provider.requests() == []


def test_check_without_calls_sends_no_request(provider: FakeProvider, quota_store: QuotaStore) -> None:
    deploy(provider, "openai")

    assert check("--no-call")[1] == 0
    assert provider.requests() == []


@pytest.mark.parametrize(
    ("fields", "problem"),
    [({"dialect": "of-a-later-release"}, "is not one of markdown"), ({"dialect": "mineru"}, "it can serve lvm only")],
)
def test_check_reports_a_dialect_that_cannot_work(
    provider: FakeProvider, quota_store: QuotaStore, fields: dict[str, str], problem: str
) -> None:
    row = deploy(provider, "local")
    Deployment.objects.filter(pk=row.pk).update(**fields)

    output, code = check()

    assert (code, problem in output) == (1, True)
    assert provider.requests() == []


def test_a_dialect_of_a_later_release_is_not_called(provider: FakeProvider) -> None:
    deploy(provider, "local", name="known")
    row = deploy(provider, "openai", name="unknown")
    Deployment.objects.filter(pk=row.pk).update(dialect="of-a-later-release")

    assert [target.name for target in read_targets()] == ["known"]


def test_check_reports_an_unreachable_provider(quota_store: QuotaStore, provider: FakeProvider) -> None:
    row = deploy(provider, "local")
    Provider.objects.update(settings={"base_url": "http://127.0.0.1:1/v1"})

    output, code = check()

    assert (code, "provider_unavailable" in output) == (1, True)
    assert "Connection refused" in output
    assert not Usage.objects.filter(deployment=row).exists()


def test_check_asks_for_a_page_and_looks_at_the_answer(provider: FakeProvider, quota_store: QuotaStore) -> None:
    deploy(provider, "local", model="thinker-8b", max_output_tokens=7_000)
    provider.think("thinker-8b", 9_000)

    output, code = check()

    assert code == 1
    assert "7,000 went into thinking. Raise max_output_tokens" in output
    Deployment.objects.update(max_output_tokens=32_000)
    output, code = check()
    assert (code, "answers a page of text" in output, "thinks with up to 9,000 tokens" in output) == (0, True, True)


def test_check_fails_if_the_answer_is_not_the_page(provider: FakeProvider, quota_store: QuotaStore) -> None:
    deploy(provider, "openai")
    provider.answer("OK", end_line=False)

    output, code = check()

    assert code == 1
    assert "only 0% of the words" in output


def test_check_looks_whether_a_model_reads_pictures(provider: FakeProvider, quota_store: QuotaStore) -> None:
    deploy(provider, "openai")
    deploy(provider, "anthropic", order=2, serves_lvm=False, serves_agent=False)

    output, code = check()

    lines = {line.split()[0]: line for line in output.splitlines()}
    assert code == 0
    assert "answers a page of text; reads a picture" in lines["openai"]
    assert "picture" not in lines["anthropic"]
    assert list(Usage.objects.order_by("pk").values_list("page_parser", flat=True)) == ["llm", "lvm", "llm"]


@pytest.mark.parametrize(
    "make_blind",
    [
        pytest.param(lambda fake: fake.answer("I see no picture.", when="this picture"), id="dropped"),
        pytest.param(lambda fake: fake.fault("status", code=400, when="this picture"), id="refused"),
        pytest.param(lambda fake: fake.fault("status", code=500, when="this picture"), id="failed"),
    ],
)
def test_check_says_what_to_do_about_a_model_that_sees_nothing(
    provider: FakeProvider, quota_store: QuotaStore, make_blind: Callable[[FakeProvider], None]
) -> None:
    deploy(provider, "local")
    make_blind(provider)

    output, code = check()

    assert code == 1
    assert "answers a page of text. " in output
    assert "choose a model that sees pictures, or take lvm and agent out of page_parsers" in output


def test_check_asks_a_document_model_in_its_own_words(provider: FakeProvider, quota_store: QuotaStore) -> None:
    deploy(provider, "local", dialect="paddleocr_vl", serves_llm=False, serves_agent=False)

    output, code = check()

    assert (code, "local  ok" in output, "reads a picture" in output) == (0, True, True)
    provider.answer("OK", end_line=False)
    output, code = check()
    assert code == 1
    assert "only 0% of the words of a small picture: 'OK'" in output
    assert "check that the dialect is the model's" in output


def test_check_learns_what_a_deployment_refuses(provider: FakeProvider, quota_store: QuotaStore) -> None:
    deploy(provider, "azure", model="pages-prod", parameters={"temperature": 0})

    output, code = check()

    assert code == 0
    assert "refuses max_tokens, temperature, which is no longer sent" in output


def test_loading_again_clears_the_faults_of_provider_and_deployment(tmp_path: Path, quota_store: QuotaStore) -> None:
    load(tmp_path)
    fault = {"trouble_code": "provider_model_not_found", "trouble_detail": "no", "trouble_at": timezone.now()}
    Deployment.objects.update(**fault)
    Provider.objects.update(**fault)

    load(tmp_path)

    assert Deployment.objects.get().trouble_code == Provider.objects.get().trouble_code == ""


def test_changed_provider_forgets_what_its_deployments_taught(tmp_path: Path, quota_store: QuotaStore) -> None:
    load(tmp_path)
    Deployment.objects.update(trouble_code="provider_model_not_found", learnt={"refused": ["temperature"]})

    load(tmp_path, ENTRY.replace("https://eu.api.openai.com/v1", "https://us.api.openai.com/v1"))

    assert (Deployment.objects.get().trouble_code, Deployment.objects.get().learnt) == ("", {})


@pytest.mark.parametrize(
    ("extra", "values"),
    [
        ("base_model: gpt-5-mini", {"base_model": "gpt-5-mini"}),
        ("thinking: off", {"thinking": "off"}),
        ("thinking: high", {"thinking": "high"}),
        ("thinking: 4000", {"thinking": "4000"}),
        ("max_output_tokens: 64000", {"max_output_tokens": 64_000}),
    ],
)
def test_file_says_how_a_model_thinks(tmp_path: Path, extra: str, values: dict[str, Any]) -> None:
    load(tmp_path, ENTRY.replace("order: 2", f"order: 2\n        {extra}"))

    row = Deployment.objects.get()
    assert {name: getattr(row, name) for name in values} == values


def test_file_with_an_unknown_thinking_is_refused(tmp_path: Path) -> None:
    problem = refused(tmp_path, ENTRY.replace("order: 2", "order: 2\n        thinking: hard"))

    assert "deployments[0].thinking: off, low, medium, high or a number of tokens" in problem
