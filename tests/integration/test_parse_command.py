"""``manage.py parse`` as a person or a script meets it: its output, its exit code, what it says."""

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
from tests.documents.hidden import SHOWN, two_faced_pdf

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
    """Forty pages that say their number."""
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
    path.write_bytes(two_faced_pdf())

    assert b"only programs" in parse(path).stdout
    assert parse(path, "--ignore-hidden-text").stdout.decode() == f"{SHOWN}\n"


def test_markdown_goes_to_stdout_and_nothing_else_does(small: Path) -> None:
    done = parse(small)

    assert (done.returncode, done.stdout) == (0, b"Ready\n")
    assert b"1 of 1 pages" in done.stderr


def test_quiet_says_nothing(small: Path) -> None:
    assert parse(small, "-q").stderr == b""


def test_a_document_comes_from_stdin_and_goes_to_a_file(small: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.txt"

    done = parse("-", "--format", "text", "-o", out, stdin=small.read_bytes())

    assert (done.returncode, done.stdout, out.read_text()) == (0, b"", "Ready\n")


def test_json_holds_the_sections_of_the_api(small: Path) -> None:
    result = json.loads(parse(small, "--format", "json").stdout)

    assert list(result) == ["text", "markdown", "items", "metadata"]
    assert result["text"] == {"pages": [{"page_number": 1, "text": "Ready"}]}
    assert result["items"]["pages"][0]["page_width"] == 612


def test_a_long_document_reads_the_same_with_any_number_of_processes(long: Path) -> None:
    one, three = (parse(long, "--format", "json", PARSE_PROCESSES=str(count)) for count in (1, 3))

    assert one.returncode == 0
    assert one.stdout == three.stdout
    numbers = [page["page_number"] for page in json.loads(one.stdout)["text"]["pages"]]
    assert numbers == list(range(1, 41))


def test_only_the_pages_asked_for(long: Path) -> None:
    result = json.loads(parse(long, "--pages", "40,2-3", "--format", "json").stdout)

    assert [page["text"] for page in result["text"]["pages"]] == [f"This is page number {n}." for n in (2, 3, 40)]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["nothing.pdf"], 2, b"file_unreadable"),
        (["."], 2, b"file_unreadable: . is not a regular file. Check the path"),
        (["SMALL", "--pages", "2-1"], 2, b"invalid_option: The range 2-1 goes backwards"),
        (["SMALL", "--pages", "first"], 2, b"invalid_option: 'first' is not a page"),
        (["SMALL", "--languages", "xx"], 2, b"invalid_option: 'xx' is not a language"),
        (["SMALL", "--password-file", "LATIN"], 2, b"invalid_option: The password file is not text in UTF-8"),
        (["SMALL", "--server", "127.0.0.1:8000"], 2, b"'127.0.0.1:8000' is not the address of a server"),
        (["SMALL", "--server", "http://127.0.0.1:port"], 2, b"is not the address of a server"),
        (["SMALL", "--server", "http://127.0.0.1:9", "--api-key", "kéy"], 2, b"signs that no key has"),
        (["SMALL", "--pages", "7"], 3, b"invalid_option: Page 7 was asked for, but the document has 1 page."),
        (["SMALL", "--mode", "agentic"], 2, b"mode_not_available"),
        (["SMALL", "--mode", "agentic"], 2, b"load_providers"),
        (["SMALL", "--mode", "balanced"], 2, b"quotas are shared by all processes"),
        (["SMALL", "--mode", "balanced"], 2, b"--server http"),
        (["SMALL", "--estimate"], 2, b"--estimate is for a running service"),
        (["SMALL", "--max-cost", "0"], 2, b"--max-cost is for a running service"),
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
def test_what_cannot_be_done_is_said_with_a_code(small: Path, arguments: list[str], code: int, says: bytes) -> None:
    latin = small.with_name("latin")
    latin.write_bytes("Mühle\n".encode("latin-1"))
    files = {"SMALL": str(small), "LATIN": str(latin)}

    done = parse(*(files.get(argument, argument) for argument in arguments))

    assert (done.returncode, done.stdout) == (code, b"")
    assert says in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("PARSE_PROCESSES", "0", b"PARSE_PROCESSES='0' cannot be used"),
        ("LEAFMILL_READER_USER", "nobody at all", b"there is no user 'nobody at all' on this machine."),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(
    small: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: bytes
) -> None:
    monkeypatch.setenv(name, value)

    done = parse(small)

    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"invalid_option: ")
    assert says in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_damaged_document_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "damaged.pdf"
    path.write_bytes(b"%PDF-1.7\n")

    done = parse(path)

    assert (done.returncode, done.stdout) == (3, b"")
    assert done.stderr.startswith(b"document_corrupt: ")


