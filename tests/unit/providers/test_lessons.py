"""What a refusal teaches, by the words of the providers' documentation and of public issues."""

from __future__ import annotations

import json

import pytest

from apps.providers.calls.lessons import Lesson, lesson_of

SENT = frozenset(
    {"temperature", "top_p", "max_tokens", "max_completion_tokens", "thinking", "reasoning_effort", "seed"}
    | {"chat_template_kwargs"}
)
LIMIT = 20_000


def openai(message: str, param: str | None = None) -> str:
    return json.dumps({"error": {"message": message, "type": "invalid_request_error", "param": param, "code": None}})


def anthropic(message: str) -> str:
    return json.dumps({"type": "error", "error": {"type": "invalid_request_error", "message": message}})


def google(message: str) -> str:
    return json.dumps({"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}})


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        (
            openai(
                "Unsupported parameter: 'max_tokens' is not supported with this model. "
                "Use 'max_completion_tokens' instead.",
                "max_tokens",
            ),
            "max_tokens",
        ),
        (openai("Unsupported parameter: 'max_tokens' is not supported with this model."), "max_tokens"),
        (openai("Unrecognized request argument supplied: max_completion_tokens"), "max_completion_tokens"),
        (
            openai("Unsupported value: 'temperature' does not support 0 with this model. Only 1.", "temperature"),
            "temperature",
        ),
        (openai("property 'chat_template_kwargs' is unsupported"), "chat_template_kwargs"),
        (
            json.dumps({"detail": [{"type": "extra_forbidden", "loc": ["body", "reasoning_effort"], "msg": "no"}]}),
            "reasoning_effort",
        ),
        (anthropic("`temperature` and `top_p` cannot both be specified for this model."), "temperature"),
        (anthropic("thinking.type.enabled: this model does not support it"), "thinking"),
        (google("Thinking level is not supported for this model."), "reasoning_effort"),
        (google("Budget 0 is invalid. This model only works in thinking mode."), "thinking"),
        (json.dumps({"message": "Malformed input request: #: extraneous key [thinking] is not permitted"}), "thinking"),
    ],
)
def test_refused_parameter_is_found(body: str, refused: str) -> None:
    assert lesson_of(body, sent=SENT, limit=LIMIT) == Lesson(refused=refused)


@pytest.mark.parametrize(
    ("body", "tokens"),
    [
        (
            openai(
                "max_tokens is too large: 20000. This model supports at most 16384 completion tokens, whereas you "
                "provided 20000.",
                "max_tokens",
            ),
            16_384,
        ),
        (anthropic("max_tokens: 20000 > 8192, which is the maximum allowed number of output tokens for it"), 8_192),
        (
            json.dumps(
                {"message": "The maximum tokens you requested exceeds the model limit of 4096. Try a value lower."}
            ),
            4_096,
        ),
        (
            google(
                "Unable to submit request because it has a maxOutputTokens value of 20000 but the supported range is "
                "from 1 (inclusive) to 8193 (exclusive). Update the value and try again."
            ),
            8_192,
        ),
        (openai("Invalid max_tokens value, the valid range of max_tokens is [1, 8192]"), 8_192),
    ],
)
def test_largest_limit_is_found(body: str, tokens: int) -> None:
    assert lesson_of(body, sent=SENT, limit=LIMIT) == Lesson(max_output_tokens=tokens)


@pytest.mark.parametrize(
    "message",
    [
        (
            "'max_tokens' or 'max_completion_tokens' is too large: 20000. This model's maximum context length is 8192 "
            "tokens and your request has 1200 input tokens (20000 > 8192 - 1200)."
        ),
        (
            "This model's maximum context length is 8192 tokens. However, you requested 21200 tokens (1200 in the "
            "messages, 20000 in the completion)."
        ),
    ],
)
def test_what_the_context_leaves_concerns_this_page(message: str) -> None:
    assert lesson_of(openai(message), sent=SENT, limit=LIMIT) == Lesson(max_output_tokens=6_992, of_page=True)


@pytest.mark.parametrize(
    "body",
    [
        openai("You uploaded an unsupported image."),
        openai("This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens."),
        openai("Missing required parameter: 'messages'.", "messages"),
        "<html>temp</html>",
        "",
        "[1]",
    ],
)
def test_other_refusals_teach_nothing(body: str) -> None:
    assert lesson_of(body, sent=SENT, limit=LIMIT) is None


def test_a_parameter_that_was_not_sent_is_not_blamed() -> None:
    refusal = openai("Unsupported value: 'temperature' does not support 0 with this model.", "temperature")

    assert lesson_of(refusal, sent={"seed"}, limit=LIMIT) is None
