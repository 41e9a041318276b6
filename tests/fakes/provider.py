"""The client of the fake providers' server: start it, configure it, and read its record of requests."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from tests import services
from tests.fakes.providers import credentials

ROOT = Path(__file__).resolve().parents[2]
SWITCH_SECONDS = 30.0
ARRIVAL_SECONDS = 240.0


class FakeProvider:
    """A running server, ended with the ``with`` block. ``stop`` and ``start`` simulate an outage on the same port.

    ``runs_first``: it does not wait for the processes under test, as a provider elsewhere would not.
    """

    def __init__(self, *, see: bool = False, port: int = 0, runs_first: bool = False) -> None:
        self._see = see
        self._runs_first = runs_first
        self._port = port
        self._process: subprocess.Popen[str] | None = None
        self._control: httpx.Client | None = None
        self.url = ""

    @classmethod
    def at(cls, url: str) -> Self:
        """Return a client of a server that another process started."""
        server = cls()
        server.url = url
        server._control = httpx.Client(base_url=f"{url}/_control", trust_env=False, timeout=30)
        return server

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.fakes.providers", "--port", str(self._port)]
        command += ["--parent-pid", str(os.getpid()), *(["--see"] if self._see else [])]
        command += ["--first"] if self._runs_first else []
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line.startswith("listening on "), "the fake providers' server did not start"
        self.url = line.split()[-1]
        self._control = httpx.Client(base_url=f"{self.url}/_control", trust_env=False, timeout=30)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server was never started"
        return self._process.pid

    def close(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def stop(self) -> None:
        """Refuse connections and cut the open ones. Configuration and counts stay."""
        self._switch(signal.SIGUSR1, listening=False)

    def start(self) -> None:
        """Listen again after ``stop``."""
        self._switch(signal.SIGUSR2, listening=True)

    def reset(self) -> None:
        """Forget all configuration, counts and requests. Keys and access tokens stay valid."""
        self._post("reset")

    def set_latency(self, seconds: float, *, jitter: float = 0.0, seed: int = 0) -> None:
        self._post("latency", seconds=seconds, jitter=jitter, seed=seed)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep the answers of all requests back until the block ends or calls ``release``."""
        self._post("hold", held=True)
        try:
            yield
        finally:
            self.release()

    def release(self) -> None:
        """Send the answers that were kept back."""
        self._post("hold", held=False)

    def wait_for_requests(self, count: int) -> None:
        """Wait until this number of requests has arrived since the last ``reset``."""
        until = time.monotonic() + ARRIVAL_SECONDS
        while len(arrived := self.requests()) < count:
            assert time.monotonic() < until, f"{len(arrived)} of {count} requests arrived within {ARRIVAL_SECONDS} s"
            time.sleep(0.01)

    def count_tokens(self, *, input: int | None = None, output: int | None = None, **parts: int | str) -> None:  # noqa: A002
        """Count every call with these tokens. ``parts``: cached, written, written_for_an_hour, thinking and tier."""
        self._post("tokens", input=input, output=output, **parts)

    def answer(
        self,
        markdown: str,
        *,
        when: str | None = None,
        times: int | None = None,
        end_line: bool = True,
        model: str | None = None,
    ) -> None:
        """Answer prompts that contain ``when`` with this text. The first matching answer applies."""
        self._post("answers", markdown=markdown, when=when, times=times, end_line=end_line, model=model)

    def read_pictures(self) -> None:
        """Let models answer with what Tesseract reads in the pictures they are sent; see ``sight.picture_reader``."""
        self._post("sight", reads=True)

    def show(self, pages: Mapping[bytes, str]) -> None:
        """Let models answer a page's picture with its Markdown, without looking at it."""
        markdown = {hashlib.sha256(picture).hexdigest(): text for picture, text in pages.items()}
        self._post("shown", pages=markdown)

    def announce(self, family: str, **headers: int) -> None:
        """Let a family's answers carry these headers; ``_`` in their names means ``-``."""
        named = {name.replace("_", "-"): str(value) for name, value in headers.items()}
        self._post("announced", family=family, headers=named)

    def think(self, model: str, tokens: int) -> None:
        """Let models of this name (with * and ?) think with so many tokens, whatever the request says."""
        self._post("thinking", model=model, tokens=tokens)

    def zoom(self, zoom_first: int, *, region: tuple[float, float, float, float] = (0.0, 0.0, 100.0, 100.0)) -> None:
        """Call the tool zoom ``zoom_first`` times before the tool finish, if the request offers both."""
        self._post("zoom", zoom_first=zoom_first, region=region)

    def fault(
        self,
        kind: str,
        *,
        times: int | None = None,
        share: float | None = None,
        seed: int = 0,
        family: str | None = None,
        model: str | None = None,
        when: str | None = None,
        at_most_per_prompt: int | None = None,
        **details: object,
    ) -> None:
        """Make requests fail. ``specifications.KINDS`` lists the kinds; ``details`` depend on the kind."""
        scope = {"family": family, "model": model, "when": when, "at_most_per_prompt": at_most_per_prompt}
        self._post("faults", kind=kind, times=times, share=share, seed=seed, details=details, **scope)

    def limit(
        self,
        *,
        family: str | None = None,
        model: str | None = None,
        requests: int | None = 600,
        tokens: int | None = None,
        window_seconds: float = 60.0,
        counts: str = "actual",
        in_flight: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        """Enforce a quota on each matching family and model. A refused request is not counted."""
        self._post(
            "limits",
            family=family,
            model=model,
            requests=requests,
            tokens=tokens,
            window_seconds=window_seconds,
            counts=counts,
            in_flight=in_flight,
            retry_after=retry_after,
        )

    def know_models(self, family: str, *names: str) -> None:
        """Set the models (Azure: deployments) of a family, with * and ? as in a shell."""
        self._post("models", family=family, names=names)

    def expire_tokens(self) -> None:
        """Refuse every access token for Vertex AI that was issued so far."""
        self._post("expire-tokens")

    def end_batches(self, status: str = "completed", **how: object) -> None:
        """End every open batch; see ``specifications.BatchEnd``."""
        self._post("batches", status=status, **how)

    def batches(self) -> dict[str, Any]:
        """Return what the batch APIs store, and how many batches were ever created."""
        found: dict[str, Any] = self._get("batches")
        return found

    def stats(self) -> dict[str, dict[str, Any]]:
        """Return counts by "family/model"; see ``ledger``."""
        found: dict[str, dict[str, Any]] = self._get("stats")
        return found

    def requests(self) -> list[dict[str, Any]]:
        """Return the recorded requests in the order of arrival; see ``ledger.Entry``."""
        found: list[dict[str, Any]] = self._get("requests")
        return found

    def arrivals(self) -> list[tuple[float, int]]:
        """Return when each recorded request arrived and its tokens, in the order of arrival. Cheap for thousands."""
        return [(moment, tokens) for moment, tokens in self._get("arrivals")]

    def service_account(self) -> dict[str, str]:
        """Return the key file for Vertex AI, whose token_uri is this server."""
        found: dict[str, str] = self._get("service-account")
        return found

    def environment(self) -> dict[str, str]:
        """Return the secrets as environment variables, with the names of the providers' own tools."""
        return {
            "OPENAI_API_KEY": credentials.OPENAI_KEY,
            "OPENAI_EU_API_KEY": credentials.OPENAI_EU_KEY,
            "AZURE_API_KEY": credentials.AZURE_KEY,
            "ANTHROPIC_API_KEY": credentials.ANTHROPIC_KEY,
            "GEMINI_API_KEY": credentials.GEMINI_KEY,
            "VERTEXAI_CREDENTIALS": json.dumps(self.service_account()),
            "VERTEXAI_PROJECT": credentials.VERTEX_PROJECT,
            "VERTEXAI_LOCATION": credentials.VERTEX_LOCATION,
            "AWS_ACCESS_KEY_ID": credentials.AWS_ACCESS_KEY_ID,
            "AWS_SECRET_ACCESS_KEY": credentials.AWS_SECRET_ACCESS_KEY,
            "AWS_REGION_NAME": credentials.AWS_REGION,
        }

    def _switch(self, number: signal.Signals, *, listening: bool) -> None:
        os.kill(self.pid, number)
        port = httpx.URL(self.url).port
        until = time.monotonic() + SWITCH_SECONDS
        while services.listens(port or 0) != listening:
            assert time.monotonic() < until, "the fake providers' server did not react"
            time.sleep(0.01)

    def _post(self, name: str, **settings: object) -> None:
        assert self._control is not None, "the server was never started"
        response = self._control.post(name, json=settings)
        if response.status_code == httpx.codes.BAD_REQUEST:
            raise ValueError(response.text)
        response.raise_for_status()

    def _get(self, name: str) -> Any:
        assert self._control is not None, "the server was never started"
        return self._control.get(name).raise_for_status().json()
