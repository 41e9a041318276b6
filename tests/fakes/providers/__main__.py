"""Start the server: ``python -m tests.fakes.providers --port 0`` prints its address and serves until it is ended.

SIGUSR1 closes the port and all connections, as in an outage; SIGUSR2 opens the same port again. Configuration and
counts stay.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
from contextlib import suppress

from aiohttp import web

from tests.fakes.providers import control, credentials
from tests.fakes.providers.server import MAX_REQUEST_BYTES, Server

BACKLOG = 1024
KEEPALIVE_SECONDS = 600.0  # longer than clients keep a connection, so that none is closed under a request


class Port:
    """The port: open, or closed but still bound, so that no other process can use it."""

    def __init__(self, runner: web.AppRunner, bound_socket: socket.socket) -> None:
        self._runner = runner
        self._bound_socket: socket.socket | None = bound_socket
        self._site: web.SockSite | None = None
        self._address: tuple[str, int] = bound_socket.getsockname()[:2]

    async def open(self) -> None:
        if self._bound_socket is None:
            return
        self._site = web.SockSite(self._runner, self._bound_socket, backlog=BACKLOG)
        self._bound_socket = None
        await self._site.start()

    async def close(self) -> None:
        if self._site is None:
            return
        await self._site.stop()
        self._site = None
        server = self._runner.server
        for connection in list(server.connections) if server else []:
            if connection.transport is not None:
                connection.transport.abort()
        self._bound_socket = _bound(*self._address)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.providers")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--see", action="store_true", help="read pictures with OCR, for demonstrations")
    parser.add_argument("--parent-pid", type=int, help="end when this process is gone")
    parser.add_argument("--first", action="store_true", help="run before all other processes, if root allows it")
    arguments = parser.parse_args()
    if arguments.first:
        with suppress(PermissionError):
            os.nice(-10)
    with suppress(KeyboardInterrupt):
        asyncio.run(serve(arguments))


async def serve(arguments: argparse.Namespace) -> None:
    bound_socket = _bound(arguments.host, arguments.port)
    port = bound_socket.getsockname()[1]
    server = Server(credentials.new_service_account(f"http://127.0.0.1:{port}/token"), sees=arguments.see)
    app = web.Application(client_max_size=MAX_REQUEST_BYTES, middlewares=[control.loopback_only])
    app.add_routes([*control.routes(server), web.route("*", "/{path:.*}", server.handle)])
    runner = web.AppRunner(app, access_log=None, keepalive_timeout=KEEPALIVE_SECONDS, shutdown_timeout=0.1)
    await runner.setup()
    port_state = Port(runner, bound_socket)
    await port_state.open()
    print(f"listening on http://127.0.0.1:{port}", flush=True)
    try:
        await _until_ended(port_state, arguments.parent_pid)
    finally:
        await runner.cleanup()


async def _until_ended(port_state: Port, parent_pid: int | None) -> None:
    loop, ended, switches = asyncio.get_running_loop(), asyncio.Event(), set[asyncio.Task[None]]()
    is_child = os.getppid() == parent_pid

    def switch(to: signal.Signals) -> None:
        switches.add(loop.create_task(port_state.close() if to == signal.SIGUSR1 else port_state.open()))

    loop.add_signal_handler(signal.SIGTERM, ended.set)
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        loop.add_signal_handler(number, switch, number)
    while not ended.is_set() and (parent_pid is None or _is_alive(parent_pid, is_child=is_child)):
        with suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), 0.5)


def _is_alive(pid: int, *, is_child: bool) -> bool:
    """Return whether the process is alive.

    A dead process can keep its id until it is waited for, but its children get another parent at once.
    """
    if is_child:
        return os.getppid() == pid
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _bound(host: str, port: int) -> socket.socket:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((host, port))
    return bound


if __name__ == "__main__":
    main()
