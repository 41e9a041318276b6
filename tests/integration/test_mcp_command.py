"""``manage.py mcp`` without a service. With one, it is called in tests/acceptance/test_clients.py."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.services import free_port

MANAGE = Path(__file__).resolve().parents[2] / "manage.py"


def run(folder: Path, *arguments: str, sent: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, str(MANAGE), "mcp", "--folder", str(folder), *arguments]
    return subprocess.run(command, input=sent, capture_output=True, timeout=60)


def test_messages_that_cannot_be_answered_get_errors(tmp_path: Path) -> None:
    parse: dict[str, Any] = {"name": "parse_document", "arguments": {"path": "../report.pdf"}}
    messages = [
        {"jsonrpc": "2.0", "id": 1, "method": "ping"},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": parse},
        {
            "jsonrpc": "2.0",
            "id": 3,
            "method": "tools/call",
            "params": {**parse, "arguments": {"path": "none.pdf", "tier": "fast"}},
        },
    ]
    sent = b"".join(json.dumps(message).encode() + b"\n" for message in messages) + b"{\n"
    done = run(tmp_path, "--server", f"http://127.0.0.1:{free_port()}", sent=sent)

    assert done.returncode == 0, done.stderr
    answers = {answer["id"]: answer for answer in map(json.loads, done.stdout.splitlines())}
    assert answers.keys() == {1, 2, 3, None}
    assert answers[1]["error"]["message"].startswith("server_unavailable: http://127.0.0.1")
    for number in (2, 3):
        assert answers[number]["result"]["isError"]
        assert answers[number]["result"]["content"][0]["text"].startswith("file_unreadable: ")
    assert answers[None]["error"]["code"] == -32700


def test_wrong_options_are_refused(tmp_path: Path) -> None:
    for arguments in (("--server", "nowhere"), ("--folder", str(tmp_path / "none"))):
        done = run(tmp_path, *arguments)
        assert (done.returncode, done.stdout) == (2, b"")
        assert done.stderr.startswith(b"invalid_option: ")
