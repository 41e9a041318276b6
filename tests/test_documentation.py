"""The documentation is correct: its examples run, its links have targets, its names exist.

A fenced block of ``sh`` or ``python`` runs in a copy of the repository's root, with a service on port 8000. A block of
``sh no-test`` does not run, and one of ``python first_api``, ``python compatible`` or ``js typescript`` runs in
acceptance/test_clients.py. A block of ``markdown`` after an ``sh`` block is the expected output.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.core.management import get_commands

from apps import VERSION
from parse_project.env import DECLARED
from tests.acceptance.running_service import wait_for
from tests.services import free_port

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted(ROOT.glob("docs/**/*.md")),
    *sorted(ROOT.glob("deploy/**/*.md")),
]
FENCED = re.compile(r"^```(?P<kind>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!\w+:)([^)#]+)")
ROW = re.compile(r"^\| `([A-Z][A-Z0-9_]+)` \| ([^|]*) \|", re.MULTILINE)
LOCAL_PATH = re.compile(r"(?<![\w.])/(?:home|root|tmp|work|Users)/\w")
API_KEY = re.compile(r"API key: (\S+)")


@dataclass(frozen=True)
class Example:
    page: str
    number: int
    language: str
    code: str
    prints: str | None

    def __str__(self) -> str:
        return f"{self.page}-{self.number}"


def examples() -> Iterator[Example]:
    for page in PAGES:
        blocks = [(found["kind"].strip(), found["body"]) for found in FENCED.finditer(page.read_text(encoding="utf-8"))]
        for number, (kind, body) in enumerate(blocks):
            following = blocks[number + 1] if number + 1 < len(blocks) else ("", "")
            if kind in ("sh", "python"):
                prints = following[1] if following[0] == "markdown" else None
                yield Example(str(page.relative_to(ROOT)), number, kind, body, prints)


@pytest.fixture(scope="session")
def root_copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with symbolic links to the entries of the repository, so that examples write no files into it."""
    copy = tmp_path_factory.mktemp("root")
    for entry in ROOT.iterdir():
        (copy / entry.name).symlink_to(entry)
    return copy


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A ``make run``, and the environment for commands that use it."""
    folder = tmp_path_factory.mktemp("service")
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    environment |= {"LEAFMILL_DATA": str(folder / "data"), "PORT": str(free_port()), "FLOWER_PORT": str(free_port())}
    log = folder / "log"
    with log.open("wb") as out:
        run = subprocess.Popen(
            ["make", "-s", "run"], cwd=ROOT, env=environment, stdout=out, stderr=out, start_new_session=True
        )
    try:
        wait_for(lambda: b"is ready" in log.read_bytes() or run.poll() is not None, "make run is ready", seconds=60)
        key = API_KEY.search(log.read_text(encoding="utf-8"))
        assert key is not None, log.read_text(encoding="utf-8")
        yield environment | {"LEAFMILL_API_KEY": key[1]}
    finally:
        os.killpg(run.pid, signal.SIGINT)
        run.wait(20)


@pytest.mark.parametrize("example", list(examples()), ids=str)
def test_the_examples_run(example: Example, root_copy: Path, service: dict[str, str]) -> None:
    code = example.code.replace("127.0.0.1:8000", f"127.0.0.1:{service['PORT']}")
    command = ["bash", "-euo", "pipefail", "-c"] if example.language == "sh" else [sys.executable, "-c"]
    done = subprocess.run([*command, code], cwd=root_copy, env=service, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    if example.prints is not None:
        assert done.stdout.strip() == example.prints.strip()


def test_the_curl_example_prints_the_error_of_the_service(root_copy: Path, service: dict[str, str]) -> None:
    """The example is pasted into a terminal, where the next command runs even after one has failed."""
    [code] = [example.code for example in examples() if example.page == "README.md" and "/upload" in example.code]
    done = subprocess.run(
        ["bash", "-c", code.replace("127.0.0.1:8000", f"127.0.0.1:{service['PORT']}")],
        cwd=root_copy,
        env={**service, "LEAFMILL_API_KEY": "wrong"},
        capture_output=True,
        text=True,
        timeout=30,
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("The API key is missing or not valid.") == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_use_the_python_of_the_virtual_environment(page: Path) -> None:
    """Only commands in containers, which have no virtual environment, may use plain ``python``."""
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"(?:^ *|`)python3? (?:manage\.py|-m|bench/).*", text, re.MULTILINE) == []


def test_there_are_examples_that_run() -> None:
    assert {"README.md", "docs/quickstart.md"} <= {example.page for example in examples()}


def test_every_variable_has_a_row_with_its_default() -> None:
    rows = dict(ROW.findall((ROOT / "docs/configuration.md").read_text(encoding="utf-8")))
    assert set(DECLARED) - set(rows) == set()
    for name, variable in DECLARED.items():
        documented = rows[name].replace("`", "").replace(",", "").strip()
        if is_number(documented):
            assert float(documented) == float(variable.default), f"the default of {name}"


def test_every_documented_variable_is_read() -> None:
    rows = ROW.findall((ROOT / "docs/configuration.md").read_text(encoding="utf-8"))
    ours = [path for folder in ("apps", "ocr_worker", "parse_project") for path in (ROOT / folder).rglob("*.py")]
    sources = "".join(path.read_text(encoding="utf-8") for path in ours)
    assert [name for name, _ in rows if name not in DECLARED and f'"{name}"' not in sources] == []


def test_the_last_release_in_the_changelog_is_this_version_and_has_a_date() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    heading = re.search(r"^## (?!Unreleased$).*$", changelog, re.MULTILINE)
    assert heading is not None
    assert re.fullmatch(rf"## {re.escape(VERSION)} \(\d{{4}}-\d\d-\d\d\)", heading[0])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_have_targets(page: Path) -> None:
    targets = LINK.findall(page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_recipes_and_commands_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    recipes = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {name for name in re.findall(r"`make ([a-z-]+)", text) if name not in recipes} == set()
    named = set(re.findall(r"manage\.py ([a-z_]+)(?=[\s`])", text))
    assert named - set(get_commands()) == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_has_a_local_path(page: Path) -> None:
    assert LOCAL_PATH.findall(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("lock", ["requirements.txt", "requirements-dev.txt", "requirements-setup.txt"])
def test_a_lock_has_a_hash_for_every_package_and_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^\s*--(?:index|extra|find)", text, re.MULTILINE)
    pins = re.findall(r"^([\w.-]+)(?:\[[\w,]+\])?==\S+.*?\\$", text, re.MULTILINE)
    assert len(pins) == len(re.findall(r"^[\w.-]+(?:\[[\w,]+\])?==", text, re.MULTILINE))


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
