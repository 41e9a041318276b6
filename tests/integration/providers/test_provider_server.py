"""The fake providers' server: strict checks of every API, responses for litellm, and the configured faults."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from apps.providers.requests.messages import messages_for
from tests.documents import scans
from tests.fakes import provider as fake
from tests.fakes.provider import FakeProvider
from tests.fakes.providers import credentials

PAGE = "# The mill\n\nIt stands where two rivers meet."
PROMPT = (
    f'Write this page as Markdown.\n<document_page marker="k7">\n{PAGE}\n</document_page marker="k7">\n'
    "End with the line <!-- end k7 -->"
)
IMAGE_PROMPT = "Write what the picture shows. End with the line <!-- end k8 -->"
PICTURE = "data:image/png;base64," + base64.b64encode(scans.png(scans.picture())).decode()
MESSAGES = [{"role": "user", "content": "hello"}]
KINDS = {"openai-eu": "openai", "local": "openai_compatible", "vertex": "vertex_ai", "vertex-claude": "vertex_ai"}
FAMILIES = ("openai", "openai-eu", "local", "azure", "anthropic", "gemini", "vertex", "vertex-claude", "bedrock")


@pytest.fixture(scope="module")
def running() -> Iterator[FakeProvider]:
    with FakeProvider() as server:
        yield server


@pytest.fixture
def provider(running: FakeProvider) -> FakeProvider:
    running.reset()
    return running


@pytest.fixture(scope="module")
def litellm() -> Any:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # without it the import asks the network for prices
    import litellm

    return litellm


def deployment(server: FakeProvider, family: str) -> dict[str, Any]:
    """Return litellm's parameters for one model of a family."""
    vertex = {
        "api_base": server.url,
        "vertex_credentials": json.dumps(server.service_account()),
        "vertex_project": credentials.VERTEX_PROJECT,
        "vertex_location": credentials.VERTEX_LOCATION,
    }
    aws = {
        "aws_bedrock_runtime_endpoint": f"{server.url}/bedrock",
        "aws_region_name": credentials.AWS_REGION,
        "aws_access_key_id": credentials.AWS_ACCESS_KEY_ID,
        "aws_secret_access_key": credentials.AWS_SECRET_ACCESS_KEY,
    }
    by_family: dict[str, tuple[str, dict[str, str]]] = {
        "openai": ("openai/gpt-4o-mini", _key(server, "openai/v1", credentials.OPENAI_KEY)),
        "openai-eu": ("openai/gpt-4o-mini", _key(server, "openai-eu/v1", credentials.OPENAI_EU_KEY)),
        "local": ("openai/llama3.2-vision", _key(server, "local/v1", "none")),
        "azure": ("azure/reader-one", {**_key(server, "azure", credentials.AZURE_KEY), "api_version": "2024-10-21"}),
        "anthropic": ("anthropic/claude-sonnet-4-5", _key(server, "anthropic", credentials.ANTHROPIC_KEY)),
        "gemini": ("gemini/gemini-2.5-flash", _key(server, "gemini/v1beta", credentials.GEMINI_KEY)),
        "vertex": ("vertex_ai/gemini-2.5-flash", vertex),
        "vertex-claude": ("vertex_ai/claude-sonnet-4-5", vertex),
        "bedrock": ("bedrock/converse/eu.anthropic.claude-sonnet-4-5-20250929-v1:0", aws),
    }
    model, parameters = by_family[family]
    return {"model": model, **parameters, "max_tokens": 3000, "num_retries": 0, "timeout": 20}


def _key(server: FakeProvider, path: str, key: str) -> dict[str, str]:
    return {"api_base": f"{server.url}/{path}", "api_key": key}


def image_messages() -> list[dict[str, Any]]:
    picture = {"type": "image_url", "image_url": {"url": PICTURE}}
    return [{"role": "user", "content": [{"type": "text", "text": IMAGE_PROMPT}, picture]}]


def tool(name: str, argument: str, kind: dict[str, Any]) -> dict[str, Any]:
    schema = {"type": "object", "properties": {argument: kind}, "required": [argument]}
    return {"type": "function", "function": {"name": name, "description": name, "parameters": schema}}


