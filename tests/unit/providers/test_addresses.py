"""``base_url``: the forms that people type are right, or refused with what to write instead."""

from __future__ import annotations

import pytest

from apps.providers.requests.addresses import with_address
from apps.providers.requests.families import problems_of

PLACE = {"project": "p", "location": "europe-west4"}
MODELS = "v1/projects/p/locations/europe-west4/publishers"


@pytest.mark.parametrize(
    ("family", "model", "typed", "used"),
    [
        ("openai", "gpt-5", "https://eu.api.openai.com", "https://eu.api.openai.com/v1"),
        ("openai", "gpt-5", "https://eu.api.openai.com/v1/", "https://eu.api.openai.com/v1"),
        ("openai_compatible", "m", "http://127.0.0.1:11434", "http://127.0.0.1:11434/v1"),
        ("openai_compatible", "m", "https://ark.example/api/v3", "https://ark.example/api/v3"),
        ("azure", "m", "https://acme.openai.azure.com/", "https://acme.openai.azure.com"),
        ("azure", "m", "https://acme.openai.azure.com/openai/v1/", "https://acme.openai.azure.com"),
        ("azure", "m", "https://apim.example/models", "https://apim.example/models"),
        ("anthropic", "m", "https://api.anthropic.com/v1", "https://api.anthropic.com"),
        ("gemini", "m", "https://gw.example", "https://gw.example/v1beta"),
        ("gemini", "m", "https://gw.example/google/v1beta", "https://gw.example/google/v1beta"),
        ("gemini", "m", "https://gw.example/v1", "https://gw.example/v1"),
        ("vertex_ai", "gemini-2.5-pro", "https://gw.example", "https://gw.example"),
        (
            "vertex_ai",
            "gemini-2.5-pro",
            "https://gw.example/vertex",
            f"https://gw.example/vertex/{MODELS}/google/models/gemini-2.5-pro",
        ),
        (
            "vertex_ai",
            "claude-sonnet-4-5",
            "https://gw.example/vertex/v1",
            f"https://gw.example/vertex/{MODELS}/anthropic/models/claude-sonnet-4-5",
        ),
    ],
)
def test_address_is_used_in_the_form_of_its_family(family: str, model: str, typed: str, used: str) -> None:
    settings = {**PLACE, "base_url": typed}

    assert with_address(family, model, settings) == {**PLACE, "base_url": used}


@pytest.mark.parametrize(
    ("family", "typed", "words"),
    [
        ("openai", "https://api.openai.com/v1/chat/completions", "end it with /v1"),
        ("openai_compatible", "http://127.0.0.1:11434/api/chat", "end it with /v1"),
        ("azure", "https://a.openai.azure.com/openai/deployments/x", "from /openai on"),
        ("anthropic", "https://api.anthropic.com/v1/messages", "from /v1 on"),
        ("bedrock", "https://bedrock-runtime.eu-central-1.amazonaws.com/model/x/converse", "from /model on"),
        ("gemini", "https://gw.example/v1beta/models/gemini-2.5-pro:generateContent", "end it with /v1beta"),
        ("gemini", "https://gw.example/v1beta/openai", "openai_compatible"),
        ("vertex_ai", "https://gw.example/v1/projects/p/locations/l", "from /v1 on"),
        ("openai", "https://user:word@api.openai.com/v1", "without a user or password"),
        ("openai", "https://api.openai.com/v1?key=1", "without ? and #"),
        ("openai", "api.openai.com", "an http(s) address"),
    ],
)
def test_address_of_one_request_is_refused_with_what_to_write(family: str, typed: str, words: str) -> None:
    problems = problems_of(family, {"base_url": typed}, {})

    assert words in next(problem for problem in problems if problem.startswith("base_url"))
