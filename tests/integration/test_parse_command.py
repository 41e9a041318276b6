"""``manage.py parse`` without a server: its output, its exit codes and its messages."""

from __future__ import annotations

import io
import json
import os
import pty
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pikepdf
import pytest
import xlsxwriter
from PIL import Image

from apps.pages.sandbox.preload import assembled_pdf, small_pdf
from tests.documents import hostile
from tests.documents.hidden import SHOWN, pdf_with_hidden_text
from tests.documents.scans import text_beside_a_picture
from tests.unit.pages.tiny_pdf import Sheet, write_pdf

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


def test_chunks_are_json_lines_with_their_pages(long: Path) -> None:
    done = parse(long, "--format", "chunks", "--max-tokens", "32", "--within-pages", "-q")
    assert [json.loads(line)["pages"] for line in done.stdout.splitlines()] == [[each] for each in range(1, 41)]
    for wrong in (("--max-tokens", "9"), ("--overlap-tokens", "300")):
        refused = parse(long, "--format", "chunks", *wrong)
        assert (refused.returncode, refused.stderr.split(b":")[0]) == (2, b"invalid_option")
    assert parse(long, "--within-pages").returncode == 2  # Markdown has no chunks


def test_exports_are_written_with_pictures_of_the_pages(small: Path, tmp_path: Path) -> None:
    archive = tmp_path / "everything.zip"
    assert parse(small, "--format", "zip", "-o", archive).returncode == 0
    with zipfile.ZipFile(archive) as opened:
        assert opened.read("markdown.md") == parse(small).stdout
    for name, pictures in (("searchable_pdf", 0), ("archive_pdf", 1)):
        with pikepdf.open(io.BytesIO(parse(small, "--format", name, "-q").stdout)) as document:
            assert [len(page.get_images()) for page in document.pages] == [pictures]
    text = tmp_path / "note.txt"
    text.write_text("A short note.", encoding="utf-8")
    assert b'<p id="page-1-0" dir="auto">A short note.</p>' in parse(text, "--format", "html").stdout
    refused = parse(text, "--format", "searchable_pdf", "-q")
    assert (refused.returncode, refused.stdout, refused.stderr[:16]) == (3, b"", b"no_page_picture:")


def test_the_name_of_the_output_chooses_the_format(small: Path, tmp_path: Path) -> None:
    for name, begins in (
        ("a.json", b'{"text":'),
        ("a.html", b"<!DOCTYPE html>"),
        ("a.TXT", b"Ready"),
        ("a.md", b"Ready"),
    ):
        assert parse(small, "-o", tmp_path / name).returncode == 0
        assert (tmp_path / name).read_bytes().startswith(begins)
    copied = parse(small, "-o", tmp_path / "a.pdf")
    assert (copied.returncode, b"was copied. For a text layer: --format searchable_pdf." in copied.stderr) == (0, True)
    assert (tmp_path / "a.pdf").read_bytes() == small.read_bytes()
    assert parse(small, "-o", tmp_path / "b.pdf", "--format", "text").returncode == 0
    assert (tmp_path / "b.pdf").read_bytes() == b"Ready\n"
    assert parse(small, "-o", tmp_path / "a.zip").returncode == 0
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.read("markdown.md") == b"Ready\n"
    assert parse(small, "-o", tmp_path / "a.unknown").returncode == 0
    assert (tmp_path / "a.unknown").read_bytes() == b"Ready\n"


@pytest.mark.parametrize(("name", "message"), [("a.csv", b"--format csv"), ("a.ODT", b"docx"), ("a.pptx", b"--format")])
def test_the_name_of_a_format_that_it_does_not_choose_is_refused(
    small: Path, tmp_path: Path, name: str, message: bytes
) -> None:
    done = parse(small, "-o", tmp_path / name)

    assert (done.returncode, (tmp_path / name).exists()) == (2, False)
    assert done.stderr.startswith(b"invalid_option: The ending ." + name.lower().encode()[2:])
    assert message in done.stderr
    assert parse(small, "-o", tmp_path / name, "--format", "text").returncode == 0


