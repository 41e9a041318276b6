"""Rows of uploaded files, of the directories that list them, and of stored bytes to be removed."""

from __future__ import annotations

import uuid

from django.db import models

from apps.accounts.models import Project


def new_document_id() -> str:
    return f"dfl-{uuid.uuid4()}"


class Document(models.Model):
    """An uploaded file. Its bytes are stored under its id (``storage.original``), never under its name.

    ``kept_as_file``: it was uploaded without a job and is kept until a client deletes it. Otherwise it came with a job
    and is deleted with the last job that needs it.
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
    def is_new(self) -> bool:
        """The row is not saved yet."""
        return self._state.adding

    @property
    def extension(self) -> str:
        """The file name extension in lower case without the dot; empty if there is none."""
        stem, dot, ending = self.name.rpartition(".")
        return ending.lower() if stem and dot else ""


def new_directory_id() -> str:
    return f"dir-{uuid.uuid4()}"


def new_directory_file_id() -> str:
    return f"dif-{uuid.uuid4()}"


class Directory(models.Model):
    """A named list of uploaded files. A batch parses all of them."""

    id = models.CharField(primary_key=True, max_length=40, default=new_directory_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="directories")
    name = models.CharField(max_length=255)
    description = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["project", "-created_at", "id"], name="directory_newest")]
        verbose_name_plural = "directories"

    def __str__(self) -> str:
        return f"{self.name} ({self.id})"


class DirectoryFile(models.Model):
    """An uploaded file in a directory. It is gone when the file is deleted."""

    id = models.CharField(primary_key=True, max_length=40, default=new_directory_file_id, editable=False)
    directory = models.ForeignKey(Directory, on_delete=models.CASCADE, related_name="files")
    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="+")
    display_name = models.CharField(max_length=255)
    unique_id = models.CharField(max_length=255)
    metadata = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["directory", "unique_id"], name="one_file_per_unique_id")]

    def __str__(self) -> str:
        return f"{self.display_name} ({self.id})"


class Removal(models.Model):
    """Bytes to be removed: recorded in the transaction that deletes their rows, deleted when the bytes are removed.

    The bytes of an upload are recorded before they are written, and the transaction that creates their row deletes the
    record. So a process that dies in between leaves no bytes for ever.

    ``key`` is a file or a folder in storage. It is removed at ``due_at``, and again at ``written_until``: until then a
    worker that has not noticed the deletion may still write there.
    """

    key = models.CharField(primary_key=True, max_length=120)
    noted_at = models.DateTimeField()
    due_at = models.DateTimeField(db_index=True)
    written_until = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.key
