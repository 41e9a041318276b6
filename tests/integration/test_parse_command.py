"""``manage.py parse``: its output, its exit codes and its messages."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from apps.pages.sandbox.preload import assembled_pdf, small_pdf
from tests.documents import hostile
from tests.documents.hidden import SHOWN, pdf_with_hidden_text

ROOT = Path(__file__).resolve().parents[2]


def parse(*arguments: str | Path, stdin: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "manage.py", "parse", *map(str, arguments)],
        cwd=ROOT,
        input=stdin,
        capture_output=True,
        env={**os.environ, **environment},
        timeout=60,
    )


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.pdf"
    path.write_bytes(small_pdf())
    return path


@pytest.fixture
def long(tmp_path: Path) -> Path:
    """A document of forty pages, each with its number as text."""
    count = 40
    kids = b" ".join(b"%d 0 R" % (4 + 2 * index) for index in range(count))
    pages = []
    for index in range(count):
        pages.append(b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents %d 0 R/Resources<</Font<</F 3 0 R>>>>>>"
                     % (5 + 2 * index))  # fmt: skip
        pages.append(hostile.stream(b"BT /F 12 Tf 72 400 Td (This is page number %d.) Tj ET" % (index + 1)))
    path = tmp_path / "long.pdf"
    path.write_bytes(
        assembled_pdf(
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[%s]/Count %d>>" % (kids, count),
            b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
            *pages,
        )
    )
    return path


def test_hidden_text_can_be_left_out(tmp_path: Path) -> None:
    path = tmp_path / "two-faced.pdf"
    path.write_bytes(pdf_with_hidden_text())

    assert b"only programs" in parse(path).stdout
    assert parse(path, "--ignore-hidden-text").stdout.decode() == f"{SHOWN}\n"


def test_stdout_has_only_the_markdown(small: Path) -> None:
    done = parse(small)

    assert (done.returncode, done.stdout) == (0, b"Ready\n")
    assert b"1 of 1 pages" in done.stderr


def test_quiet_prints_nothing_on_stderr(small: Path) -> None:
    assert parse(small, "-q").stderr == b""


def test_a_document_is_read_from_stdin_and_written_to_a_file(small: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.txt"

    done = parse("-", "--format", "text", "-o", out, stdin=small.read_bytes())

    assert (done.returncode, done.stdout, out.read_text()) == (0, b"", "Ready\n")


def test_json_output_has_the_sections_of_the_api(small: Path) -> None:
    result = json.loads(parse(small, "--format", "json").stdout)

    assert list(result) == ["text", "markdown", "items", "metadata"]
    assert result["text"] == {"pages": [{"page_number": 1, "text": "Ready"}]}
    assert result["items"]["pages"][0]["page_width"] == 612


def test_the_output_of_a_long_document_does_not_depend_on_the_number_of_processes(long: Path) -> None:
    one, three = (parse(long, "--format", "json", PARSE_PROCESSES=str(count)) for count in (1, 3))

    assert one.returncode == 0
    assert one.stdout == three.stdout
    numbers = [page["page_number"] for page in json.loads(one.stdout)["text"]["pages"]]
    assert numbers == list(range(1, 41))


def test_only_the_requested_pages_are_parsed(long: Path) -> None:
    result = json.loads(parse(long, "--pages", "40,2-3", "--format", "json").stdout)

    assert [page["text"] for page in result["text"]["pages"]] == [f"This is page number {n}." for n in (2, 3, 40)]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nothing.pdf"], 2, b"file_unreadable"),
        (["."], 2, b"file_unreadable: . is not a regular file. Check the path"),
        (["SMALL", "--pages", "2-1"], 2, b"invalid_option: The range 2-1 goes backwards"),
        (["SMALL", "--pages", "first"], 2, b"invalid_option: 'first' is not a page"),
        (["SMALL", "--languages", "xx"], 2, b"invalid_option: 'xx' is not a language"),
        (["SMALL", "--password-file", "LATIN"], 2, b"invalid_option: The password file is not text in UTF-8"),
        (["SMALL", "--server", "127.0.0.1:8000"], 2, b"'127.0.0.1:8000' is not the address of a server"),
        (["SMALL", "--server", "http://127.0.0.1:port"], 2, b"is not the address of a server"),
        (["SMALL", "--server", "http://127.0.0.1:9", "--api-key", "kéy"], 2, b"characters that keys never contain"),
        (["SMALL", "--pages", "7"], 3, b"invalid_option: Page 7 was requested, but the document has 1 page."),
        (["SMALL", "--mode", "agentic"], 2, b"mode_not_available"),
        (["SMALL", "--mode", "agentic"], 2, b"load_providers"),
        (["SMALL", "--mode", "balanced"], 2, b"quotas are shared by all processes"),
        (["SMALL", "--mode", "balanced"], 2, b"--server http"),
        (["SMALL", "--estimate"], 2, b"--estimate needs a running service"),
        (["SMALL", "--max-cost", "0"], 2, b"--max-cost needs a running service"),
        (["SMALL", "--max-cost", "-1", "--server", "http://127.0.0.1:9"], 2, b"'-1' is not a number of dollars"),
        (["SMALL", "--mode", "slow"], 2, b"invalid choice"),
        (["SMALL", "-o", "/nowhere/at/all"], 2, b"/nowhere/at/all"),
        ([], 2, b"FILE"),
        (["http://127.0.0.1/a.pdf"], 3, b"url_not_allowed"),
        (["http://[::ffff:10.0.0.1]/a.pdf"], 3, b"url_not_allowed"),
        (["http://2130706433/a.pdf"], 3, b"url_not_allowed"),
        (["https://user:password@example.com/a.pdf"], 3, b"url_not_allowed"),
    ],
)
def test_an_invalid_command_ends_with_a_code_and_a_message(
    small: Path, arguments: list[str], code: int, message: bytes
) -> None:
    latin = small.with_name("latin")
    latin.write_bytes("Mühle\n".encode("latin-1"))
    files = {"SMALL": str(small), "LATIN": str(latin)}

    done = parse(*(files.get(argument, argument) for argument in arguments))

    assert (done.returncode, done.stdout) == (code, b"")
    assert message in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("PARSE_PROCESSES", "0", b"PARSE_PROCESSES='0' cannot be used"),
        ("LEAFMILL_READER_USER", "no such user", b"there is no user 'no such user' on this machine."),
    ],
)
def test_an_invalid_setting_is_named_in_the_message(
    small: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: bytes
) -> None:
    monkeypatch.setenv(name, value)

    done = parse(small)

    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"invalid_option: ")
    assert message in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_damaged_document_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "damaged.pdf"
    path.write_bytes(b"%PDF-1.7\n")

    done = parse(path)

    assert (done.returncode, done.stdout) == (3, b"")
    assert done.stderr.startswith(b"document_corrupt: ")


def test_the_password_is_read_from_a_file(tmp_path: Path) -> None:
    path, password = tmp_path / "locked.pdf", tmp_path / "password"
    path.write_bytes(hostile.encrypted("sesame"))
    password.write_text("sesame\n")
    wrong = tmp_path / "wrong"
    wrong.write_text("open\n")

    assert parse(path).stderr.startswith(b"document_encrypted: ")
    assert parse(path, "--password-file", wrong).stderr.startswith(b"wrong_password: ")
    assert parse(path, "--password-file", password).stdout == b"Ready\n"


def test_a_document_with_a_failed_page_is_partial(tmp_path: Path) -> None:
    """The second page hangs or exhausts the memory in the PDF libraries; the first is still printed."""
    path = tmp_path / "partial.pdf"
    form = hostile.stream(b"/X Do /X Do", b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X 6 0 R>>>>")
    bad = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 7 0 R/Resources<</XObject<</X 6 0 R>>>>>>"
    good = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 8 0 R/Resources<</Font<</F 5 0 R>>>>>>"
    path.write_bytes(
        assembled_pdf(
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[3 0 R 4 0 R]/Count 2>>",
            good,
            bad,
            b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
            form,
            hostile.stream(b"/X Do"),
            hostile.stream(b"BT /F 12 Tf 72 700 Td (Good) Tj ET"),
        )
    )

    done = parse(path, READER_MEMORY_MB="256")

    assert (done.returncode, done.stdout) == (4, b"Good\n")
    assert b"page 2: page_" in done.stderr


def test_an_interrupt_ends_the_command_and_leaves_no_files(long: Path, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir(mode=0o777)
    running = subprocess.Popen(
        [sys.executable, "manage.py", "parse", "-", "--format", "json"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(scratch)},
        # A background job of a shell ignores interrupts, and its children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    time.sleep(1)  # until the command waits for the document
    running.send_signal(signal.SIGINT)
    out, error = running.communicate(timeout=10)

    assert (running.returncode, out) == (130, b"")
    assert b"Traceback" not in error
    assert list(scratch.iterdir()) == []


def test_the_command_imports_no_django(small: Path) -> None:
    listing = "import sys; from apps.cli.command_line import main; main(sys.argv[1:]); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", listing, str(small), "-q"], cwd=ROOT, capture_output=True, check=True)

    loaded = set(done.stdout.decode().split())
    assert not loaded & {"django", "celery", "pypdfium2", "pikepdf", "liteparse", "httpx"}


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
        result = {"markdown_full": "Ready\n", "markdown": {"pages": pages}, "metadata": metadata}
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
    others = ["--prompt", "Write sums in bold.", "--no-cache"]

    done = parse(small, "--server", server, "--mode", "agentic", *limits, *others, LEAFMILL_API_KEY="right")

    assert done.returncode == 0
    ((_path, _key, body),) = Api.requests
    configuration = json.loads(body[body.index(b"{") : body.index(b"\r\n--", body.index(b"{"))])
    assert configuration == {
        "tier": "agentic",
        "version": "latest",
        "max_cost": 0.5,
        "on_budget": "stop",
        "providers": ["house", "azure-eu"],
        "allow_external": False,
        "agentic_options": {"custom_prompt": "Write sums in bold."},
        "disable_cache": True,
    }


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
