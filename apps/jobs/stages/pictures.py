"""Pictures of a job's document for people and programs, rendered in the sandbox on demand."""

from __future__ import annotations

from apps.documents import storage
from apps.jobs.models import ParseJob
from apps.jobs.stages.step_work import local_document, password_of, reader_limits
from apps.pages.model.blocks import EmbeddedImage, Page
from apps.pages.model.geometry import NO_BOX, Box
from apps.pages.model.media_types import PDF
from apps.parsing.page_pictures import DocumentPictures


def rendered_picture(
    job: ParseJob,
    number: int,
    width: float,
    height: float,
    box: Box | None,
    embedded: EmbeddedImage | None = None,
) -> bytes:
    """Return a page, or the part of it in ``box``, as a JPEG. Raise PageError, DocumentGone if the file was deleted.

    ``width`` and ``height`` of the page and ``box`` are in points, of the page as displayed. ``embedded``: the image
    file inside an office document to return instead. Slides are shown as they were printed, and a whole page of another
    office document is one of its print.
    """
    page = Page(number, width, height)
    is_printed = embedded is None and (job.has_printed_slides or (job.print_has_other_pages and box is None))
    with printed_pictures(job) if is_printed else document_pictures(job) as pictures:
        if embedded is not None:
            return pictures.picture(page, NO_BOX, embedded)
        return pictures.page(page) if box is None else pictures.region(page, box)


def printed_pictures(job: ParseJob) -> DocumentPictures:
    """Return the pictures of the job's office document as it was printed. Close it."""
    return DocumentPictures(
        job.document_id,
        password=None,  # the printed document has none
        media_type=PDF,
        limits=reader_limits(),
        should_stop=lambda: False,
        open_document=lambda _document_id: storage.local_file(job.printed_key),
    )


def document_pictures(job: ParseJob) -> DocumentPictures:
    """Return the pictures of the job's document, which is opened when the first is rendered. Close it."""
    return DocumentPictures(
        job.document_id,
        password=password_of(job),
        media_type=job.read_type,
        limits=reader_limits(),
        should_stop=lambda: False,
        open_document=lambda _document_id: local_document(job),
    )
