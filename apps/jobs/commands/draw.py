"""Draw a page of a job's document, or a part of one, for people and clients."""

from __future__ import annotations

from apps.documents import storage
from apps.documents.errors import DocumentNotFound
from apps.jobs.models import ParseJob
from apps.jobs.stages.step_work import password_of, reader_limits
from apps.pages.model.geometry import Box
from apps.pages.sandbox import pool

POINTS_PER_INCH = 72
DRAWING_DPI = 144.0
READERS = 2


def draw_page(*, job: ParseJob, page_number: int, region: Box | None = None) -> bytes:
    """Return the page as displayed, or a ``region`` of it in points, as a JPEG of at most 4 MB.

    Raise DocumentNotFound if the document was deleted, and the errors of ``Reader.picture``.
    """
    if job.document_id is None:
        raise DocumentNotFound
    with storage.local_original(job.document_id) as path, pool.reader_pool(READERS).reader() as reader:
        return reader.picture(
            path,
            page_number,
            dpi=DRAWING_DPI,
            region=region,
            password=password_of(job),
            media_type=job.media_type,
            limits=reader_limits(),
        )
