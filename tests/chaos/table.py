"""Write the figures of docs/reliability.md from the results of fault tests.

``python -m tests.chaos.table`` takes the new lines of ``results_file()`` into bench/results/reliability.jsonl, which
keeps the last result of each case, and rewrites the tables between the markers of the document.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chaos.results import ROOT, results_file

KEPT_RESULTS = ROOT / "bench" / "results" / "reliability.jsonl"
DOCUMENT = ROOT / "docs" / "reliability.md"
MARKERS = re.compile(r"(<!-- (faults|storms|inputs): generated -->\n).*?(<!-- end -->)", re.DOTALL)


@dataclass(frozen=True)
class FaultRow:
    """A fault: how it is injected, what must hold, and the tests that inject it."""

    number: str
    injected: str
    holds: str
    tests: str = ""


ALL = "all invariants"
RECOVERY = "tests/acceptance/test_recovery.py"
WHOLE = "tests/chaos/test_faults.py"
OUTAGES = "tests/chaos/test_outages.py"
FAULTS = (
    FaultRow("F1", "a process is killed, stopped for three leases, or raises an error at each of 28 failpoints", ALL,
          "tests/chaos/test_failpoints.py"),
    FaultRow("F2", "something is killed every 0.5 to 3 s for 10 minutes, the broker is emptied 20 times", ALL),
    FaultRow("F3", "a pool process is killed while it reads pages", "its pages are read again", RECOVERY),
    FaultRow("F4", "a whole worker is killed", "its pages are read by another worker", WHOLE),
    FaultRow("F5", "the web process is killed at 0 to 100 % of the body of an upload", "nothing or all of it is left",
          "tests/acceptance/test_cut_uploads.py"),
    FaultRow("F8", "the broker is stopped and started", "uploads are accepted, and parsed later", RECOVERY),
    FaultRow("F9", "the broker and the chord counters are emptied", "all jobs end", RECOVERY),
    FaultRow("F10", "the chord counters are emptied with the broker", "the last pages are noticed", RECOVERY),
    FaultRow("F11", "every message is sent ten times more, shuffled", "each page is accepted once", RECOVERY),
    FaultRow("F12", "ten of 1,000 pages kill the process that reads them, each time", "only these pages fail",
          "tests/chaos/test_hostile_inputs.py -k ten"),
    FaultRow("F13", "a worker is frozen for three leases while another finishes its pages", "late results are refused",
          RECOVERY),
    FaultRow("F14", "nothing passes between a worker and the database", "its pages are read elsewhere, none twice",
          OUTAGES),
    FaultRow("F15", "nothing passes between a worker and the broker", "running pages are committed", OUTAGES),
    FaultRow("F16", "a provider takes a request, and its answer never arrives", "the next is asked after the limit",
          "tests/integration/providers/test_half_open.py"),
    FaultRow("F17", "PostgreSQL crashes and restarts under load", "503 meanwhile, all flows continue", OUTAGES),
    FaultRow("F18", "PostgreSQL is frozen for up to a minute", "503 within 2 s", OUTAGES),
    FaultRow("F19", "all connections of PostgreSQL are taken", "503, and recovery without a restart", OUTAGES),
    FaultRow("F20", "two transactions conflict", "ours is tried again", OUTAGES),
    FaultRow("F21", "the disk with the stored bytes is full", "507, no partial file, jobs wait", OUTAGES),
    FaultRow("F22", "the working folder is full, the storage is read-only", "no worker dies", OUTAGES),
    FaultRow("F23", "the disk of the database is full", "503, then all is well", OUTAGES),
    FaultRow("F24", "the clock of a worker jumps by an hour", "no lease is lost early", OUTAGES),
    FaultRow("F25", "the pool of a worker gets no more memory", "no worker dies, recovery after", OUTAGES),
    FaultRow("F26", "a process has no file descriptors left", "errors with codes, recovery after", OUTAGES),
    FaultRow("F27", "workers are stopped with SIGTERM under load", "pages finish or are handed back",
          WHOLE),
    FaultRow("F28", "SIGTERM, then SIGKILL before the worker has stopped", "as F4", WHOLE),
    FaultRow("F41", "8 processes reserve calls of a deployment with a limit of 60 a minute, 200 times each",
          "no minute has more than 60 calls", "tests/integration/providers/quota/test_quota_store.py"),
    FaultRow("F42", "a receiver of webhooks answers 301, 410, 429, 500, nothing, or 1 GB", "the schedule of retries",
          "tests/integration/api/test_webhook_faults.py"),
    FaultRow("F43", "a worker dies between a webhook's request and its record", "the same webhook-id again",
          "tests/chaos/test_failpoints.py -k webhook"),
    FaultRow("F44", "a process dies in the middle of a cancel or a deletion", "nothing is left",
          "tests/chaos/test_failpoints.py -k 'cancel or delete'"),
    FaultRow("F45", "a key is revoked while its job runs", "401 within 5 s, the job ends", WHOLE),
    FaultRow("F46", "workers of the last release run beside this one, then alone", "no message is dropped", WHOLE),
    FaultRow("F48", "LibreOffice hangs, forks and ignores signals", "no process is left, the next conversion works",
             "tests/chaos/test_conversion.py"),
    FaultRow("F49", "all workers of a queue are gone for a while", "jobs wait, then finish", WHOLE),
    FaultRow("F50", "all processes of the embedded service are killed at once", "no accepted job is lost", WHOLE),
)  # fmt: skip


def keep_new_results() -> list[dict[str, Any]]:
    """Return the last result of each case, and write them to ``KEPT_RESULTS``."""
    kept: dict[tuple[str, str, str], dict[str, Any]] = {}
    for path in (KEPT_RESULTS, results_file()):
        for line in path.read_text().splitlines() if path.exists() else ():
            result = json.loads(line)
            kept[result["fault"], result["case"], result["backend"]] = result
    results = sorted(kept.values(), key=lambda result: (_order(result["fault"]), result["case"], result["backend"]))
    KEPT_RESULTS.write_text("".join(json.dumps(result) + "\n" for result in results))
    return results


def _order(fault: str) -> tuple[str, int]:
    return fault[:1], int(re.sub(r"\D", "", fault) or 0)


def faults_table(results: Iterable[dict[str, Any]]) -> str:
    """Return a row for each fault and each set of backends on which it was measured."""
    by_fault: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for result in results:
        by_fault[result["fault"]][result["backend"]].append(result)
    rows = [
        "| fault | injected | must hold | measured on | held | jobs | lost | doubled | recovery p50 / p95 / max |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for fault in FAULTS:
        about = f"| {fault.number} | {fault.injected} | {fault.holds} |"
        if not by_fault[fault.number]:
            state = f"not measured; test: `{fault.tests}`" if fault.tests else "**not run**"
            rows.append(f"{about} {state} | | | | | |")
        rows += [f"{about} {backend} | {_figures(tries)} |" for backend, tries in by_fault[fault.number].items()]
    return "\n".join(rows) + "\n"


def _figures(tries: Sequence[dict[str, Any]]) -> str:
    held = sum(not each["violations"] for each in tries)
    jobs, lost, doubled = (sum(each[name] for each in tries) for name in ("jobs", "lost", "doubled"))
    recovery = _recovery(tries[0])
    if len(tries) > 1 and (seconds := sorted(each["recover_max"] for each in tries if "recover_max" in each)):
        shown = seconds[(len(seconds) - 1) // 2], seconds[-(-len(seconds) * 95 // 100) - 1], seconds[-1]
        recovery = " / ".join(f"{each:.1f}" for each in shown) + " s"
    return f"{held} of {len(tries)} | {jobs} | {lost} | {doubled} | {recovery}"


def _recovery(result: dict[str, Any]) -> str:
    """Return p50, p95 and max of the seconds of one try."""
    if "recover_p50" not in result:
        return "–"
    return " / ".join(f"{result[f'recover_{name}']:.1f}" for name in ("p50", "p95", "max")) + " s"


def storms_table(results: Iterable[dict[str, Any]]) -> str:
    """Return a row for each storm of F2."""
    rows = [
        "| on | lasted | jobs | kills | flushes | lost | doubled | held | time ÷ calm | recovery p50 / p95 / max |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for result in results:
        if result["fault"] == "F2":
            figures = result["figures"]
            held = "yes" if not result["violations"] else "**no**"
            recovery = _recovery(result)
            rows.append(
                f"| {result['backend']} | {result['case']} | {result['jobs']} | {figures['kills']} |"
                f" {figures['flushes']} | {result['lost']} | {result['doubled']} | {held} |"
                f" {figures['makespan_ratio']} | {recovery} |"
            )
    return "\n".join(rows) + "\n" if len(rows) > 2 else "No storm has been measured yet.\n"


def inputs_table(results: Iterable[dict[str, Any]]) -> str:
    """Return a row for each hostile input that was tried."""
    rows = ["| input | case | through | held | figures |", "|---|---|---|---|---|"]
    for result in results:
        if result["fault"].startswith("D"):
            figures = ", ".join(f"{name} {value}" for name, value in result["figures"].items())
            held = "yes" if not result["violations"] else "**no**"
            rows.append(f"| {result['fault']} | {result['case']} | {result['backend']} | {held} | {figures} |")
    return "\n".join(rows) + "\n" if len(rows) > 2 else "No result has been taken in yet.\n"


def write_tables(document: Path, results: Sequence[dict[str, Any]]) -> None:
    tables = {"faults": faults_table(results), "storms": storms_table(results), "inputs": inputs_table(results)}
    text = document.read_text(encoding="utf-8")
    document.write_text(MARKERS.sub(lambda found: found[1] + tables[found[2]] + found[3], text), encoding="utf-8")


if __name__ == "__main__":
    write_tables(DOCUMENT, keep_new_results())
