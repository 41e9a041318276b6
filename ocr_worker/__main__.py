"""``python -m ocr_worker QUEUE...``: start a worker for ``ocr_cpu`` or ``ocr_gpu``, as wide as OCR_WORKER."""

from __future__ import annotations

import sys

from ocr_worker.settings import BadSetting, broker_url, settings
from parse_project import env

QUEUES = ("ocr_cpu", "ocr_gpu")


def main(queues: list[str]) -> int:
    if not queues or set(queues) - set(QUEUES):
        print(f"Name the queues: python -m ocr_worker {' | '.join(QUEUES)}", file=sys.stderr)  # noqa: T201
        return 2
    # CUDA does not survive a fork.
    pool = "threads" if "ocr_gpu" in queues else "prefork"
    try:
        width = settings().processes
        broker_url()
    except BadSetting as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    from ocr_worker.celery import app

    app.worker_main(
        [
            "worker",
            f"--queues={','.join(queues)}",
            f"--pool={pool}",
            f"--concurrency={width}",
            f"--hostname={queues[0]}@%h",
            f"--loglevel={env.log_level()}",
            "--task-events",
            "--without-gossip",
            "--without-mingle",
        ]
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
