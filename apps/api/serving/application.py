"""The ASGI application of the web process. It runs Django's WSGI application in threads that never wait for clients.

Bodies are received before Django runs, and responses are sent after it has run, both on the event loop. A body that is
larger than ``MAX_UNCHECKED_BYTES``, or whose client waits for permission to send it, is received only after Django has
run once without it and has not refused the request (``apps/api/requests/awaited_bodies.py``).
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from django.conf import settings

from apps.accounts.client_address import network_of
from apps.api.middleware import REFUSAL
from apps.api.request_errors import Overloaded, TooManyUploads
from apps.api.requests.awaited_bodies import META_NAME, AwaitedBody, BodyNeeded, MissingInput
from apps.api.requests.rate_limits import UPLOAD_WAIT_SECONDS
from apps.api.serving.environ import Environ, environ_of
from apps.api.serving.incoming import IncomingBody, Receive
from apps.api.serving.outgoing import Answer, Send, send_answer
from apps.api.serving.probes import ProbeServer
from apps.api.serving.slot_queues import SlotQueues
from apps.api.serving.sockets import allow_many_connections, drop_stalled_readers
from apps.pages.model.errors import ParseError

MAX_UNCHECKED_BYTES = 64 * 1024
"""Bodies up to this size are received from anyone, larger ones only if Django asks for them."""
THREADS = 32
MAX_UNDER_WAY = 1000
"""Requests that run or wait for a thread."""
MAX_SLOT_WAIT_SECONDS = 10.0
PROBES = frozenset({"/livez", "/readyz"})
WsgiApplication = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


class ThreadedApplication:
    """Serve ``application`` in ``THREADS`` threads.

    Probes and refusals have threads of their own, so they do not queue behind other requests.
    """

    def __init__(self, application: WsgiApplication) -> None:
        allow_many_connections()
        self.application = application
        self.threads = ThreadPoolExecutor(THREADS, "django")
        self.short_threads = ThreadPoolExecutor(2, "probe")
        self.disk_threads = ThreadPoolExecutor(4, "spool")
        self._listens = False
        self.slot_queues = SlotQueues()
        self.under_way = 0  # requests that a thread runs, or that wait for one
        self._bodies: Counter[str] = Counter()  # that are being received, by the address of the client

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            if not self._listens:  # the server listens after its message of the start
                self._listens = True
                drop_stalled_readers()
            await _Exchange(self, environ_of(scope), receive).serve(send)

    async def _live(self, receive: Receive, send: Send) -> None:
        """Answer the server's messages of its start and its end. The probes begin when it is about to listen."""
        await receive()
        if settings.PROBE_PORT:
            ProbeServer((settings.HOST, settings.PROBE_PORT), asyncio.get_running_loop()).start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    def check_bodies(self, environ: Environ) -> None:
        """Raise Overloaded or TooManyUploads if no further body can be received now."""
        if self._bodies.total() >= settings.UPLOADS_AT_ONCE:
            raise Overloaded
        if 0 < settings.ADDRESS_UPLOADS_AT_ONCE <= self._bodies[network_of(environ)]:
            detail = f"This address may send {settings.ADDRESS_UPLOADS_AT_ONCE} requests with a body at once. Wait."
            raise TooManyUploads(detail, wait_seconds=UPLOAD_WAIT_SECONDS)

    @contextmanager
    def counted_body(self, environ: Environ) -> Iterator[None]:
        """Count a body that is being received."""
        address = network_of(environ)
        self._bodies[address] += 1
        try:
            yield
        finally:
            self._bodies[address] -= 1
            if not self._bodies[address]:
                del self._bodies[address]


