"""``make demo``: the whole service with every mode, on this machine alone. Its models are fakes.

They repeat the text they are shown and read pictures with Tesseract, so the modes can be tried, not judged. The service
has a data folder and parts of its own, whatever the environment names.
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
# The launcher asks the kernel to end the command when this process dies in whatever way.
MANAGE = (sys.executable, "-S", "-E", launch.__file__, sys.executable, str(ROOT / "manage.py"))
MODELS_PORT = "8090"
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# A demonstration never touches what belongs to a real installation.
_PARTS = ("DATABASE_URL", "CELERY_BROKER_URL", "REDIS_URL", "STORAGE_URL", "SECRET_KEY")
_WELCOME = """\
This is a demonstration. Its models are FAKES on this machine ({url}): no page leaves it and
nothing costs money; the prices are made up. In balanced and agentic mode they repeat the text of the page. In
multimodal mode they read its picture with Tesseract, and a page that they misread keeps its fallback text. They show
what the modes do, not how well models read."""


def main() -> int:
    """The exit code of ``manage.py run``, or 2 where the demonstration could not be started."""
    port = os.environ.get("MODELS_PORT", "").strip() or MODELS_PORT
    with _fake_models(port) as url:
        if not url:
            _say(f"Port {port} is taken, perhaps by another demonstration. Choose another: make demo MODELS_PORT=8091")
            return 2
        environment = _environment(url)
        try:  # a second one would point the first one's deployments at its own fakes
            preflight.prepare_data_folder(Path(environment["LEAFMILL_DATA"]))
            preflight.lock_data_folder(Path(environment["LEAFMILL_DATA"])).close()
        except CannotStart as error:
            _say(str(error))
            return 2
        _say(_WELCOME.format(url=url))
        quiet = {**environment, "LOG_LEVEL": "ERROR"}  # nothing runs yet that could be told of new providers
        for command in (("migrate", "--verbosity", "0"), ("load_providers", str(DEPLOYMENTS))):
            if code := _manage(command, quiet):
                return code
        return _manage(("run",), environment)


@contextmanager
def _fake_models(port: str) -> Iterator[str]:
    """The fakes' address while they run, "" when they cannot. Ctrl-C is not for them: the service goes first."""
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
    kept = {name: value for name, value in os.environ.items() if name.removesuffix("_FILE") not in _PARTS}
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
    """Run one of our commands to its end. Every signal is handed on, once: it has a session of its own, because a
    second Ctrl-C would tell it to wait for nobody."""
    running = subprocess.Popen((*MANAGE, *command), cwd=ROOT, env=environment, start_new_session=True)

    def hand_on(number: int, frame: FrameType | None) -> None:
        running.send_signal(number)

    earlier = {number: signal.signal(number, hand_on) for number in STOP_SIGNALS}
    try:
        return running.wait()
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
