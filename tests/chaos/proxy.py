"""A TCP proxy between two parts of the service that delays, stalls, cuts or slows what passes through it."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from types import TracebackType
from typing import Literal, Self

Mode = Literal["pass", "delay", "stall", "drop_half", "reset", "trickle", "refuse"]
CHUNK_BYTES = 64 * 1024


class ChaosProxy:
    """Relays connections to ``host:port`` on a port of its own, within the ``with`` block.

    ``mode`` may change at any time and applies to open connections, too. ``delay``: each chunk waits ``seconds``.
    ``stall``: nothing passes, and nothing is closed. ``drop_half``: what the server sends is dropped. ``reset``: every
    connection is reset after ``bytes`` more bytes. ``trickle``: one byte a second. ``refuse``: new connections are
    closed at once.
    """

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.target = host, port
        self.mode: Mode = "pass"
        self.seconds = 0.0
        self.bytes = 0
        self.port = 0
        self.connections = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="chaos-proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10), "the proxy did not start"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def set(self, mode: Mode, *, seconds: float = 0.0, bytes: int = 0) -> None:  # noqa: A002
        self.seconds, self.bytes = seconds, bytes
        self.mode = mode

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._relay, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self.mode == "refuse":
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(*self.target)
        except OSError:
            writer.transport.abort()
            return
        both = (
            asyncio.create_task(self._pump(reader, far_writer, answers=False)),
            asyncio.create_task(self._pump(far_reader, writer, answers=True)),
        )
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            writer.transport.abort()
            far_writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool) -> None:
        with suppress(ConnectionError):
            while chunk := await reader.read(CHUNK_BYTES):
                while self.mode == "stall":
                    await asyncio.sleep(0.02)
                if self.mode == "drop_half" and answers:
                    continue
                if self.mode == "reset":
                    self.bytes -= len(chunk)
                    if self.bytes < 0:
                        return
                if self.mode == "delay":
                    await asyncio.sleep(self.seconds)
                if self.mode == "trickle":
                    await self._trickle(chunk, writer)
                    continue
                writer.write(chunk)
                await writer.drain()

    async def _trickle(self, chunk: bytes, writer: asyncio.StreamWriter) -> None:
        for number, byte in enumerate(chunk):
            if self.mode != "trickle":
                writer.write(chunk[number:])
                break
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(1)
        await writer.drain()