def test_a_password_comes_from_a_file(tmp_path: Path) -> None:
    path, password = tmp_path / "locked.pdf", tmp_path / "password"
    path.write_bytes(hostile.encrypted("sesame"))
    password.write_text("sesame\n")
    wrong = tmp_path / "wrong"
    wrong.write_text("open\n")

    assert parse(path).stderr.startswith(b"document_encrypted: ")
    assert parse(path, "--password-file", wrong).stderr.startswith(b"wrong_password: ")
    assert parse(path, "--password-file", password).stdout == b"Ready\n"


def test_a_document_with_a_bad_page_is_partial(tmp_path: Path) -> None:
    """The second page hangs or eats memory in the libraries; the first is printed all the same."""
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


def test_an_interrupt_ends_it_at_once_and_leaves_nothing(long: Path, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir(mode=0o777)
    running = subprocess.Popen(
        [sys.executable, "manage.py", "parse", "-", "--format", "json"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(scratch)},
        # A shell's background job ignores interrupts, and so would all it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    time.sleep(1)  # it waits for the document
    running.send_signal(signal.SIGINT)
    out, error = running.communicate(timeout=10)

    assert (running.returncode, out) == (130, b"")
    assert b"Traceback" not in error
    assert list(scratch.iterdir()) == []


def test_it_starts_without_django(small: Path) -> None:
    listing = "import sys; from apps.cli.command_line import main; main(sys.argv[1:]); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", listing, str(small), "-q"], cwd=ROOT, capture_output=True, check=True)

    loaded = set(done.stdout.decode().split())
    assert not loaded & {"django", "celery", "pypdfium2", "pikepdf", "liteparse", "httpx"}


def estimated(requests: int, **known: Any) -> dict[str, Any]:
    mode = {"available": True, "why_not": None, "pages": {}, "cost_usd": None, "seconds": {"low": 0.1, "high": 2}}
    return {**mode, "requests": requests, "input_tokens": 1200, "output_tokens": 300, **known}


FALLBACKS = ("provider_unavailable", "budget_exceeded", "provider_unavailable")
ESTIMATE = {
    "pages": 1,
    "pages_needing_ocr": 0,
    "exact": True,
    "asked": "balanced",
    "modes": {
        "fast": estimated(0, cost_usd={"low": 0, "high": 0}),
        "balanced": estimated(1, cost_usd={"low": 0.0012, "high": 0.0031}),
        "multimodal": estimated(1, without_price=["house-llama"]),
        "agentic": estimated(2, available=False, why_not="The project does not allow the mode agentic."),
    },
}


class Api(BaseHTTPRequestHandler):
    """The few answers of a running service that the command needs."""

    requests: ClassVar[list[tuple[str, str, bytes]]] = []
    polls = 0
    parsing: ClassVar[list[dict[str, Any]]] = []
    final: ClassVar[dict[str, Any]] = {"id": "pjb-1", "project_id": "p", "status": "COMPLETED"}

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        Api.requests.append((self.path, self.headers["Authorization"] or "", body))
        if self.headers["Authorization"] != "Bearer right":
            self.answer(401, {"detail": "This key is not known."})
        elif not self.path.startswith("/api/"):
            self.answer(404, {})
        elif self.path == "/api/v2/parse/estimate":
            self.answer(200, ESTIMATE)
        else:
            self.answer(200, {"id": "pjb-1", "project_id": "p", "status": "PENDING"})

    def do_GET(self) -> None:
        if self.path.startswith("/api/v2/parse/pjb-1/pages"):
            self.answer(200, {"counts": {"succeeded": 1, "running": 1, "waiting": 2}, "items": []})
            return
        Api.polls += 1
        if "expand" not in self.path:
            job = {"id": "pjb-1", "project_id": "p", "status": "RUNNING"} if Api.polls < 3 else Api.final
            self.answer(200, {"job": job})
            return
        pages = [{"page_number": 1, "markdown": "Ready", "success": True}]
        metadata = {"pages": [{"page_number": n, "parsing": one} for n, one in enumerate(Api.parsing, start=1)]}
        result = {"markdown_full": "Ready\n", "markdown": {"pages": pages}, "metadata": metadata}
        self.answer(200, {"job": Api.final, **result})

    def answer(self, status: int, content: dict[str, Any]) -> None:
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


def test_pages_that_wait_for_a_model_are_told_on_a_terminal(server: str, small: Path) -> None:
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
        told = read.read1(100_000)

    assert (done.returncode, done.stdout) == (0, b"Ready\n")
    assert b"1 of 4 pages, 2 waiting for a model's quota or its recovery" in told
    assert told.endswith(b"\r\x1b[K")


