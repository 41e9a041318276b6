"""``manage.py parse --server`` with a fake service: requests, reports and exit codes."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from apps.pages.sandbox.preload import small_pdf
from tests.integration.test_parse_command import ROOT, parse
from tests.integration.test_parse_command import small as small


def mode_estimate(requests: int, **known: Any) -> dict[str, Any]:
    mode = {"available": True, "why_not": None, "pages": {}, "cost_usd": None, "seconds": {"low": 0.1, "high": 2}}
    return {**mode, "requests": requests, "input_tokens": 1200, "output_tokens": 300, **known}


FALLBACKS = ("provider_unavailable", "budget_exceeded", "provider_unavailable")
ESTIMATE = {
    "pages": 1,
    "pages_needing_ocr": 0,
    "exact": True,
    "asked": "balanced",
    "modes": {
        "fast": mode_estimate(0, cost_usd={"low": 0, "high": 0}),
        "balanced": mode_estimate(1, cost_usd={"low": 0.0012, "high": 0.0031}),
        "multimodal": mode_estimate(1, without_price=["house-llama"]),
        "agentic": mode_estimate(2, available=False, why_not="The project does not allow the mode agentic."),
    },
}


class Api(BaseHTTPRequestHandler):
    """A fake service with the few responses that the command needs."""

    requests: ClassVar[list[tuple[str, str, bytes]]] = []
    polls = 0
    parsing: ClassVar[list[dict[str, Any]]] = []
    sections: ClassVar[dict[str, Any]] = {}
    final: ClassVar[dict[str, Any]] = {"id": "pjb-1", "project_id": "p", "status": "COMPLETED"}

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        Api.requests.append((self.path, self.headers["Authorization"] or "", body))
        if self.headers["Authorization"] != "Bearer right":
            self.respond(401, {"detail": "This key is unknown."})
        elif not self.path.startswith("/api/"):
            self.respond(404, {})
        elif self.path == "/api/v2/parse/estimate":
            self.respond(200, ESTIMATE)
        else:
            self.respond(200, {"id": "pjb-1", "project_id": "p", "status": "PENDING"})

    def do_GET(self) -> None:
        if self.path == "/api/v2/parse/signed/boxes":
            self.respond(200, {"page_number": 1})
            return
        if self.path == "/api/v2/parse/pjb-1/result/tables.xlsx":
            self.respond(404, {"code": "not_found", "detail": "There is no such file."})
            return
        if self.path.startswith("/api/v2/parse/pjb-1/result/"):
            self.respond(200, {"path": self.path})
            return
        if self.path.startswith("/api/v2/parse/pjb-1/pages"):
            self.respond(200, {"counts": {"succeeded": 1, "running": 1, "waiting": 2}, "items": []})
            return
        Api.polls += 1
        if "expand" not in self.path:
            job = {"id": "pjb-1", "project_id": "p", "status": "RUNNING"} if Api.polls < 3 else Api.final
            self.respond(200, {"job": job})
            return
        pages = [{"page_number": 1, "markdown": "Ready", "success": True}]
        metadata = {"pages": [{"page_number": n, "parsing": one} for n, one in enumerate(Api.parsing, start=1)]}
        result = {"markdown_full": "Ready\n", "markdown": {"pages": pages}, "metadata": metadata, **Api.sections}
        self.respond(200, {"job": Api.final, **result})

    def respond(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        return


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(Api, "requests", [])
    monkeypatch.setattr(Api, "polls", 0)
    http = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{http.server_port}"
    http.shutdown()
    http.server_close()


def test_a_server_parses_the_document(server: str, small: Path) -> None:
    done = parse(small, "--server", server, "--mode", "balanced", "--pages", "1", LEAFMILL_API_KEY="right")

    assert (done.returncode, done.stdout) == (0, b"Ready\n")
    ((path, _key, body),) = Api.requests
    assert path == "/api/v2/parse/upload"
    assert b'{"tier": "cost_effective", "version": "latest", "page_ranges": {"target_pages": "1"}}' in body
    assert small_pdf() in body


def test_a_terminal_shows_how_many_pages_wait_for_a_model(server: str, small: Path) -> None:
    ours, terminal = pty.openpty()
    done = subprocess.run(
        [sys.executable, "manage.py", "parse", str(small), "--server", server, "--api-key", "right"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=terminal,
        timeout=60,
    )
    os.close(terminal)
    with os.fdopen(ours, "rb") as read:
        output = read.read1(100_000)

    assert (done.returncode, done.stdout) == (0, b"Ready\n")
    assert b"1 of 4 pages, 2 waiting for a model's quota or its recovery" in output
    assert output.endswith(b"\r\x1b[K")


def test_options_for_models_are_sent_to_the_server(server: str, small: Path) -> None:
    limits = ["--max-cost", "0.5", "--on-budget", "stop", "--providers", "house, azure-eu", "--no-external"]
    limits += ["--urgency", "hours"]
    others = ["--prompt", "Write sums in bold.", "--no-cache", "--no-check"]

    done = parse(small, "--server", server, "--mode", "agentic", *limits, *others, LEAFMILL_API_KEY="right")

    assert done.returncode == 0
    ((_path, _key, body),) = Api.requests
    configuration = json.loads(body[body.index(b"{") : body.index(b"\r\n--", body.index(b"{"))])
    assert configuration == {
        "tier": "agentic",
        "version": "latest",
        "max_cost": 0.5,
        "on_budget": "stop",
        "urgency": "hours",
        "providers": ["house", "azure-eu"],
        "allow_external": False,
        "agentic_options": {"custom_prompt": "Write sums in bold.", "check_answers": False},
        "disable_cache": True,
    }


def test_a_pdf_is_copied_with_a_message(server: str, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Api, "sections", {"job_metadata": {"media_type": "application/pdf"}})
    done = parse(small, "--server", server, "--api-key", "right", "--format", "pdf")

    assert done.returncode == 0, done.stderr
    assert b"was copied. For a text layer: --format searchable_pdf." in done.stderr


def test_boxes_are_fetched_from_the_server(server: str, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = {"size_bytes": 18, "presigned_url": "https://elsewhere.example/api/v2/parse/signed/boxes"}
    sections = {"text": {}, "items": {}, "result_content_metadata": {"grounded_items": link}}
    monkeypatch.setattr(Api, "sections", sections)

    done = parse(small, "--server", server, "--api-key", "right", "--format", "json", "--boxes", "word,cell")

    assert json.loads(done.stdout)["grounded_items"] == {"pages": [{"page_number": 1}]}
    assert b'"granular_bboxes": ["cell", "word"]' in Api.requests[0][2]


def test_exports_are_fetched_from_the_server(server: str, small: Path) -> None:
    options = ("--format", "chunks", "--max-tokens", "64", "--split-by", "tokens", "--within-pages")
    done = parse(small, "--server", server, "--api-key", "right", *options)

    address, _, query = json.loads(done.stdout)["path"].partition("?")
    assert address == "/api/v2/parse/pjb-1/result/chunks.jsonl"
    assert {"max_tokens=64", "split_by=tokens", "within_pages=true"} <= set(query.split("&"))


@pytest.mark.parametrize(
    ("name", "file", "asked"),
    [
        ("pdf", "document.pdf", b'"save_output_pdf": true'),
        ("archive_pdf", "archive.pdf", b'"save_output_pdf": true'),
        ("searchable_pdf", "searchable.pdf", b'"save_output_pdf": true'),
        ("raw_words", "raw_words.jsonl", b'"additional_outputs": ["word_bbox"]'),
        ("docling", "docling.json", b"{"),
    ],
)
def test_files_are_asked_for_and_fetched(server: str, small: Path, name: str, file: str, asked: bytes) -> None:
    done = parse(small, "--server", server, "--api-key", "right", "--format", name)

    assert json.loads(done.stdout)["path"] == f"/api/v2/parse/pjb-1/result/{file}"
    assert asked in Api.requests[0][2]


def test_a_file_that_the_result_does_not_have_is_exit_code_3(server: str, small: Path) -> None:
    done = parse(small, "--server", server, "--api-key", "right", "--format", "xlsx")

    assert (done.returncode, done.stderr.splitlines()[-1]) == (3, b"not_found: There is no such file.")


def test_an_estimate_prints_a_table_and_parses_nothing(server: str, small: Path, tmp_path: Path) -> None:
    arguments = (small, "--server", server, "--mode", "balanced", "--estimate")

    done = parse(*arguments, LEAFMILL_API_KEY="right")

    lines = done.stdout.decode().splitlines()
    assert (done.returncode, lines[0]) == (0, "pages: 1 (all examined)")
    assert lines[3].split() == ["balanced", "*", "1", "1,200", "300", "0.0012", "-", "0.0031", "0.1", "-", "2.0"]
    assert "unknown" in lines[4]
    assert lines[-2:] == [
        "agentic: The project does not allow the mode agentic.",
        "cost unknown, because no price is set for: house-llama",
    ]
    assert [path for path, _key, _body in Api.requests] == ["/api/v2/parse/estimate"]
    out = tmp_path / "estimate.json"
    assert parse(*arguments, "--format", "json", "-o", out, LEAFMILL_API_KEY="right").stdout == b""
    assert json.loads(out.read_text()) == ESTIMATE


@pytest.mark.parametrize(
    ("cost", "message"), [(0.0123, b"0.0123 USD"), (None, b"cost unknown (no price is set for house-llama)")]
)
def test_the_usage_of_models_is_reported(
    server: str, small: Path, monkeypatch: pytest.MonkeyPatch, cost: float | None, message: bytes
) -> None:
    usage = {"requests": 3, "input_tokens": 1597, "output_tokens": 351, "cost_usd": cost}
    monkeypatch.setattr(Api, "final", {**Api.final, "usage": usage})
    costs = {} if cost is None else {"cost_usd": 0.0041}
    monkeypatch.setattr(Api, "parsing", [{"deployment": "house-llama", "requests": 1, "cache": "miss", **costs}] * 3)

    done = parse(small, "--server", server, "--mode", "balanced", LEAFMILL_API_KEY="right")

    last = done.stderr.splitlines()[-1]
    assert last.startswith(b"requests to models: 3; 1,597 tokens in, 351 out; ")
    assert message in last


def test_cached_pages_and_fallbacks_are_reported_with_their_reason(
    server: str, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings = [{"code": "fallback_used", "detail": "Pages keep their fallback text.", "pages": 3}]
    parsings = [
        *({"cache": "hit"}, {"cache": "hit"}, {"cache": "miss"}),
        *({"fallback_used": True, "fallback_reason": reason} for reason in FALLBACKS),
    ]
    monkeypatch.setattr(Api, "final", {**Api.final, "warnings": warnings})
    monkeypatch.setattr(Api, "parsing", parsings)
    arguments = (small, "--server", server, "--mode", "balanced")

    lines = parse(*arguments, LEAFMILL_API_KEY="right").stderr.decode().splitlines()
    quiet = parse(*arguments, "-q", LEAFMILL_API_KEY="right").stderr.decode().splitlines()

    assert quiet == [
        "2 pages kept the fallback text: 4, 6 (provider unavailable)",
        "1 page kept the fallback text: 5 (budget exceeded)",
    ]
    assert lines == [*quiet, "2 pages used cached responses: 1-2"]


def test_a_refused_key_is_exit_code_5(server: str, small: Path) -> None:
    done = parse(small, "--server", server, "--api-key", "wrong")

    assert (done.returncode, done.stdout) == (5, b"")
    assert b"refused the API key" in done.stderr


def test_a_failed_job_is_exit_code_3_with_the_code_of_its_error(
    server: str, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = {"status": "FAILED", "error": {"code": "document_encrypted", "detail": "It needs a password."}}
    monkeypatch.setattr(Api, "final", {"id": "pjb-1", **failed})

    done = parse(small, "--server", server, "--api-key", "right")

    assert (done.returncode, done.stderr.splitlines()[-1]) == (3, b"document_encrypted: It needs a password.")


def test_a_server_that_is_not_leafmill_is_exit_code_5(server: str, small: Path) -> None:
    done = parse(small, "--server", f"{server}/elsewhere", "--api-key", "right")

    assert (done.returncode, done.stdout) == (5, b"")
    assert (
        b"server_unavailable: 127.0.0.1 responded with status 404: Check that this is the address of a Leafmill"
        in done.stderr
    )


def test_an_unreachable_server_is_exit_code_5(small: Path) -> None:
    done = parse(small, "--server", "http://127.0.0.1:9")

    assert done.returncode == 5
    assert b"server_unavailable: http://127.0.0.1:9 cannot be reached" in done.stderr
