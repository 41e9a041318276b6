"""``manage.py extract``: a running service extracts values from a document by a JSON schema. It needs no Django."""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from apps.cli.command_line import run_reporting, write_output
from apps.cli.documents import local_document
from apps.cli.exit_codes import OK, PARTIAL
from apps.cli.options import UsageError, check_server
from apps.cli.progress import Progress, write_line

_JOB_ID = re.compile(r"(?:pjb|ext|cls|spl)-[0-9a-f-]{36}")
_ADDRESS = "/api/v2/extract"


def main(arguments: Sequence[str]) -> int:
    """Run the command with ``arguments`` (without the program's name) and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="manage.py extract",
        description="Let a running service extract values by a JSON schema. Print them as JSON.",
    )
    add_arguments(parser)
    return run(parser.parse_args(arguments))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="FILE|URL|JOB", help="a document, or the id of a finished parse job")
    parser.add_argument("--schema", required=True, metavar="PATH", help="a file with the JSON schema of the values")
    parser.add_argument("--per-page", action="store_true", help="extract each page by itself")
    parser.add_argument(
        "--parse-tier",
        choices=("fast", "cost_effective", "agentic", "agentic_plus"),
        help="how the document is parsed before (default: fast)",
    )
    parser.add_argument("--pages", metavar="PAGES", help="pages from 1 and ranges of them: 1,3-5")
    parser.add_argument("--prompt", metavar="TEXT", help="instructions to the model")
    parser.add_argument("--citations", action="store_true", help="print the place of each value, too")
    parser.add_argument("-o", "--output", metavar="PATH", help="write to a file instead of standard output")
    parser.add_argument(
        "--server", default="http://127.0.0.1:8000", metavar="URL", help="the service (default: %(default)s)"
    )
    parser.add_argument("--api-key", metavar="KEY", help="API key of the service; better use LEAFMILL_API_KEY")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress")


def run(options: argparse.Namespace) -> int:
    """Extract, and turn every failure into one line on standard error and an exit code."""
    return run_reporting(lambda: extract(options))


def extract(options: argparse.Namespace) -> int:
    """Extract, write the values, and return OK or PARTIAL. Raise UsageError, ParseError or OSError."""
    from apps.cli.remote import content, get, service

    check_server(options)
    try:
        schema = json.loads(Path(options.schema).read_bytes())
    except ValueError as error:
        raise UsageError(
            "invalid_schema", f"{options.schema} is not valid JSON: {error}. Correct the schema."
        ) from None
    configuration = {
        "data_schema": schema,
        "extraction_target": "per_page" if options.per_page else "per_doc",
        "parse_tier": options.parse_tier,
        "target_pages": options.pages,
        "system_prompt": options.prompt,
        "cite_sources": True,
    }
    with service(options) as http:
        file_input = options.source if _JOB_ID.fullmatch(options.source) else _uploaded(http, options.source)
        body = {"file_input": file_input, "configuration": configuration}
        job = _ended(http, content(http.post(_ADDRESS, json=body))["id"], Progress(quiet=options.quiet))
        job = content(get(http, f"{_ADDRESS}/{job['id']}", expand="extract_metadata"))
    for warning in job.get("warnings") or ():
        write_line(f"{warning['code']}: {warning['detail']}")
    values = job["extract_result"]
    if options.citations:
        found = (job.get("extract_metadata") or {}).get("field_metadata") or {}
        citations = found.get("page_metadata") if options.per_page else found.get("document_metadata")
        values = {"result": values, "citations": citations, "page_numbers": job.get("page_numbers")}
    text = json.dumps(values, ensure_ascii=False, indent=2) + "\n"
    write_output(options.output, lambda out: out.write(text.encode()))
    return PARTIAL if job["state"] == "partial" else OK


def _uploaded(http: Any, source: str) -> str:
    """Upload the document and return the id of the file."""
    from apps.cli.remote import content

    with tempfile.TemporaryDirectory(prefix="leafmill-") as folder:
        path = local_document(source, Path(folder))
        with path.open("rb") as document:
            files = {"file": (path.name, document, "application/octet-stream")}
            return str(content(http.post("/api/v1/beta/files", data={"purpose": "extract"}, files=files))["id"])


def _ended(http: Any, job_id: str, progress: Progress) -> dict[str, Any]:
    """Wait for the end of the job and return it. Raise RefusedByServer unless it is completed."""
    from apps.cli.remote import FIRST_WAIT_SECONDS, MAX_WAIT_SECONDS, content, get, refusal

    wait_seconds = FIRST_WAIT_SECONDS
    while True:
        job = content(get(http, f"{_ADDRESS}/{job_id}"))
        if job["status"] == "COMPLETED":
            progress.clear()
            return job
        if job["status"] in ("FAILED", "CANCELLED"):
            progress.clear()
            raise refusal(job.get("error") or {}, str(job.get("error_message") or "The job failed on the server."))
        progress.show(lambda: "extracting")
        time.sleep(wait_seconds)
        wait_seconds = min(wait_seconds * 1.5, MAX_WAIT_SECONDS)