def test_words_have_lines_with_their_boxes(small: Path) -> None:
    (line,) = parse(small, "--format", "raw_words", "-q").stdout.splitlines()
    assert json.loads(line)["text"] == "Ready"


def test_no_pdf_is_made_of_a_web_page(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<!doctype html><p>Hello", encoding="utf-8")
    refused = parse(page, "--format", "pdf")
    assert (refused.returncode, refused.stdout, refused.stderr[:10]) == (3, b"", b"not_found:")
    assert b"searchable_pdf" not in refused.stderr
    picture = tmp_path / "picture.png"
    Image.new("L", (20, 20)).save(picture)
    assert b"Ask for --format searchable_pdf." in parse(picture, "--format", "pdf").stderr


def test_a_terminal_gets_no_bytes_that_it_cannot_show(small: Path) -> None:
    ours, terminal = pty.openpty()
    done = subprocess.run(
        [sys.executable, "manage.py", "parse", str(small), "--format", "docx"],
        cwd=ROOT,
        stdout=terminal,
        stderr=subprocess.PIPE,
        timeout=60,
    )
    os.close(terminal)
    os.close(ours)
    assert (done.returncode, done.stderr) == (
        2,
        b"invalid_option: A terminal cannot show docx. Pass a file: -o FILE.\n",
    )


def test_margins_can_be_left_out(tmp_path: Path) -> None:
    sheet = Sheet().text(72, 40, "Letterhead").text(72, 300, "The text of the letter").text(72, 760, "Page 1")
    path = write_pdf(tmp_path / "letter.pdf", sheet)

    assert parse(path, "--crop-box", "0.1,0,0.1,0", "-q").stdout == b"The text of the letter\n"
    assert parse(path, "--crop-box", "0.5,0,0.5,0").returncode == 2


def test_tables_are_a_workbook(small: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("Cargo,Tons\nCoal,1200\n", encoding="utf-8")
    with zipfile.ZipFile(io.BytesIO(parse(table, "--format", "xlsx", "-q").stdout)) as book:
        assert b"<v>1200</v>" in book.read("xl/worksheets/sheet1.xml")
    for output_format in ("xlsx", "csv"):
        refused = parse(small, "--format", output_format, "-q")
        assert (refused.returncode, refused.stdout) == (3, b"")
        assert refused.stderr.startswith(b"not_found: The document has no tables")


def test_options_of_the_api_are_taken_by_their_names(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet("Shown").write(0, 0, "in sight")
        hidden = book.add_worksheet("Kept back")
        hidden.write(0, 0, "out of sight")
        hidden.hide()

    assert b"out of sight" not in parse(path, "-q").stdout
    assert b"out of sight" in parse(path, "-q", "--option", "include_hidden_sheets").stdout
    refused = parse(path, "--option", "processing_control.timeouts.base_in_seconds=90")
    assert (refused.returncode, refused.stderr.split(b":")[0]) == (2, b"invalid_option")


def test_stdout_has_only_the_markdown(small: Path) -> None:
    done = parse(small)

    assert (done.returncode, done.stdout) == (0, b"Ready\n")
    assert b"1 of 1 pages" in done.stderr


def test_boxes_are_one_more_section_of_the_json(small: Path) -> None:
    result = json.loads(parse(small, "--format", "json", "--boxes", "word").stdout)

    (item,) = result["grounded_items"]["pages"][0]["items"]
    assert [word["span"] for line in item["grounding"]["lines"] for word in line["words"]] == [[0, 5]]
    assert parse(small, "--boxes", "word").returncode == 2


def test_attached_files_are_named_on_stderr(small: Path, tmp_path: Path) -> None:
    path = tmp_path / "invoice.pdf"
    with pikepdf.open(small) as pdf:
        for number in range(7):
            pdf.attachments[f"data-{number}.xml"] = b"<x/>"
        pdf.save(path)

    done = parse(path)

    named = b", ".join(b"data-%d.xml" % number for number in range(5))
    assert b"attached files, not parsed: " + named + b" and 2 more\n" in done.stderr
    assert (done.returncode, done.stdout) == (0, b"Ready\n")


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
        (["."], 2, b"invalid_option: A folder or archive has many results"),
        (["SMALL", "--pages", "2-1"], 2, b"invalid_option: The range 2-1 goes backwards"),
        (["SMALL", "--pages", "first"], 2, b"invalid_option: 'first' is not a page"),
        (["SMALL", "--languages", "xx"], 2, b"invalid_option: 'xx' is not a language"),
        (["SMALL", "--password-file", "LATIN"], 2, b"invalid_option: The password file is not text in UTF-8"),
        (["SMALL", "--password", "sesame"], 2, b"Write it into a file: --password-file PATH"),
        (["--password", "sesame", "SMALL"], 2, b"Write it into a file: --password-file PATH"),
        (["SMALL", "--pass", "LATIN"], 2, b"unrecognized arguments: --pass"),
        (["SMALL", "--option", "spreadsheet.include_hidden_sheets"], 2, b"Write --option include_hidden_sheets."),
        (["SMALL", "--server", "127.0.0.1:8000"], 2, b"'127.0.0.1:8000' is not the address of a server"),
        (["SMALL", "--server", "http://127.0.0.1:port"], 2, b"is not the address of a server"),
        (["SMALL", "--server", "http://127.0.0.1:9", "--api-key", "kéy"], 2, b"characters that keys never contain"),
        (["SMALL", "--pages", "7"], 3, b"invalid_option: Page 7 was requested, but the document has 1 page."),
        (["SMALL", "--mode", "agentic"], 2, b"mode_not_available"),
        (["SMALL", "--mode", "agentic"], 2, b"load_providers"),
        (["SMALL", "--mode", "balanced"], 2, b"quotas are shared by all processes"),
        (["SMALL", "--mode", "balanced"], 2, b"--server http"),
        (["SMALL", "--format", "docling"], 2, b"--format docling needs a running service"),
        (["SMALL", "--estimate"], 2, b"--estimate needs a running service"),
        (["SMALL", "--max-cost", "0"], 2, b"--max-cost needs a running service"),
        (["SMALL", "--max-cost", "-1", "--server", "http://127.0.0.1:9"], 2, b"'-1' is not a number of dollars"),
        (["SMALL", "--mode", "slow"], 2, b"invalid choice"),
        (["SMALL", "-o", "/nowhere/at/all"], 2, b"invalid_option: The folder /nowhere/at does not exist."),
        (["SMALL", "-o", "/"], 2, b"invalid_option: / is a folder."),
        ([], 2, b"FILE"),
        (["http://127.0.0.1/a.pdf"], 3, b"url_not_allowed"),
        (["http://[::ffff:10.0.0.1]/a.pdf"], 3, b"url_not_allowed"),
        (["http://2130706433/a.pdf"], 3, b"url_not_allowed"),
        (["https://user:password@example.com/a.pdf"], 3, b"url_not_allowed"),
        (["http://8.8.8.8:6379/a.pdf"], 3, b"url_not_allowed: The port 6379"),
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


def test_a_page_that_keeps_its_text_because_ocr_failed_has_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "picture.pdf"
    own = "These words are typeset and long enough to be a text layer of their own."
    path.write_bytes(text_beside_a_picture(own))

    done = parse(path, "--languages", "he", PATH=str(tmp_path))  # without Tesseract nothing reads Hebrew

    assert (done.returncode, done.stdout.decode().strip()) == (0, own)
    assert b"page 1: language_not_installed: " in done.stderr
    assert b"\ntext_layer_only: " in done.stderr


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


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """A folder with two documents, a damaged one, a hidden file and one that is no document."""
    folder = tmp_path / "many"
    (folder / "inner").mkdir(parents=True)
    (folder / "a.txt").write_bytes(b"Hello")
    (folder / "inner" / "b.pdf").write_bytes(small_pdf())
    (folder / "inner" / "c.docx").write_bytes(b"PK\x03\x04 damaged")
    (folder / ".hidden.txt").write_bytes(b"Hidden")
    (folder / "d.bin").write_bytes(bytes(100))
    return folder


def names_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_the_documents_of_a_folder_have_a_result_each(many: Path, tmp_path: Path) -> None:
    result = parse(many, "-o", tmp_path / "results", "-q")

    assert result.returncode == 4, result.stderr
    assert names_in(tmp_path / "results") == ["a.txt.md", "inner/b.pdf.md"]
    assert (tmp_path / "results" / "inner" / "b.pdf.md").read_text() == "Ready\n"
    assert b"inner/c.docx: document_corrupt: " in result.stderr
    assert b"d.bin: unsupported_file_type: " in result.stderr


def test_each_message_about_many_documents_names_its_document(many: Path, tmp_path: Path, small: Path) -> None:
    with pikepdf.open(small) as document:
        document.attachments["inner.txt"] = b"Hello"
        document.save(many / "attached.pdf")
    (many / "inner" / "e.pdf").write_bytes(hostile.encrypted("sesame"))
    results = tmp_path / "results"

    lines = parse(many, "-o", results).stderr.decode().splitlines()

    assert lines[-1] == "3 of 5 documents parsed; failed: inner/c.docx, inner/e.pdf"
    assert "attached.pdf: attached files, not parsed: inner.txt" in lines
    assert f"a.txt: {results / 'a.txt.md'}" in lines
    names = ("a.txt: ", "attached.pdf: ", "d.bin: ", "inner/b.pdf: ", "inner/c.docx: ", "inner/e.pdf: ")
    assert all(line.startswith(names) for line in lines[:-1])
    assert [line.split(": ")[:2] for line in lines if "e.pdf: " in line] == [["inner/e.pdf", "document_encrypted"]]


def test_the_documents_of_an_archive_have_a_result_each(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        archive.writestr("../inner/a.txt", b"Hello")
        archive.writestr("inner/b.pdf", small_pdf())
        archive.writestr("__MACOSX/._b.pdf", b"x")
    result = parse(tmp_path / "many.zip", "-o", tmp_path / "results", "--format", "text", "-q")

    assert result.returncode == 0, result.stderr
    assert names_in(tmp_path / "results") == ["inner/a.txt.txt", "inner/b.pdf.txt"]
    assert b"__MACOSX/._b.pdf: unsupported_file_type: " in result.stderr


def test_documents_with_one_name_have_results_of_their_own(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        archive.writestr("../a.txt", b"First")
        archive.writestr("a.txt", b"Second")
    result = parse(tmp_path / "many.zip", "-o", tmp_path / "results", "-q")

    assert result.returncode == 0
    assert {path.read_text().strip() for path in (tmp_path / "results").iterdir()} == {"First", "Second"}


def test_a_document_that_cannot_be_opened_fails_alone(many: Path, tmp_path: Path) -> None:
    (many / "b.txt").symlink_to("/proc/self/mem")
    result = parse(many, "-o", tmp_path / "results", "-q")

    assert result.returncode == 4
    assert b"b.txt: file_unreadable: " in result.stderr
    assert {"a.txt.md", "inner/b.pdf.md"} <= set(names_in(tmp_path / "results"))


def test_the_tables_of_many_documents_are_workbooks(tmp_path: Path) -> None:
    (tmp_path / "many").mkdir()
    (tmp_path / "many" / "a.csv").write_bytes(b"name,count\noak,2\n")
    result = parse(tmp_path / "many", "-o", tmp_path / "results", "--format", "xlsx", "-q")

    assert (result.returncode, names_in(tmp_path / "results")) == (0, ["a.csv.xlsx"])


def test_a_server_that_is_away_ends_the_work_on_all_documents(many: Path, tmp_path: Path) -> None:
    result = parse(many, "-o", tmp_path / "results", "--server", "http://127.0.0.1:9", "-q")

    assert result.returncode == 5
    assert result.stderr.count(b"server_unavailable") == 1


@pytest.mark.parametrize("results", [".", ".."])
def test_results_do_not_go_into_the_folder_that_is_parsed(many: Path, results: str) -> None:
    result = parse(many, "-o", many / results)

    assert result.returncode == 2
    assert b"The results cannot go into the folder that is parsed" in result.stderr


def test_many_documents_need_a_folder_for_their_results(many: Path) -> None:
    result = parse(many)

    assert (result.returncode, result.stdout) == (2, b"")
    assert b"-o FOLDER" in result.stderr