class _Exchange:
    """One request and its response."""

    def __init__(self, server: ThreadedApplication, environ: Environ, receive: Receive) -> None:
        self._server = server
        self._environ = environ
        self._receive = receive
        self._context = contextvars.copy_context()  # of log lines: the chunks of a stream are made in several threads

    async def serve(self, send: Send) -> None:
        environ = self._environ
        threads = self._server.short_threads if environ["PATH_INFO"] in PROBES else self._server.threads
        announced, is_chunked = environ.get("CONTENT_LENGTH", ""), "HTTP_TRANSFER_ENCODING" in environ
        try:
            if self._server.under_way >= MAX_UNDER_WAY and threads is self._server.threads:
                raise Overloaded
            if is_chunked or announced not in ("", "0"):
                body = IncomingBody(self._receive, self._server.disk_threads)
                with body.file:
                    answer = await self._answer_with_body(body, threads)
            else:
                answer = await self._run(threads, self._ask)
        except ParseError as error:
            environ[REFUSAL] = error
            answer = await self._run(self._server.short_threads, self._ask)

        async def run(function: Callable[..., Any], *arguments: Any) -> Any:
            return await self._run(threads, function, *arguments)

        await send_answer(answer, receive=self._receive, send=send, run=run)

    async def _answer_with_body(self, body: IncomingBody, threads: Executor) -> Answer:
        """Receive the body and run Django with it, or return the refusal of the request."""
        environ, awaited = self._environ, AwaitedBody()
        environ[META_NAME] = awaited
        announced = environ.get("CONTENT_LENGTH", "0")
        waits = "100-continue" in environ.get("HTTP_EXPECT", "").lower()
        try:
            self._server.check_bodies(environ)
        except ParseError:
            await body.discard()
            raise
        with self._server.counted_body(environ):
            try:
                if not waits and announced.isdecimal() and int(announced) <= MAX_UNCHECKED_BYTES:
                    await body.receive_until(MAX_UNCHECKED_BYTES)
                if not body.at_end:
                    refusal = await self._refusal(threads, awaited)
                    if refusal is not None:
                        if not waits:
                            await body.discard()
                        return refusal
                    await body.receive_until(awaited.max_bytes)
            finally:
                for free in awaited.when_received:
                    await self._run(threads, free)
                self._server.slot_queues.notify(awaited.slot)
        body.file.seek(0)
        awaited.has_arrived = True
        environ["wsgi.input"] = body.file
        environ["CONTENT_LENGTH"] = str(body.size_bytes)
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        answer: Answer = await self._run(threads, self._ask)
        await body.discard()
        return answer

    async def _refusal(self, threads: Executor, awaited: AwaitedBody) -> Answer | None:
        """Run Django without the body. Return its response, or None if it asks for the body.

        If the key has too many uploads under way, wait a while for one of them to end.
        """
        environ = self._environ
        environ["wsgi.input"] = MissingInput()
        environ["wsgi.input_terminated"] = True  # a body without a length ends by itself
        answer: Answer | None = await self._run(threads, self._ask)
        if not awaited.waits_for_slot:
            return answer
        with self._server.slot_queues.joined(awaited.slot, seconds=MAX_SLOT_WAIT_SECONDS) as waiter:
            while awaited.waits_for_slot and await waiter.may_retry():
                awaited.waits_for_slot = False
                answer = await self._run(threads, self._ask)
            waiter.has_acquired = answer is None
        return answer

    def _ask(self) -> Answer | None:
        """Run Django, in one of its threads. Return None if it asks for the body."""
        started: list[Any] = []
        try:
            content: Any = self._server.application(
                self._environ, lambda status, headers, _error=None: started.extend((status, headers))
            )
        except BodyNeeded:
            return None
        status, fields = started
        headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in fields]
        if getattr(content, "streaming", True):
            return Answer(int(status[:3]), headers, stream=content)
        whole = b"".join(content)
        content.close()
        return Answer(int(status[:3]), headers, whole)

    async def _run(self, threads: Executor, function: Callable[..., Any], *arguments: Any) -> Any:
        self._server.under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, self._context.run, function, *arguments)
        finally:
            self._server.under_way -= 1