TOOLS = [
    tool("finish", "markdown", {"type": "string"}),
    tool("zoom", "region", {"type": "array", "items": {"type": "number"}}),
]


# --- through litellm ---


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_completes_a_page_of_text(provider: FakeProvider, litellm: Any, family: str) -> None:
    messages = [{"role": "system", "content": "You read pages."}, {"role": "user", "content": PROMPT}]

    answer = litellm.completion(messages=messages, **deployment(provider, family))

    seen = provider.requests()[-1]
    assert answer.choices[0].message.content == f"{PAGE}\n<!-- end k7 -->"
    assert answer.choices[0].finish_reason == "stop"
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (seen["input_tokens"], seen["output_tokens"])
    assert (seen["family"], seen["sha256"]) == (family, hashlib.sha256(PAGE.encode()).hexdigest())


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_zooms_into_an_image_and_finishes(provider: FakeProvider, litellm: Any, family: str) -> None:
    provider.zoom(1, region=(10, 20, 110, 220.5))
    provider.answer("# Seen", when="what the picture shows")
    messages, target = image_messages(), deployment(provider, family)

    first = litellm.completion(messages=messages, tools=TOOLS, _skip_mcp_handler=True, **target).choices[0].message
    call = first.tool_calls[0]
    result = {"role": "tool", "tool_call_id": call.id, "name": "zoom", "content": "a closer look"}
    kind = KINDS.get(family, family)
    messages = messages_for(kind, target["model"], [*messages, first.model_dump(exclude_none=True), result])
    last = litellm.completion(messages=messages, tools=TOOLS, _skip_mcp_handler=True, **target).choices[0].message

    assert (call.function.name, json.loads(call.function.arguments)) == ("zoom", {"region": [10, 20, 110, 220.5]})
    assert last.tool_calls[0].function.name == "finish"
    assert json.loads(last.tool_calls[0].function.arguments) == {"markdown": "# Seen\n<!-- end k8 -->"}
    assert provider.requests()[-1]["has_image"]


@pytest.mark.parametrize("family", FAMILIES)
def test_litellm_recognizes_every_familys_quota_error(provider: FakeProvider, litellm: Any, family: str) -> None:
    provider.fault("status", code=429, retry_after="17", family=family)

    with pytest.raises(litellm.RateLimitError) as refused:
        litellm.completion(messages=MESSAGES, **deployment(provider, family))

    assert refused.value.litellm_response_headers["retry-after"] == "17"


def test_expired_access_token_is_refused(provider: FakeProvider) -> None:
    token = exchange(provider, assertion(provider)).json()["access_token"]
    path = f"/vertex/v1/projects/{credentials.VERTEX_PROJECT}/locations/global/publishers/google/models/gemini-2.5-pro"
    body = {"contents": [{"parts": [{"text": "hello"}]}]}
    ask = {"headers": {"Authorization": f"Bearer {token}"}, "json": body}

    before = post(provider, f"{path}:generateContent", **ask)
    provider.expire_tokens()
    after = post(provider, f"{path}:generateContent", **ask)

    assert (before.status_code, after.status_code) == (200, 401)
    assert after.json()["error"]["status"] == "UNAUTHENTICATED"


# --- refused requests ---

