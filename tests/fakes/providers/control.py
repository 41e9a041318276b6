"""The control API under /_control, with which tests configure and read the server. Open to this machine only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from tests.fakes.providers.server import Server
from tests.fakes.providers.specifications import (
    Announced,
    Answer,
    BatchEnd,
    Fault,
    Hold,
    Latency,
    Limit,
    Models,
    Shown,
    Sight,
    Thinking,
    Tokens,
    Zoom,
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Setting = TypeVar("Setting", bound=msgspec.Struct)


def routes(server: Server) -> list[web.RouteDef]:
    """Return aiohttp's routes: POST configures, GET reads."""

    def know_models(models: Models) -> None:
        server.know_models(models.family, models.names)

    def set_latency(latency: Latency) -> None:
        server.latency = latency

    def hold(setting: Hold) -> None:
        server.hold(held=setting.held)

    def set_tokens(tokens: Tokens) -> None:
        server.tokens = tokens

    def set_zoom(zoom: Zoom) -> None:
        server.model.zoom = zoom

    def set_sight(setting: Sight) -> None:
        server.model.reads = setting.reads

    def show(setting: Shown) -> None:
        server.model.shown.update(setting.pages)

    def set_thinking(setting: Thinking) -> None:
        server.thinking[setting.model] = setting.tokens

    def announce(setting: Announced) -> None:
        server.announced[setting.family] = setting.headers

    return [
        _post("batches", _waiting(BatchEnd, lambda how: server.batches.end(how, server.wires))),
        _get("batches", lambda: server.batches.kept()),
        _post("announced", _setting(Announced, announce)),
        _post("thinking", _setting(Thinking, set_thinking)),
        _post("reset", _plain(server.reset)),
        _post("expire-tokens", _plain(server.token_endpoint.expire_all)),
        _post("answers", _setting(Answer, lambda answer: server.model.register(answer))),
        _post("faults", _setting(Fault, lambda fault: server.faults.add(fault))),
        _post("limits", _setting(Limit, lambda limit: server.limits.enforce(limit))),
        _post("tokens", _setting(Tokens, set_tokens)),
        _post("latency", _setting(Latency, set_latency)),
        _post("hold", _setting(Hold, hold)),
        _post("zoom", _setting(Zoom, set_zoom)),
        _post("sight", _setting(Sight, set_sight)),
        _post("shown", _setting(Shown, show)),
        _post("models", _setting(Models, know_models)),
        _get("stats", lambda: server.ledger.stats()),
        _get("requests", lambda: server.ledger.requests()),
        _get("arrivals", lambda: server.ledger.arrivals()),
        _get("service-account", lambda: dict(server.token_endpoint.service_account)),
    ]


@web.middleware
async def loopback_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.path.startswith("/_control/") and request.remote not in {"127.0.0.1", "::1"}:
        raise web.HTTPForbidden
    return await handler(request)


def _plain(act: Callable[[], None]) -> Handler:
    async def handle(_request: web.Request) -> web.StreamResponse:
        act()
        return web.Response(status=204)

    return handle


def _setting(kind: type[Setting], act: Callable[[Setting], None]) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            act(msgspec.json.decode(await request.read(), type=kind))
        except msgspec.MsgspecError as error:
            return web.Response(status=400, text=str(error))
        return web.Response(status=204)

    return handle


def _waiting(kind: type[Setting], act: Callable[[Setting], Awaitable[None]]) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        await act(msgspec.json.decode(await request.read(), type=kind))
        return web.Response(status=204)

    return handle


def _get(name: str, read: Callable[[], Any]) -> web.RouteDef:
    async def handle(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=msgspec.json.encode(read()), content_type="application/json")

    return web.get(f"/_control/{name}", handle)


def _post(name: str, handler: Handler) -> web.RouteDef:
    return web.post(f"/_control/{name}", handler)
