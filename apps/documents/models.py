"""Documents: uploaded files as the database knows them."""

from __future__ import annotations

import uuid

from django.db import models

from apps.accounts.models import Project


def new_document_id() -> str:
    return f"dfl-{uuid.uuid4()}"


class Document(models.Model):
    """An uploaded file. Its bytes lie in storage under its id (``storage.original``), never under its name."""

    id = models.CharField(primary_key=True, max_length=40, default=new_document_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="documents")
    name = models.CharField(max_length=255)
    sha256 = models.CharField(max_length=64)
    size_bytes = models.BigIntegerField()
    purpose = models.CharField(max_length=20, default="parse")
    external_file_id = models.CharField(max_length=255, blank=True)
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
