"""Send a reply, whole or as the fault requires."""

from __future__ import annotations

import asyncio
import socket
import struct
import zlib
from collections.abc import Iterable, Iterator

from aiohttp import web

from tests.fakes.providers.conversation import Reply
from tests.fakes.providers.specifications import Fault

_CHUNK = b" " * 2**20  # JSON may begin with any number of blanks
_ENDLESS = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
_HUGE_MEGABYTES = 50
_BOMB_MEGABYTES = 512
_LATE_SECONDS = 30.0


async def send(request: web.Request, reply: Reply, fault: Fault | None) -> web.StreamResponse:
    match fault.kind if fault else None:
        case "huge_body":
            megabytes = int(_detail(fault, "megabytes", _HUGE_MEGABYTES))
            return await _stream(request, reply, [*[_CHUNK] * megabytes, reply.body])
        case "gzip_bomb":
            compressed = Reply(reply.status, b"", {**reply.headers, "Content-Encoding": "gzip"})
            return await _stream(request, compressed, gzip_bomb(int(_detail(fault, "megabytes", _BOMB_MEGABYTES))))
        case "cut_body":
            return await _send_raw(request, reply, [_head(reply), reply.body[: len(reply.body) // 2]])
        case "reset":
            if request.transport is not None:  # close with RST instead of FIN
                linger = struct.pack("ii", 1, 0)
                request.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                request.transport.abort()
            return web.Response()
        case "slow_headers":
            status_line, _, rest = _head(reply).partition(b"\r\n")
            pause = _detail(fault, "seconds", _LATE_SECONDS)
            return await _send_raw(request, reply, [status_line + b"\r\n", rest + reply.body], pause=pause)
        case "trickle":
            return await _trickle(request, _ENDLESS + b"\r\n")
        case "trickle_headers":
            return await _trickle(request, _ENDLESS + b"X-Slow: ")
        case "late":
            await asyncio.sleep(_detail(fault, "seconds", _LATE_SECONDS))
    return web.Response(status=reply.status, body=reply.body, headers=reply.headers)


def is_gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


def _detail(fault: Fault | None, name: str, default: float) -> float:
    return float(fault.details.get(name, default)) if fault else default


def _head(reply: Reply) -> bytes:
    lines = [f"HTTP/1.1 {reply.status} OK", "Connection: close", f"Content-Length: {len(reply.body)}"]
    lines += [f"{name}: {value}" for name, value in reply.headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def _send_raw(request: web.Request, reply: Reply, pieces: list[bytes], *, pause: float = 0.0) -> web.Response:
    """Write these bytes with a pause between them, then close. The returned response is never sent."""
    transport = request.transport
    if transport is not None:
        transport.write(pieces[0])
        await asyncio.sleep(pause)
        if not transport.is_closing():
            transport.write(pieces[1])
        transport.close()
    return web.Response(status=reply.status)


async def _trickle(request: web.Request, head: bytes) -> web.Response:
    """Send a byte per second until the client is gone."""
    transport = request.transport
    if transport is not None:
        transport.write(head)
        while not transport.is_closing():
            await asyncio.sleep(1)
            transport.write(b" ")
    return web.Response()


async def _stream(request: web.Request, reply: Reply, parts: Iterable[bytes]) -> web.StreamResponse:
    response = web.StreamResponse(status=reply.status, headers=reply.headers)
    await response.prepare(request)
    for part in parts:
        await response.write(part)
    return response


def gzip_bomb(megabytes: int) -> Iterator[bytes]:
    """Yield a gzip stream (RFC 1952) of blanks: one compressed megabyte, repeated, without a checksum."""
    yield b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    chunk = deflate.compress(_CHUNK) + deflate.flush(zlib.Z_FULL_FLUSH)
    for _ in range(megabytes):
        yield chunk
