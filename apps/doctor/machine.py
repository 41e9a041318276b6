"""The doctor's checks of this machine (programs, disk, keys) and of the model providers."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError

from apps.doctor.finding import Finding, failed, manage, not_checked, ok, warning
from apps.doctor.shared_parts import refuse_missing_database, storage_options
from apps.providers.checking import check_deployment
from apps.providers.models import Deployment
from ocr_worker import language_packs
from parse_project import env

GIGABYTE = 1024**3
DISK_WARNING_BYTES, DISK_FAILED_BYTES = 5 * GIGABYTE, GIGABYTE // 2
MIN_KEY_LENGTH, MIN_PASSWORD_LENGTH = 32, 8
GPU_SECONDS = 1.8
WELL_KNOWN_KEYS = ("secret", "changeme", "change-me", "django-insecure", "password", "insecure", "default")
NEW_KEY = (
    "set SECRET_KEY of all processes to what this prints, then enter providers' keys anew, which the old one sealed: "
    'python3 -c "import secrets; print(secrets.token_urlsafe(48))"'
)
INSTALL_TESSERACT = "sudo apt-get install tesseract-ocr tesseract-ocr-deu"
LOAD_PROVIDERS = manage("load_providers FILE")


def tesseract() -> Finding:
    name = "Tesseract"
    folder = language_packs.find_folder()
    if folder is None:
        sentence = "No language pack is installed here: only scripts that the other engines know are read."
        return warning(name, sentence, INSTALL_TESSERACT)
    found = sorted(language_packs.packs_in(folder))
    return ok(name, f"{len(found)} language packs in {folder}: {', '.join(found)}.")


def office() -> Finding:
    program = shutil.which("soffice") or shutil.which("libreoffice")
    found = f"LibreOffice is at {program}" if program else "LibreOffice is not installed"
    return not_checked("office files", f"Office files are not taken yet. {found}.")


def gpu() -> Finding:
    name = "GPU"
    program = shutil.which("nvidia-smi")
    if program is None:
        return _no_gpu(name, "None is seen on this machine: there is no nvidia-smi.")
    try:
        done = subprocess.run(
            [program, "--query-gpu=name,memory.total", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=GPU_SECONDS,
            check=False,
        )
    except (subprocess.TimeoutExpired, OSError) as error:
        return warning(name, f"nvidia-smi does not answer: {type(error).__name__}.", "nvidia-smi")
    seen = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    if done.returncode or not seen:
        return _no_gpu(name, "nvidia-smi is here and sees no GPU.")
    return ok(name, f"{'; '.join(seen)}.")


def _no_gpu(name: str, sentence: str) -> Finding:
    return ok(name, f"{sentence} OCR runs on CPUs here.")


def disk() -> list[Finding]:
    """Check the free space for data, stored files and temporary files."""
    folders = {"disk of the data folder": Path(settings.DATA_DIR)}
    options = storage_options()
    if "bucket_name" not in options and "location" in options:
        folders["disk of the storage folder"] = Path(options["location"])
    folders["disk of the temporary folder"] = Path(tempfile.gettempdir())
    return [_left(name, folder) for name, folder in folders.items()]


def _left(name: str, folder: Path) -> Finding:
    there = next((each for each in (folder, *folder.parents) if each.exists()), Path("/"))
    return disk_finding(name, folder, free=shutil.disk_usage(there).free)


def disk_finding(name: str, folder: Path, *, free: int) -> Finding:
    told = f"{free / GIGABYTE:,.1f} GB are left in {folder}."
    if free < DISK_FAILED_BYTES:
        return failed(name, told, f"df -h {folder}")
    if free < DISK_WARNING_BYTES:
        return warning(name, told, f"df -h {folder}")
    return ok(name, told)


def secret_key() -> Finding:
    name, key = "SECRET_KEY", str(settings.SECRET_KEY)
    kept = Path(settings.DATA_DIR) / "secret_key"
    if key.lower().startswith(WELL_KNOWN_KEYS):
        return failed(name, "It is one that everybody knows: links and sealed passwords are not safe.", NEW_KEY)
    if len(key) < MIN_KEY_LENGTH:
        return failed(name, f"It has {len(key)} characters; less than {MIN_KEY_LENGTH} can be guessed.", NEW_KEY)
    if not kept.exists() and not settings.HAS_CONFIGURED_KEY:
        return not_checked(name, "There is none yet; the first start makes it.")
    if not kept.exists() or kept.read_text(encoding="ascii").strip() != key:
        return ok(name, "It is set.")
    if _others_may_read(kept):
        return warning(name, f"Others may read {kept}.", f"chmod 600 {kept}")
    if not str(settings.DATABASE_URL).startswith("sqlite"):
        sentence = f"It is the one made in {kept}; all processes of an installation need the same."
        return warning(name, sentence, f"keep this key: set SECRET_KEY_FILE of all processes to a copy of {kept}")
    return ok(name, f"It was made at the first start and is kept in {kept}.")


def flower_password() -> Finding:
    name, path = "Flower's password", Path(settings.DATA_DIR) / "flower_password"
    if not path.exists():
        return not_checked(name, "make run has not started Flower here.")
    if len(path.read_text(encoding="ascii").strip()) < MIN_PASSWORD_LENGTH:
        return failed(name, f"It is shorter than {MIN_PASSWORD_LENGTH} characters.", f"rm {path}; make run")
    if _others_may_read(path):
        return warning(name, f"Others may read {path}.", f"chmod 600 {path}")
    return ok(name, f"It is set, in {path}.")


def _others_may_read(path: Path) -> bool:
    return bool(path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))


def user() -> Finding:
    """Check which user the reader processes run as."""
    name = "user"
    if os.geteuid():
        return ok(name, "This is not root.")
    reader = env.reader_user()
    if reader in ("0", "root"):
        sentence = "Documents are read as root (LEAFMILL_READER_USER)."
        return warning(name, sentence, "unset LEAFMILL_READER_USER")
    return ok(name, f"This is root; documents are read as {reader}.")


# --- providers ---


def providers(*, call: bool) -> list[Callable[[], Finding]]:
    """Return a check for each deployment; with ``call`` it sends a small request, which costs money."""
    try:
        refuse_missing_database()
        rows = list(Deployment.objects.select_related("provider").order_by("order", "pk"))
    except DatabaseError:
        return [lambda: not_checked("providers", "The database does not answer.")]
    if not rows:
        return [lambda: ok("providers", f"None is loaded, so there is fast mode only. To load some: {LOAD_PROVIDERS}")]

    def look(row: Deployment) -> Finding:
        checked = check_deployment(row, call=call)
        name, detail = f"deployment {row.name}", checked.detail[:1].upper() + checked.detail[1:].rstrip(".") + "."
        price = "" if row.has_price else " Its price is not set: what it costs is unknown, and max_cost cannot be kept."
        if checked.works is None:
            asks = "" if call else " With --providers it is asked a small question."
            return not_checked(name, detail + asks + price)
        seconds = f" ({checked.seconds:.1f} s)" if checked.seconds is not None else ""
        if checked.works:
            return ok(name, f"It answers{seconds}.{price}")
        return failed(name, detail, manage("check_providers"))

    return [lambda row=row: look(row) for row in rows]  # type: ignore[misc]


PARTS: Sequence[tuple[str, Callable[[], Finding | list[Finding]]]] = (
    ("Tesseract", tesseract),
    ("office files", office),
    ("GPU", gpu),
    ("disk", disk),
    ("SECRET_KEY", secret_key),
    ("Flower's password", flower_password),
    ("user", user),
)
