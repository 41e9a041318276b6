"""Checks of stored files: storage can be written, expired files are removed in time, disks have space."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError

from apps.doctor.checks.database import NO_DATABASE, refuse_missing_database
from apps.doctor.finding import Finding, failed, first_line, manage, not_checked, ok, warning
from apps.documents import storage
from apps.jobs import queries

GIGABYTE = 1024**3
DISK_WARNING_BYTES, DISK_FAILED_BYTES = 5 * GIGABYTE, GIGABYTE // 2
RETENTION_WARNING_SECONDS = 24 * 3600.0


def file_storage() -> Finding:
    """Write, read and delete a small file."""
    name, options = "storage", storage_options()
    folder, bucket = options.get("location"), options.get("bucket_name")
    where = str(bucket or folder or "storage")
    key, content = storage.probe(secrets.token_hex(8)), os.urandom(64)
    try:
        if folder and not bucket and not Path(folder).exists():
            return not_checked(name, f"{where} does not exist yet; the first document creates it.")
        storage.write(key, content)
        try:
            same = storage.read(key) == content
        finally:
            storage.delete(key)
    except Exception as error:  # each kind of storage has its own errors
        reason = getattr(error, "strerror", None) or first_line(error)
        return failed(name, f"{where} cannot be used: {reason}.", f"make it writable: {where}, or check STORAGE_URL")
    if not same:
        return failed(name, f"{where} returns other bytes than were written.", "check STORAGE_URL")
    return ok(name, f"{where}: written, read, removed.")


def storage_options() -> dict[str, Any]:
    """Return the storage's options: ``location`` of a folder, ``bucket_name`` and more of an object store."""
    default: Any = settings.STORAGES["default"]
    return dict(default.get("OPTIONS", {}))


def retention() -> Finding:
    """Check that housekeeping removes jobs and files in time."""
    name = "retention"
    try:
        refuse_missing_database()
        seconds = queries.overdue_seconds()
    except DatabaseError:
        return not_checked(name, NO_DATABASE)
    if seconds > RETENTION_WARNING_SECONDS:
        sentence = f"Expired jobs or files have not been removed for {seconds / 86400:,.1f} days."
        return warning(name, sentence, manage("cleanup"))
    return ok(name, "Expired jobs and files are removed in time.")


def disk() -> list[Finding]:
    """Check the free space for data, stored files and temporary files."""
    folders = {"disk of the data folder": Path(settings.DATA_DIR)}
    options = storage_options()
    if "bucket_name" not in options and "location" in options:
        folders["disk of the storage folder"] = Path(options["location"])
    folders["disk of the temporary folder"] = Path(tempfile.gettempdir())
    findings = []
    for name, folder in folders.items():
        existing = next((each for each in (folder, *folder.parents) if each.exists()), Path("/"))
        findings.append(disk_finding(name, folder, free=shutil.disk_usage(existing).free))
    return findings


def disk_finding(name: str, folder: Path, *, free: int) -> Finding:
    sentence = f"{free / GIGABYTE:,.1f} GB are free in {folder}."
    if free < DISK_FAILED_BYTES:
        return failed(name, sentence, f"df -h {folder}")
    if free < DISK_WARNING_BYTES:
        return warning(name, sentence, f"df -h {folder}")
    return ok(name, sentence)
