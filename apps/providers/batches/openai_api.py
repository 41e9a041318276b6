"""The batch API of OpenAI and Azure OpenAI: a file of requests, a batch object, a file of results.

https://platform.openai.com/docs/guides/batch
https://learn.microsoft.com/azure/ai-foundry/openai/how-to/batch
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from apps.providers.batches.wire import (
    CLOCKS_DIFFER,
    MAX_LISTS,
    BatchProgress,
    NotReady,
    Result,
    exchange,
    exchange_json,
    json_lines,
)
from apps.providers.calls.client import OPENAI_ADDRESS
from apps.providers.catalog import Target
from apps.providers.errors import CallFailed
from apps.providers.models import Batch

KEY = "leafmill_batch"
"""The name of our key in the batch's metadata."""
_ENDED = frozenset({"completed", "expired", "cancelled"})
_TOO_MUCH = "token_limit_exceeded"  # of tokens in all batches under way; it passes
_EXPIRED = "The batch expired before the provider came to this page."


class OpenAIBatches:
    """``is_azure``: the addresses and names of Azure OpenAI."""

    def __init__(self, *, is_azure: bool) -> None:
        self._endpoint = "/chat/completions" if is_azure else "/v1/chat/completions"
        self._is_azure = is_azure

    async def find(self, target: Target, batch: Batch, known: frozenset[str]) -> str:
        oldest = (batch.created_at - CLOCKS_DIFFER).timestamp()
        after: dict[str, str] = {}
        for _ in range(MAX_LISTS):
            listed = await self._json(target, "GET", "batches", params={"limit": "100", **after})
            entries = [entry for entry in listed.get("data") or [] if isinstance(entry, dict)]
            for entry in entries:
                if (entry.get("metadata") or {}).get(KEY) == batch.key:
                    return str(entry["id"])
            if not listed.get("has_more") or not entries or (entries[-1].get("created_at") or oldest) < oldest:
                return ""
            after = {"after": str(entries[-1]["id"])}
        raise NotReady  # sending it again could cost its price twice

    def written(self, requests: Iterator[tuple[str, dict[str, Any]]]) -> bytes:
        lines = (
            json.dumps({"custom_id": name, "method": "POST", "url": self._endpoint, "body": body})
            for name, body in requests
        )
        return "\n".join(lines).encode()

    async def send(self, target: Target, batch: Batch, content: bytes) -> str:
        if batch.input_file:
            stored = await self._json(target, "GET", f"files/{batch.input_file}")
        else:
            upload = {"purpose": "batch"}, f"{batch.key}.jsonl", content
            stored = await self._json(target, "POST", "files", upload=upload)
            batch.input_file = str(stored.get("id") or "")
        if stored.get("status") in ("pending", "running", "uploaded") and self._is_azure:
            raise NotReady
        body = {
            "input_file_id": batch.input_file,
            "endpoint": self._endpoint,
            "completion_window": "24h",
            "metadata": {KEY: batch.key},
        }
        return str((await self._json(target, "POST", "batches", body=body)).get("id") or "")

    async def progress(self, target: Target, batch: Batch) -> BatchProgress:
        found = await self._json(target, "GET", f"batches/{batch.provider_batch}")
        status = found.get("status")
        errors = [each for each in (found.get("errors") or {}).get("data") or [] if isinstance(each, dict)]
        return BatchProgress(
            accepted=status not in (None, "validating", "failed"),
            has_ended=status in _ENDED,
            has_failed=status == "failed",
            may_retry=any(each.get("code") == _TOO_MUCH for each in errors),
            detail="; ".join(str(each.get("message") or each.get("code")) for each in errors[:3]) or str(status or ""),
            results=[str(found[name]) for name in ("output_file_id", "error_file_id") if found.get(name)],
        )

    async def results(self, target: Target, batch: Batch, progress: BatchProgress) -> list[bytes]:
        return [
            await exchange(
                target, "GET", self._url(target, f"files/{file}/content"), headers={}, params=self._version(target)
            )
            for file in progress.results
        ]

    def read(self, content: bytes) -> Iterator[Result]:
        for line in json_lines(content):
            name, response, error = str(line.get("custom_id")), line.get("response"), line.get("error")
            if isinstance(response, dict) and isinstance(response.get("body"), dict):
                status = int(response.get("status_code") or HTTPStatus.OK)
                yield Result(name, status, json.dumps(response["body"]).encode())
            else:
                detail = str(error.get("message") or error.get("code")) if isinstance(error, dict) else _EXPIRED
                yield Result(name, None, detail=detail)

    async def cancel(self, target: Target, batch: Batch) -> None:
        await self._json(target, "POST", f"batches/{batch.provider_batch}/cancel")

    async def delete(self, target: Target, batch: Batch, progress: BatchProgress) -> None:
        for file in (batch.input_file, *progress.results):
            try:
                if file:
                    await self._json(target, "DELETE", f"files/{file}")
            except CallFailed as failed:
                if failed.facts.http_status != HTTPStatus.NOT_FOUND:
                    raise

    async def _json(self, target: Target, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        params = {**self._version(target), **(arguments.pop("params", None) or {})}
        return await exchange_json(target, method, self._url(target, path), headers={}, params=params, **arguments)

    def _url(self, target: Target, path: str) -> str:
        base = str(target.settings.get("base_url") or OPENAI_ADDRESS).rstrip("/")
        return f"{base}/openai/{path}" if self._is_azure else f"{base}/{path}"

    def _version(self, target: Target) -> dict[str, str]:
        return {"api-version": str(target.settings.get("api_version"))} if self._is_azure else {}
