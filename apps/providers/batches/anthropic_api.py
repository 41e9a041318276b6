"""Anthropic's message batches: one request with all requests, and results as JSON lines.

A batch has no metadata, so one whose id was lost is found by the names of its requests, which its results repeat.

https://docs.anthropic.com/en/docs/build-with-claude/batch-processing
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
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
from apps.providers.catalog import Target
from apps.providers.errors import CallFailed
from apps.providers.models import Batch

ADDRESS = "https://api.anthropic.com"
_HEADERS = {"anthropic-version": "2023-06-01"}
_DETAILS = {
    "canceled": "The batch was cancelled before the provider came to this page.",
    "expired": "The batch expired before the provider came to this page.",
}


class AnthropicBatches:
    async def find(self, target: Target, batch: Batch, known: frozenset[str]) -> str:
        undecided = False
        async for entry in self._newest(target, since=batch.created_at - CLOCKS_DIFFER):
            if entry["id"] in known:
                continue
            if entry.get("processing_status") == "ended":
                content = await self._results_of(target, str(entry["id"]))
                if f'"{batch.key}-'.encode() in content:
                    return str(entry["id"])
            else:
                undecided |= sum((entry.get("request_counts") or {}).values()) in (0, batch.requests)
        if undecided:  # one of them can be ours: sending it again could cost its price twice
            raise NotReady
        return ""

    async def _newest(self, target: Target, *, since: datetime) -> AsyncIterator[dict[str, Any]]:
        """Yield the batches that were created since then, the newest first. Raise NotReady if there are too many."""
        after: dict[str, str] = {}
        for _ in range(MAX_LISTS):
            listed = await self._json(target, "GET", "", params={"limit": "100", **after})
            entries = listed.get("data") or []
            for entry in entries:
                if datetime.fromisoformat(str(entry["created_at"]).replace("Z", "+00:00")) < since:
                    return
                yield entry
            if not listed.get("has_more") or not entries:
                return
            after = {"after_id": str(entries[-1]["id"])}
        raise NotReady

    def written(self, requests: Iterator[tuple[str, dict[str, Any]]]) -> bytes:
        return json.dumps({"requests": [{"custom_id": name, "params": body} for name, body in requests]}).encode()

    async def send(self, target: Target, batch: Batch, content: bytes) -> str:
        return str((await self._json(target, "POST", "", content=content)).get("id") or "")

    async def progress(self, target: Target, batch: Batch) -> BatchProgress:
        found = await self._json(target, "GET", f"/{batch.provider_batch}")
        status = str(found.get("processing_status") or "")
        return BatchProgress(accepted=bool(status), has_ended=status == "ended", detail=status)

    async def results(self, target: Target, batch: Batch, progress: BatchProgress) -> list[bytes]:
        return [await self._results_of(target, batch.provider_batch)]

    def read(self, content: bytes) -> Iterator[Result]:
        for line in json_lines(content):
            name, result = str(line.get("custom_id")), line.get("result")
            result = result if isinstance(result, dict) else {}
            kind = result.get("type")
            if kind == "succeeded":
                yield Result(name, HTTPStatus.OK, json.dumps(result.get("message")).encode())
            elif kind == "errored":
                error = result.get("error") or {}
                is_request = (error.get("error") or {}).get("type") == "invalid_request_error"
                status = HTTPStatus.BAD_REQUEST if is_request else HTTPStatus.INTERNAL_SERVER_ERROR
                yield Result(name, status, json.dumps(error).encode())
            else:
                detail = _DETAILS.get(str(kind), "The batch has no answer for this page.")
                yield Result(name, None, detail=detail)

    async def cancel(self, target: Target, batch: Batch) -> None:
        await self._json(target, "POST", f"/{batch.provider_batch}/cancel")

    async def delete(self, target: Target, batch: Batch, progress: BatchProgress) -> None:
        try:
            await self._json(target, "DELETE", f"/{batch.provider_batch}")
        except CallFailed as failed:
            if failed.facts.http_status != HTTPStatus.NOT_FOUND:
                raise

    async def _results_of(self, target: Target, batch_id: str) -> bytes:
        # The address in results_url would be the provider's to choose; the documented one needs no trust.
        return await exchange(target, "GET", f"{_url(target)}/{batch_id}/results", headers=_HEADERS)

    async def _json(self, target: Target, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        return await exchange_json(target, method, f"{_url(target)}{path}", headers=_HEADERS, **arguments)


def _url(target: Target) -> str:
    return f"{str(target.settings.get('base_url') or ADDRESS).rstrip('/')}/v1/messages/batches"
