"""Compare the times of a 404 for an id of another project and for an unknown id.

    python -m bench.foreign_ids [SAMPLES]

One web process on the embedded backends. Both kinds of ids are asked for by turns, over one connection; each answer is
404 with the same body but for the request id.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
import uuid
from contextlib import ExitStack
from pathlib import Path

import httpx

from bench.figures import Figure, report
from tests.acceptance.backends import embedded_backends
from tests.acceptance.running_service import RunningService
from tests.documents.long import long_document

SAMPLES = 1000
TARGET_MS = 5.0


def main(arguments: list[str]) -> None:
    samples = int(arguments[0]) if arguments else SAMPLES
    figures: list[Figure] = []
    with ExitStack() as cleanup:
        folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="leafmill-bench-")))
        (folder / "service").mkdir()
        service = RunningService(cleanup.enter_context(embedded_backends(folder)), folder / "service")
        cleanup.callback(service.stop)
        service.prepare()
        service.start_web()
        stranger = service.manage("create_api_key", "stranger", "--project", "other").split()[-1]
        with service.client() as owner:
            file_id = owner.post("/api/v1/beta/files", files={"file": ("a.pdf", long_document(1))}).json()["id"]
            document = folder / "a.pdf"
            document.write_bytes(long_document(1))
            job_id = service.upload(document)
            assert owner.get(f"/api/v2/parse/{job_id}").status_code == 200
            assert owner.get(f"/api/v1/beta/files/{file_id}").status_code == 200
        client = cleanup.enter_context(
            httpx.Client(base_url=service.url, headers={"Authorization": f"Bearer {stranger}"}, verify=False)
        )
        for name, method, address, known in (
            ("a job", "GET", "/api/v2/parse/{}", job_id),
            ("a job to delete", "DELETE", "/api/v2/parse/{}", job_id),
            ("a file", "GET", "/api/v1/beta/files/{}", file_id),
            ("a file to delete", "DELETE", "/api/v1/beta/files/{}", file_id),
        ):
            unknown = known[: known.index("-") + 1] + str(uuid.uuid4())
            foreign, missing = by_turns(client, method, [address.format(each) for each in (known, unknown)], samples)
            medians = statistics.median(foreign), statistics.median(missing)
            figures += [
                Figure(f"{name}: id of another project, median", medians[0], "ms"),
                Figure(f"{name}: unknown id, median", medians[1], "ms"),
                Figure(f"{name}: difference of the medians", abs(medians[0] - medians[1]), "ms", TARGET_MS),
                Figure(f"{name}: ratio of the medians", medians[0] / medians[1], "x"),
            ]
    report("foreign_ids", figures)


def by_turns(client: httpx.Client, method: str, addresses: list[str], samples: int) -> list[list[float]]:
    """Return the milliseconds of the requests to each address. The first of each pair is chosen by chance."""
    taken: list[list[float]] = [[] for _ in addresses]
    bodies: set[str] = set()
    for sample in range(samples + 20):
        order = list(range(len(addresses)))
        random.shuffle(order)
        for place in order:
            started = time.perf_counter()
            response = client.request(method, addresses[place])
            seconds = time.perf_counter() - started
            assert response.status_code == 404, response.text
            body = response.json()
            bodies.add(str({name: value for name, value in body.items() if name not in ("request_id", "instance")}))
            if sample >= 20:  # the first requests import what they need
                taken[place].append(seconds * 1000)
    assert len(bodies) == 1, bodies
    return taken


if __name__ == "__main__":
    main(sys.argv[1:])