def test_what_is_said_about_models_reaches_the_server(server: str, small: Path) -> None:
    limits = ["--max-cost", "0.5", "--on-budget", "stop", "--providers", "house, azure-eu", "--no-external"]
    wishes = ["--prompt", "Write sums in bold.", "--no-cache"]

    done = parse(small, "--server", server, "--mode", "agentic", *limits, *wishes, LEAFMILL_API_KEY="right")

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


def test_an_estimate_is_a_table_and_nothing_is_parsed(server: str, small: Path, tmp_path: Path) -> None:
    asked = (small, "--server", server, "--mode", "balanced", "--estimate")

    done = parse(*asked, LEAFMILL_API_KEY="right")

    lines = done.stdout.decode().splitlines()
    assert (done.returncode, lines[0]) == (0, "pages: 1 (all of them looked at)")
    assert lines[3].split() == ["balanced", "*", "1", "1,200", "300", "0.0012", "-", "0.0031", "0.1", "-", "2.0"]
    assert "unknown" in lines[4]
    assert lines[-2:] == [
        "agentic: The project does not allow the mode agentic.",
        "cost unknown where these are asked, whose price is not set: house-llama",
    ]
    assert [path for path, _key, _body in Api.requests] == ["/api/v2/parse/estimate"]
    out = tmp_path / "estimate.json"
    assert parse(*asked, "--format", "json", "-o", out, LEAFMILL_API_KEY="right").stdout == b""
    assert json.loads(out.read_text()) == ESTIMATE


@pytest.mark.parametrize(
    ("cost", "told"), [(0.0123, b"0.0123 USD"), (None, b"cost unknown (no price is set for house-llama)")]
)
def test_what_the_models_came_to_is_told(
    server: str, small: Path, monkeypatch: pytest.MonkeyPatch, cost: float | None, told: bytes
) -> None:
    usage = {"requests": 3, "input_tokens": 1597, "output_tokens": 351, "cost_usd": cost}
    monkeypatch.setattr(Api, "final", {**Api.final, "usage": usage})
    costs = {} if cost is None else {"cost_usd": 0.0041}
    monkeypatch.setattr(Api, "parsing", [{"deployment": "house-llama", "requests": 1, "cache": "miss", **costs}] * 3)

    done = parse(small, "--server", server, "--mode", "balanced", LEAFMILL_API_KEY="right")

    last = done.stderr.splitlines()[-1]
    assert last.startswith(b"requests to models: 3; 1,597 tokens in, 351 out; ")
    assert told in last


def test_pages_that_took_another_road_are_told_with_the_reason(
    server: str, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings = [{"code": "fallback_used", "detail": "Pages keep their fallback text.", "pages": 3}]
    roads = [
        *({"cache": "hit"}, {"cache": "hit"}, {"cache": "miss"}),
        *({"fallback_used": True, "fallback_reason": reason} for reason in FALLBACKS),
    ]
    monkeypatch.setattr(Api, "final", {**Api.final, "warnings": warnings})
    monkeypatch.setattr(Api, "parsing", roads)
    asked = (small, "--server", server, "--mode", "balanced")

    told = parse(*asked, LEAFMILL_API_KEY="right").stderr.decode().splitlines()
    quiet = parse(*asked, "-q", LEAFMILL_API_KEY="right").stderr.decode().splitlines()

    assert quiet == [
        "2 pages kept the fallback text: 4, 6 (provider unavailable)",
        "1 page kept the fallback text: 5 (budget exceeded)",
    ]
    assert told == [*quiet, "2 pages took answers that were kept from earlier: 1-2"]


def test_a_server_that_refuses_the_key_is_code_5(server: str, small: Path) -> None:
    done = parse(small, "--server", server, "--api-key", "wrong")

    assert (done.returncode, done.stdout) == (5, b"")
    assert b"refused the API key" in done.stderr


def test_a_job_that_failed_is_refused_with_its_code(server: str, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = {"status": "FAILED", "error": {"code": "document_encrypted", "detail": "It needs a password."}}
    monkeypatch.setattr(Api, "final", {"id": "pjb-1", **failed})

    done = parse(small, "--server", server, "--api-key", "right")

    assert (done.returncode, done.stderr.splitlines()[-1]) == (3, b"document_encrypted: It needs a password.")


def test_another_server_than_ours_is_code_5(server: str, small: Path) -> None:
    done = parse(small, "--server", f"{server}/elsewhere", "--api-key", "right")

    assert (done.returncode, done.stdout) == (5, b"")
    assert b"server_unavailable: 127.0.0.1 answered 404: Is this the address of a Leafmill service?" in done.stderr


def test_no_server_is_code_5(small: Path) -> None:
    done = parse(small, "--server", "http://127.0.0.1:9")

    assert done.returncode == 5
    assert b"server_unavailable: http://127.0.0.1:9 cannot be reached" in done.stderr
