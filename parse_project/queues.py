"""The table of queues: pool, width, and how many messages of one job or project may be in it at once."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Queue:
    """A queue and its limits.

    A window is the maximum number of dispatched, unfinished messages. It holds a few seconds of work, so that no job
    waits behind the backlog of another. ``page_parser`` is set on queues whose work waits for models; their width is
    in calls, not in cores.
    """

    name: str
    pool: str
    width: int
    window_per_job: int
    window_per_project: int
    page_parser: str = ""


def queue_table(
    *,
    parse_processes: int,
    convert_processes: int,
    ocr_processes: int,
    ocr_per_document: int,
    window_per_job: int,
    window_per_project: int,
    model_widths: dict[str, int],
) -> dict[str, Queue]:
    queues = [
        Queue("parse_raw_file_job", "prefork", parse_processes, 1, window_per_project),
        Queue("parse_raw_file_job_pages", "prefork", parse_processes, window_per_job, window_per_project),
        Queue("convert", "prefork", convert_processes, 1, window_per_project),
        Queue("ocr_cpu", "prefork", ocr_processes, ocr_per_document, window_per_project),
        Queue("ocr_gpu", "threads", ocr_processes, ocr_per_document, window_per_project),
        *(
            # More is sent when half of a window is open. The other half is more than the calls that one worker has in
            # flight and the pages that it has prepared, so that it never waits for the next messages.
            Queue(name, "threads", width, 3 * width, 6 * width, page_parser=name)
            for name, width in model_widths.items()
        ),
        Queue("housekeeping", "threads", 4, window_per_job, window_per_project),
    ]
    return {queue.name: queue for queue in queues}