OPENAI = {"Authorization": f"Bearer {credentials.OPENAI_KEY}"}
AZURE = {"api-key": credentials.AZURE_KEY}
ANTHROPIC = {"x-api-key": credentials.ANTHROPIC_KEY, "anthropic-version": "2023-06-01"}
GEMINI = {"x-goog-api-key": credentials.GEMINI_KEY}
GPT = {"model": "gpt-4o", "messages": MESSAGES}
CLAUDE = {"model": "claude-sonnet-4-5", "max_tokens": 10, "messages": MESSAGES}
CONTENTS = {"contents": [{"parts": [{"text": "hello"}]}]}
NOT_A_PICTURE = [{"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "iVBORw0KGgo="}}]
CHAT = "/openai/v1/chat/completions"
DEPLOYMENT = "/azure/openai/deployments/reader-one/chat/completions"
GENERATE = "/gemini/v1beta/models/gemini-2.5-flash:generateContent"
VERTEX = f"/vertex/v1/projects/{credentials.VERTEX_PROJECT}/locations/global/publishers"

REFUSED = {
    "openai: no key": (CHAT, {}, GPT, 401, "You didn't provide an API key"),
    "openai: wrong key": (CHAT, {"Authorization": "Bearer sk-no"}, GPT, 401, '"code": "invalid_api_key"'),
    "openai: path": ("/openai/v1/chat", OPENAI, GPT, 404, "Invalid URL (POST /v1/chat)"),
    "openai: no messages": (CHAT, OPENAI, {"model": "gpt-4o"}, 400, "Missing required parameter: 'messages'"),
    "openai: model": (CHAT, OPENAI, {**GPT, "model": "claude"}, 404, '"code": "model_not_found"'),
    "openai: reasoning": (CHAT, OPENAI, {**GPT, "model": "gpt-5", "max_tokens": 9}, 400, "max_completion_tokens"),
    "openai: tool result": (
        CHAT,
        OPENAI,
        {**GPT, "messages": [*MESSAGES, {"role": "tool", "tool_call_id": "x", "content": "y"}]},
        400,
        "must be a response to a preceding message",
    ),
    "openai-eu: the other key": ("/openai-eu/v1/chat/completions", OPENAI, GPT, 401, "invalid_api_key"),
    "azure: key": (f"{DEPLOYMENT}?api-version=2024-10-21", {"api-key": "no"}, GPT, 401, "invalid subscription key"),
    "azure: no version": (DEPLOYMENT, AZURE, GPT, 404, "Resource not found"),
    "azure: deployment": (
        f"{DEPLOYMENT.replace('reader-one', 'unknown')}?api-version=2024-10-21",
        AZURE,
        GPT,
        404,
        '"code": "DeploymentNotFound"',
    ),
    "anthropic: key": ("/anthropic/v1/messages", {**ANTHROPIC, "x-api-key": "no"}, CLAUDE, 401, "authentication_error"),
    "anthropic: no version": (
        "/anthropic/v1/messages",
        {"x-api-key": credentials.ANTHROPIC_KEY},
        CLAUDE,
        400,
        "anthropic-version: header is required",
    ),
    "anthropic: no max_tokens": (
        "/anthropic/v1/messages",
        ANTHROPIC,
        {"model": "claude-sonnet-4-5", "messages": MESSAGES},
        400,
        "max_tokens: Field required",
    ),
    "anthropic: media type": (
        "/anthropic/v1/messages",
        ANTHROPIC,
        {**CLAUDE, "messages": [{"role": "user", "content": NOT_A_PICTURE}]},
        400,
        "does not match the provided media type image/jpeg",
    ),
    "anthropic: model": ("/anthropic/v1/messages", ANTHROPIC, {**CLAUDE, "model": "gpt"}, 404, "not_found_error"),
    "gemini: wrong key": (GENERATE, {"x-goog-api-key": "no"}, CONTENTS, 400, "API_KEY_INVALID"),
    "gemini: no key": (GENERATE, {}, CONTENTS, 403, "PERMISSION_DENIED"),
    "gemini: no contents": (GENERATE, GEMINI, {}, 400, "contents is not specified"),
    "gemini: field": (GENERATE, GEMINI, {**CONTENTS, "messages": []}, 400, 'Unknown name \\"messages\\"'),
    "gemini: model": (GENERATE.replace("gemini-2.5-flash", "gpt"), GEMINI, CONTENTS, 404, "NOT_FOUND"),
    "vertex: no token": (f"{VERTEX}/google/models/gemini-2.5-pro:generateContent", {}, CONTENTS, 401, "missing"),
    "vertex: wrong token": (
        f"{VERTEX}/anthropic/models/claude-sonnet-4-5:rawPredict",
        {"Authorization": "Bearer ya29.made-up"},
        {**CLAUDE, "anthropic_version": "vertex-2023-10-16"},
        401,
        "UNAUTHENTICATED",
    ),
    "bedrock: unsigned": ("/bedrock/model/amazon.nova-lite-v1:0/converse", {}, {}, 403, "Missing Authentication Token"),
    "bedrock: API key": (
        "/bedrock/model/amazon.nova-lite-v1:0/converse",
        {"Authorization": "Bearer no"},
        {},
        403,
        "security token included in the request is invalid",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_wire_refuses_invalid_request(provider: FakeProvider, case: str) -> None:
    path, headers, body, status, words = REFUSED[case]

    refused = post(provider, path, headers=headers, json=body)

    assert refused.status_code == status
    assert words in refused.text


def test_gemini_accepts_its_key_in_the_query(provider: FakeProvider) -> None:
    assert post(provider, f"{GENERATE}?key={credentials.GEMINI_KEY}", json=CONTENTS).status_code == 200


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({}, "access_token"),
        ({"iss": "somebody@else"}, "account not found"),
        ({"aud": "https://example.org"}, "audience"),
        ({"scope": "email"}, "invalid_scope"),
        ({"iat": 1_000_000_000, "exp": 1_000_003_600}, "short-lived token"),
    ],
)
def test_assertion_with_wrong_claims_gets_no_token(
    provider: FakeProvider, claims: dict[str, object], words: str
) -> None:
    assert words in exchange(provider, assertion(provider, **claims)).text


def test_assertion_with_another_signature_is_refused(provider: FakeProvider) -> None:
    signed = assertion(provider)
    header, claims, _ = signed.split(".")

    refused = exchange(provider, f"{header}.{claims}.{base64.urlsafe_b64encode(bytes(256)).decode()}")

    assert refused.status_code == 400
    assert refused.json() == {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({}, 200, "end_turn"),
        ({"body": b'{"messages": [{"role": "user", "content": [{"text": "altered"}]}]}'}, 403, "does not match"),
        ({"region": "us-east-1"}, 403, "scoped to a valid region"),
        ({"service": "s3"}, 403, "correct service"),
        ({"secret": "another"}, 403, "does not match"),
        ({"age": timedelta(minutes=20)}, 403, "Signature expired"),
        ({"model": "unknown.model-v1"}, 400, "model identifier is invalid"),
    ],
)
def test_bedrock_checks_the_signature(provider: FakeProvider, changes: dict[str, Any], status: int, words: str) -> None:
    answer = converse(provider, **changes)

    assert (answer.status_code, words in answer.text) == (status, True)


# --- faults ---


@pytest.mark.parametrize(
    ("kind", "details", "status", "words"),
    [
        ("status", {"code": 418}, 418, '"error"'),
        ("insufficient_quota", {}, 429, '"code": "insufficient_quota"'),
        ("auth", {}, 401, "invalid_api_key"),
        ("model_not_found", {}, 404, "model_not_found"),
        ("overloaded", {}, 503, "overloaded"),
        ("context_exceeded", {}, 400, "context_length_exceeded"),
        ("html", {}, 200, "<!DOCTYPE html>"),
        ("nan", {}, 200, "NaN"),
        ("deep", {}, 200, "[" * 200_000),
        ("huge_int", {}, 200, "9" * 5_000),
        ("surrogate", {}, 200, "\\ud83d "),
        ("usage", {"value": "negative"}, 200, '"prompt_tokens": -1000'),
        ("cut_text", {"finish": "length"}, 200, '"finish_reason": "length"'),
        ("refusal", {}, 200, '"finish_reason": "content_filter"'),
        ("prose", {}, 200, "Sure! Here is"),
        ("nested_fences", {}, 200, "```text"),
    ],
)
def test_fault_applies_as_often_as_configured(
    provider: FakeProvider, kind: str, details: dict[str, Any], status: int, words: str
) -> None:
    provider.fault(kind, times=1, **details)

    struck, spared = chat(provider), chat(provider)

    assert (struck.status_code, words in struck.text) == (status, True)
    assert spared.json()["choices"][0]["message"]["content"] == f"{PAGE}\n<!-- end k7 -->"
    assert provider.stats()["openai/gpt-4o"]["faults"] == {kind: 1}


def test_body_can_be_invalid_utf_8(provider: FakeProvider) -> None:
    provider.fault("invalid_utf8")

    with pytest.raises(UnicodeDecodeError):
        chat(provider).content.decode()


@pytest.mark.parametrize("kind", ["reset", "cut_body"])
def test_connection_can_break(provider: FakeProvider, kind: str) -> None:
    provider.fault(kind)

    with pytest.raises(httpx.TransportError):
        chat(provider)


@pytest.mark.parametrize("kind", ["late", "slow_headers"])
def test_response_can_arrive_after_the_client_timed_out(provider: FakeProvider, kind: str) -> None:
    provider.fault(kind, seconds=30)

    with pytest.raises(httpx.ReadTimeout):
        chat(provider, timeout=0.3)


@pytest.mark.parametrize(("kind", "megabytes"), [("huge_body", 50), ("gzip_bomb", 30)])
def test_body_can_be_huge(provider: FakeProvider, kind: str, megabytes: int) -> None:
    provider.fault(kind, megabytes=megabytes)

    assert len(chat(provider).content) >= megabytes * 2**20


def test_response_can_be_another_pages(provider: FakeProvider) -> None:
    chat(provider, PROMPT.replace("two rivers", "three rivers"))
    provider.fault("other_page", end_line="own")

    assert "three rivers meet.\\n<!-- end k7 -->" in chat(provider).text


def test_share_of_failing_prompts_does_not_depend_on_order(provider: FakeProvider) -> None:
    prompts = [f"Page {number}" for number in range(40)]

    def failed(order: list[str]) -> set[str]:
        provider.reset()
        provider.fault("overloaded", share=0.3, seed=5)
        return {prompt for prompt in order if chat(provider, prompt).status_code == 503}

    forwards = failed(prompts)

    assert 4 <= len(forwards) <= 20
    assert failed(prompts[::-1]) == forwards


def test_fault_applies_to_a_prompt_no_more_often_than_configured(provider: FakeProvider) -> None:
    provider.fault("overloaded", at_most_per_prompt=2)

    statuses = [chat(provider, prompt).status_code for prompt in ("one", "two") for _ in range(3)]

    assert statuses == [503, 503, 200, 503, 503, 200]


def test_unknown_setting_is_refused(provider: FakeProvider) -> None:
    with pytest.raises(ValueError, match="unknown fault 'overload'"):
        provider.fault("overload")
    with pytest.raises(ValueError, match="has no parameters secnods"):
        provider.fault("late", secnods=3)


# --- limits ---


def test_request_over_the_limit_is_refused_and_counted(provider: FakeProvider) -> None:
    provider.limit(family="openai", requests=2, retry_after=30)

    answers = [chat(provider) for _ in range(4)]

    counted = provider.stats()["openai/gpt-4o"]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
    assert answers[2].headers["Retry-After"] == "30"
    assert (counted["over_limit"], counted["early"], counted["busiest_window"]) == (2, 1, 4)


def test_window_slides(provider: FakeProvider) -> None:
    provider.limit(requests=1, window_seconds=0.5)

    first, at_once = chat(provider), chat(provider)
    time.sleep(0.6)

    assert [first.status_code, at_once.status_code, chat(provider).status_code] == [200, 429, 200]


@pytest.mark.parametrize(("counts", "second"), [("max_tokens", 429), ("actual", 200)])
def test_tokens_are_counted_by_maximum_or_by_use(provider: FakeProvider, counts: str, second: int) -> None:
    provider.limit(tokens=1500, counts=counts)

    assert [chat(provider, max_tokens=1000).status_code for _ in range(2)] == [200, second]


def test_calls_in_flight_are_limited(provider: FakeProvider) -> None:
    provider.limit(in_flight=3)
    provider.set_latency(0.5)

    with ThreadPoolExecutor(6) as threads:
        statuses = [answer.status_code for answer in threads.map(lambda _: chat(provider), range(6))]

    assert sorted(statuses) == [200, 200, 200, 429, 429, 429]
    assert provider.stats()["openai/gpt-4o"]["most_in_flight"] <= 6


@pytest.mark.parametrize(
    ("retry_after", "early"),
    [("30", 1), ("soon", 0), ("-5", 0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0), ("Wed, 21 Oct 2099 07:28:00 GMT", 1)],
)
def test_request_before_retry_after_is_early(provider: FakeProvider, retry_after: str, early: int) -> None:
    provider.fault("status", code=503, retry_after=retry_after, times=1)

    refused, _ = chat(provider), chat(provider)

    assert refused.headers["Retry-After"] == retry_after
    assert provider.stats()["openai/gpt-4o"]["early"] == early


# --- its life ---


def test_outage_keeps_port_and_counts(provider: FakeProvider) -> None:
    chat(provider)

    provider.stop()
    with pytest.raises(httpx.ConnectError):
        chat(provider)
    provider.start()

    assert chat(provider).status_code == 200
    assert provider.stats()["openai/gpt-4o"]["requests"] == 2


def test_images_are_read_for_demonstrations() -> None:
    with FakeProvider(see=True) as seeing:
        answer = post(seeing, CHAT, headers=OPENAI, json={"model": "gpt-4o", "messages": image_messages()}).json()

    assert scans.LINES[0] in answer["choices"][0]["message"]["content"]


def test_server_ends_with_its_parent() -> None:
    parent = subprocess.Popen(["sleep", "60"])
    command = [sys.executable, "-m", "tests.fakes.providers", "--parent-pid", str(parent.pid)]
    server = subprocess.Popen(command, cwd=fake.ROOT, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    with server.stdout:
        assert server.stdout.readline().startswith("listening on http://127.0.0.1:")
        parent.kill()
        parent.wait()

        assert server.wait(10) == 0


# --- helpers ---


def post(server: FakeProvider, path: str, **request: Any) -> httpx.Response:
    return httpx.post(server.url + path, trust_env=False, verify=False, **{"timeout": 20, **request})


def chat(server: FakeProvider, prompt: str = PROMPT, *, timeout: float = 20, **body: Any) -> httpx.Response:
    messages = [{"role": "user", "content": prompt}]
    return post(server, CHAT, headers=OPENAI, json={"model": "gpt-4o", "messages": messages, **body}, timeout=timeout)


def assertion(server: FakeProvider, **changes: object) -> str:
    from google.auth import crypt, jwt

    account, now = server.service_account(), int(time.time())
    claims = {
        "iss": account["client_email"],
        "scope": "https://www.googleapis.com/auth/cloud-platform",
        "aud": account["token_uri"],
        "iat": now,
        "exp": now + 3600,
        **changes,
    }
    signer = crypt.RSASigner.from_service_account_info(account)
    return str(jwt.encode(signer, claims).decode())


def exchange(server: FakeProvider, signed: str) -> httpx.Response:
    grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
    return post(server, "/token", data={"grant_type": grant, "assertion": signed})


def converse(
    server: FakeProvider,
    *,
    body: bytes | None = None,
    region: str = credentials.AWS_REGION,
    service: str = "bedrock",
    secret: str = credentials.AWS_SECRET_ACCESS_KEY,
    age: timedelta = timedelta(),
    model: str = "amazon.nova-lite-v1:0",
) -> httpx.Response:
    """Sign a request as AWS's own library does, then send ``body`` in its place."""
    from botocore import auth, awsrequest
    from botocore import credentials as aws

    url = f"{server.url}/bedrock/model/{model.replace(':', '%3A')}/converse"
    signed = b'{"messages": [{"role": "user", "content": [{"text": "hello"}]}]}'
    request = awsrequest.AWSRequest("POST", url, data=signed, headers={"Content-Type": "application/json"})
    signer = auth.SigV4Auth(aws.Credentials(credentials.AWS_ACCESS_KEY_ID, secret), service, region)
    request.context["timestamp"] = (datetime.now(UTC) - age).strftime("%Y%m%dT%H%M%SZ")
    # As ``add_auth`` does, with the timestamp that the request already has.
    request.headers["X-Amz-Date"] = request.context["timestamp"]
    canonical = signer.canonical_request(request)
    signature = signer.signature(signer.string_to_sign(request, canonical), request)
    signer._inject_signature_to_request(request, signature)
    return httpx.post(url, headers=dict(request.headers), content=body or signed, trust_env=False, verify=False)
