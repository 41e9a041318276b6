"""Ask a model for an annotation of pages, and check that the answer fits."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from apps.core.computing import computing_lock
from apps.pages.model.blocks import Page
from apps.pages.model.errors import ParseError
from apps.parsing import requests
from apps.parsing.annotations import schemas, segments
from apps.parsing.annotations.messages import VERSION, annotation_messages, text_of
from apps.parsing.annotations.schema_errors import InvalidSchema, SchemaTooLarge
from apps.parsing.annotations.tasks import AnnotationTask
from apps.parsing.errors import UnusableAnswer
from apps.parsing.page_parser import end_mark_of
from apps.parsing.prompts.token_estimate import estimate_tokens, text_tokens
from apps.providers.calls.attempts import CallScope
from apps.providers.calls.client import CompletionRequest, CompletionResponse
from apps.providers.calls.gateway import Gateway
from apps.providers.catalog import Target
from apps.providers.errors import AllProvidersFailed
from apps.providers.requests.request_parameters import model_of

MAX_TEXT_CHARS = 600_000
MIN_ANSWER_TOKENS, ANSWER_TOKENS_PER_TEXT_TOKEN = 1_000, 2
OUTPUT_INVALID = "output_invalid"
MAX_DEPTH, MAX_NUMBER = 32, 2**63
_BAD_SIGN = re.compile("[\x00\ud800-\udfff]")
_FENCE = re.compile(r"\A\s*```[a-zA-Z]{0,10}[ \t]*\n(.*)\n\s*```\s*\Z", re.DOTALL)


class DocumentTooLong(ParseError):
    """The text is too long for one request to a model. Send fewer pages (target_pages), or extract page by page."""

    code = "document_too_long"


@dataclass(frozen=True)
class CheckedAnnotation:
    """A checked answer, and what it took. ``cost_nanos`` is None if the price of a call is unknown."""

    data: dict[str, Any]
    target: Target
    requests: int
    cost_nanos: int | None

    def facts(self) -> dict[str, Any]:
        return {
            "deployment": self.target.name,
            "provider": self.target.provider,
            "model": self.target.model,
            "prompt": VERSION,
            "requests": self.requests,
            "cost_nanos": self.cost_nanos,
        }


def annotate(task: AnnotationTask, pages: Sequence[Page], scope: CallScope, gateway: Gateway) -> CheckedAnnotation:
    """Ask until an answer fits: each deployment once more, with what was wrong with its first answer.

    Raise UnusableAnswer (``output_invalid``) if none does, DocumentTooLong, and the errors of ``Gateway.complete``.
    """
    with computing_lock():
        characters = sum(len(text_of(page)) for page in pages)
        if characters > MAX_TEXT_CHARS:
            raise DocumentTooLong(
                f"The text has {characters:,} characters; a model reads at most {MAX_TEXT_CHARS:,} at once. Send fewer "
                "pages (target_pages), or extract page by page."
            )
    mark = end_mark_of(scope.call_for)
    wrong: dict[int, str] = {}

    def request_for(target: Target) -> CompletionRequest:
        with computing_lock():
            messages = annotation_messages(task, pages, mark=mark, wrong=wrong.get(target.id, ""))
            tokens = estimate_tokens(messages, (), model=model_of(target))
        # Extracted text is part of the document; other answers are short. JSON doubles the tokens of a small table.
        text = text_tokens("\n".join(text_of(page) for page in pages)) if task.kind == "extract" else 0
        limit = MIN_ANSWER_TOKENS + ANSWER_TOKENS_PER_TEXT_TOKEN * text
        return CompletionRequest(messages, max_tokens=limit, input_tokens=tokens)

    def check(answer: CompletionResponse, target: Target) -> dict[str, Any]:
        try:
            with computing_lock():
                return checked_answer(task, pages, answer.text, is_finished=requests.is_finished(answer))
        except UnusableAnswer as error:
            wrong[target.id] = error.detail
            raise

    try:
        completion = gateway.complete(scope, request_for, check=check)
    except AllProvidersFailed as error:
        if wrong:
            last = list(wrong.values())[-1]
            advice = "Allow null for values that a document may lack, or choose another model."
            raise UnusableAnswer(
                f"No model's answer fits the JSON schema. {last} {advice}", code=OUTPUT_INVALID
            ) from error
        raise
    return CheckedAnnotation(completion.checked, completion.target, completion.calls, completion.cost_nanos)


def checked_answer(
    task: AnnotationTask, pages: Sequence[Page], text: str, *, is_finished: bool = True
) -> dict[str, Any]:
    """Return the JSON object of an answer that fits the task. Raise UnusableAnswer with what is wrong."""
    fence = _FENCE.match(text)
    try:
        data = json.loads(fence[1] if fence else text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        if not is_finished:
            raise UnusableAnswer("The answer is cut off.", code="output_truncated") from None
        reason = error if isinstance(error, json.JSONDecodeError) else "it cannot be read"
        raise UnusableAnswer(f"The answer is not valid JSON: {reason}.", code=OUTPUT_INVALID) from None
    if unusable := _unusable(data):
        raise UnusableAnswer(f"The answer has {unusable}.", code=OUTPUT_INVALID)
    try:
        problems = schemas.problems_of(task.answer_schema(), data)
    except (InvalidSchema, SchemaTooLarge) as error:
        raise UnusableAnswer(error.detail, code=OUTPUT_INVALID) from error
    if not problems and task.kind == "split":
        problems = segments.problems_of(data["segments"], [page.number for page in pages])
    if problems:
        raise UnusableAnswer("The answer does not fit. " + "; ".join(problems), code=OUTPUT_INVALID)
    answer: dict[str, Any] = data
    return answer


def _unusable(value: object, depth: int = 1) -> str:
    """Return what a JSON value has that programs which read the result cannot take; "" if it has nothing such."""
    if depth > MAX_DEPTH:
        return f"more than {MAX_DEPTH} levels"
    if isinstance(value, dict):
        found = (_unusable(name) or _unusable(item, depth + 1) for name, item in value.items())
        return next(filter(None, found), "")
    if isinstance(value, list):
        return next(filter(None, (_unusable(item, depth + 1) for item in value)), "")
    if isinstance(value, str):
        return "NUL or half of a character in a text" if _BAD_SIGN.search(value) else ""
    is_too_large = isinstance(value, int | float) and not abs(value) < MAX_NUMBER
    return "a number that is too large" if is_too_large else ""


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not valid in JSON")
