"""Documents: uploaded files as the database knows them."""

from __future__ import annotations

import uuid

from django.db import models

from apps.accounts.models import Project


def new_document_id() -> str:
    return f"dfl-{uuid.uuid4()}"


class Document(models.Model):
    """An uploaded file. Its bytes lie in storage under its id (``storage.original``), never under its name.

    ``kept_as_file``: it was uploaded by itself and stays until somebody deletes it. Otherwise it came with a job and
    goes with the last job that needs it.
    """

    id = models.CharField(primary_key=True, max_length=40, default=new_document_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="documents")
    name = models.CharField(max_length=255)
    sha256 = models.CharField(max_length=64)
    size_bytes = models.BigIntegerField()
    purpose = models.CharField(max_length=20, default="parse")
    external_file_id = models.CharField(max_length=255, blank=True)
    kept_as_file = models.BooleanField(default=True, db_default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [
            models.Index(fields=["project", "-created_at", "id"], name="document_newest"),
            models.Index(fields=["-created_at"], name="document_newest_of_all"),
            models.Index(fields=["project", "external_file_id"], name="document_external"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.id})"

    @property
    def extension(self) -> str:
        """The name's ending in lower case without the dot; empty when there is none."""
        stem, dot, ending = self.name.rpartition(".")
        return ending.lower() if stem and dot else ""


class Removal(models.Model):
    """Bytes whose rows are gone: noted in the transaction that took the rows away, forgotten when the bytes are gone.

    ``key`` is a file or a folder in storage. It is due at ``due_at``, and once more at ``written_until``: so long may
    a worker that does not know yet go on writing there.
    """

    key = models.CharField(primary_key=True, max_length=120)
    noted_at = models.DateTimeField()
    due_at = models.DateTimeField(db_index=True)
    written_until = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.key
