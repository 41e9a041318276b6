"""Store the files inside a document as documents of their own, for a batch."""

from __future__ import annotations

import time
from dataclasses import dataclass

from apps.accounts.models import Project
from apps.documents import services as documents
from apps.documents import storage
from apps.documents.models import Document
from apps.jobs.commands.batches import MAX_BATCH_FILES, BatchFile
from apps.jobs.errors import InvalidOption
from apps.jobs.stages.step_work import reader_limits
from apps.pages.model.document_facts import ContainedFile
from apps.pages.model.errors import ArchiveTooLarge, Stopped, UnsupportedDocument
from apps.pages.sandbox import pool

MAX_UNPACKING_SECONDS = 120.0


@dataclass(frozen=True)
class Unpacked:
    """``files``: documents without rows, as ``store_bytes`` returns them. ``skipped``: files that have no document."""

    files: list[BatchFile]
    skipped: list[ContainedFile]


def unpack(*, project: Project, document: Document) -> Unpacked:
    """Store the files of an archive, or those inside a message, a PDF or another document.

    Raise DocumentError, and InvalidOption if there are more than ``MAX_BATCH_FILES``. What was stored until then is
    removed an hour later, as all documents without a row are.
    """
    until = time.monotonic() + MAX_UNPACKING_SECONDS

    def is_late() -> bool:
        return time.monotonic() > until

    unpacked = Unpacked([], [])
    try:
        with (
            storage.local_original(document.pk) as path,
            pool.reader_pool(1, purpose="unpack").reader(should_stop=is_late) as reader,
        ):
            for file, content in reader.contained_files(path, limits=reader_limits(), should_stop=is_late):
                if file.code:
                    unpacked.skipped.append(file)
                    continue
                if len(unpacked.files) == MAX_BATCH_FILES:
                    detail = f"The file has more than {MAX_BATCH_FILES:,} documents inside. Divide it."
                    raise InvalidOption(detail, location=("body", "source_file_id"), value=document.pk)
                stored = documents.store_bytes(project=project, name=file.name, content=content)
                unpacked.files.append(BatchFile(stored.pk, stored, file.name))
    except Stopped as stopped:
        detail = f"Unpacking took more than {MAX_UNPACKING_SECONDS:.0f} seconds. Send its files one by one."
        raise ArchiveTooLarge(detail) from stopped
    if not unpacked.files:
        reasons = ", ".join(sorted({file.code for file in unpacked.skipped})) or "it has no files inside"
        raise UnsupportedDocument(
            f"Nothing inside this file can be parsed: {reasons}. Send it to the parse call instead."
        )
    return unpacked
