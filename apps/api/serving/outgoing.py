"""Send responses from the event loop, so that a slow reader holds no thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from apps.api.serving.incoming import Receive

CHUNK_BYTES = 128 * 1024
Send = Callable[[dict[str, Any]], Awaitable[None]]
Run = Callable[..., Awaitable[Any]]


@dataclass
class Answer:
    """A response: its status, its headers, and a whole body or, for a stream, the iterable of its chunks."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes = b""
    stream: Any = None


async def send_answer(answer: Answer, *, receive: Receive, send: Send, run: Run) -> None:
    """Send the response. Give up when the client is gone or takes nothing for RESPONSE_IDLE_SECONDS.

    ``run`` runs a function in a thread of Django: the chunks of a stream are made there, one at a time.
    """
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
    if answer.stream is None and len(answer.body) <= CHUNK_BYTES:
        await send({"type": "http.response.body", "body": answer.body})
        return
    gone = asyncio.ensure_future(_disconnected(receive))
    try:
        async for chunk in _chunks(answer, run):
            async with asyncio.timeout(settings.RESPONSE_IDLE_SECONDS):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            if gone.done():
                return
        await send({"type": "http.response.body", "body": b""})
    except TimeoutError:
        return  # the server ends the connection, because the response is not complete
    finally:
        gone.cancel()
        if answer.stream is not None:
            await run(answer.stream.close)


async def _chunks(answer: Answer, run: Run) -> AsyncIterator[bytes]:
    if answer.stream is None:
        for start in range(0, len(answer.body), CHUNK_BYTES):
            yield answer.body[start : start + CHUNK_BYTES]
        return
    chunks: Iterable[bytes] = iter(answer.stream)
    while (chunk := await run(next, chunks, None)) is not None:
        yield chunk


async def _disconnected(receive: Receive) -> None:
    """Return when the client has closed the connection."""
    with suppress(asyncio.CancelledError):
        while (await receive())["type"] != "http.disconnect":
            pass
