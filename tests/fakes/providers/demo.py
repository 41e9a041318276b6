"""``make demo``: run the whole service with every mode on this machine, with fake models.

The fakes repeat the text of the prompt and read images with Tesseract, so they show the modes but not their quality.
The service has its own data folder, database and broker, whatever the environment configures.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from apps.supervisor import launch, preflight
from apps.supervisor.errors import CannotStart
from tests.fakes.providers import credentials

ROOT = Path(__file__).resolve().parents[3]
DEPLOYMENTS = Path(__file__).with_name("demo.yaml")
# The launcher has the kernel end the command when this process dies for any reason.
MANAGE = (sys.executable, "-S", "-E", launch.__file__, sys.executable, str(ROOT / "manage.py"))
MODELS_PORT = "8090"
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# A demonstration never uses the backends of a real installation.
_BACKENDS = ("DATABASE_URL", "CELERY_BROKER_URL", "REDIS_URL", "STORAGE_URL", "SECRET_KEY")
_WELCOME = """\
This is a demonstration. Its models are FAKES on this machine ({url}): no page leaves it and
nothing costs money; the prices are made up. In balanced and agentic mode they repeat the text of the page. In
multimodal mode they read its picture with OCR, and a page that they misread keeps its fallback text. They show what the
modes do, not how well models read."""


def main() -> int:
    """Return the exit code of ``manage.py run``; 2 if the demonstration cannot start."""
    port = os.environ.get("MODELS_PORT", "").strip() or MODELS_PORT
    with _fake_models(port) as url:
        if not url:
            _print(
                f"Port {port} is taken, perhaps by another demonstration. Choose another: make demo MODELS_PORT=8091"
            )
            return 2
        environment = _environment(url)
        try:  # a second demonstration would change the deployments of the first one
            preflight.prepare_data_folder(Path(environment["LEAFMILL_DATA"]))
            preflight.lock_data_folder(Path(environment["LEAFMILL_DATA"])).close()
        except CannotStart as error:
            _print(str(error))
            return 2
        _print(_WELCOME.format(url=url))
        quiet = {**environment, "LOG_LEVEL": "ERROR"}  # do not log warnings about services that are not running yet
        for command in (("migrate", "--verbosity", "0"), ("load_providers", str(DEPLOYMENTS))):
            if code := _manage(command, quiet):
                return code
        return _manage(("run",), environment)


@contextmanager
def _fake_models(port: str) -> Iterator[str]:
    """Run the fakes and yield their address, or "" if they cannot start. They ignore Ctrl-C: the service ends first."""
    command = (sys.executable, "-m", "tests.fakes.providers", "--see", "--port", port, f"--parent-pid={os.getpid()}")
    server = subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert server.stdout is not None
    try:
        yield server.stdout.readline().removeprefix("listening on ").strip()
    finally:
        server.terminate()
        server.wait(10)
        server.stdout.close()


def _environment(url: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name.removesuffix("_FILE") not in _BACKENDS}
    return {
        **kept,
        "LEAFMILL_DATA": os.environ.get("DEMO_DATA", "").strip() or str(ROOT / ".leafmill-demo"),
        "DEMO_OPENAI_URL": f"{url}/openai/v1",
        "DEMO_OPENAI_KEY": credentials.OPENAI_KEY,
        "DEMO_ANTHROPIC_URL": f"{url}/anthropic",
        "DEMO_ANTHROPIC_KEY": credentials.ANTHROPIC_KEY,
        "DEMO_HOUSE_URL": f"{url}/local/v1",
    }


def _manage(command: tuple[str, ...], environment: dict[str, str]) -> int:
    """Run a command of manage.py to its end, and forward each signal once.

    It has its own session, because it would take a second Ctrl-C as an order to stop without waiting for work.
    """
    running = subprocess.Popen((*MANAGE, *command), cwd=ROOT, env=environment, start_new_session=True)

    def forward(number: int, frame: FrameType | None) -> None:
        running.send_signal(number)

    earlier = {number: signal.signal(number, forward) for number in STOP_SIGNALS}
    try:
        return running.wait()
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


def _print(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
