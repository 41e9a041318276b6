"""Checks of this machine: programs, keys, user."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

from django.conf import settings

from apps.core.weak_settings import NEW_KEY_COMMAND, weakness_of_key
from apps.doctor.finding import Finding, failed, manage, not_checked, ok, python, warning
from apps.pages.conversion.converter import AUTO, OFF, PACKAGES, find_program
from apps.pages.model.errors import UnplannedError
from apps.pages.pdf.pdfium_library import pdfium
from apps.pages.sandbox.client import Reader
from apps.pages.sandbox.process import not_confined
from ocr_worker import language_packs
from parse_project import env

MIN_PASSWORD_LENGTH = 8
GPU_SECONDS = 1.8
NO_GPU = "OCR runs on CPUs here."
NEW_KEY = (
    "set SECRET_KEY of all processes to the output of this command, then enter the providers' keys again unless "
    f"LEAFMILL_SEALING_KEYS sealed them: {NEW_KEY_COMMAND}"
)
INSTALL_TESSERACT = "sudo apt-get install tesseract-ocr tesseract-ocr-deu"


def tesseract() -> Finding:
    name = "Tesseract"
    folder = language_packs.find_folder()
    if folder is None:
        sentence = "No language pack is installed here: only the scripts of the other engines can be read."
        return warning(name, sentence, INSTALL_TESSERACT)
    found = sorted(language_packs.packs_in(folder))
    return ok(name, f"{len(found)} language packs in {folder}: {', '.join(found)}.")


def pdf_library() -> Finding:
    """Check that the library that reads PDFs loads and passes its self-check."""
    name = "PDF library"
    install = f"{python()} -m pip install --require-hashes -r requirements.txt"
    try:
        library = pdfium()
    except OSError as error:
        return failed(name, f"No PDF can be read. {error}.", install)
    if not library.has_batch:
        sentence = (
            f"PDFs are read with {library.path}, many times slower than with the library of the liteparse package."
        )
        return warning(name, sentence, install)
    return ok(name, f"PDFs are read with {library.path}.")


def confinement() -> Finding:
    """Start a reader as a worker does, and let it measure what its children could do."""
    name = "confinement"
    with Reader() as reader:
        try:
            found = reader.escapes()
        except UnplannedError as error:
            return failed(name, error.detail, manage("parse --help"))
    if not found:
        return ok(name, "A document that takes over its reader reaches nothing but its own result.")
    mend = "run workers on Linux 5.13 or newer with Landlock, in containers that permit Landlock and seccomp"
    return (failed if env.is_confinement_required() else warning)(name, not_confined(found), mend)


def converter() -> Finding:
    """Check whether documents of older programs can be converted."""
    name, setting = "converter", str(settings.CONVERTER)
    program = find_program(setting)
    if program is not None:
        return ok(name, f"Documents of older programs are converted by {program}.")
    if setting == OFF:
        return ok(name, "Documents of older programs (doc, ppt ...) are refused, because CONVERTER=off.")
    if setting != AUTO:
        return ok(name, f"Workers of the queue convert have LibreOffice at {setting}; this machine has none.")
    sentence = "LibreOffice is not on this machine: documents of older programs (doc, ppt) need a worker of convert."
    return warning(name, sentence, f"sudo apt-get install {PACKAGES}")


def gpu() -> Finding:
    name = "GPU"
    program = shutil.which("nvidia-smi")
    if program is None:
        return ok(name, f"There is no nvidia-smi on this machine. {NO_GPU}")
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
        return ok(name, f"nvidia-smi finds no GPU. {NO_GPU}")
    return ok(name, f"{'; '.join(seen)}.")


def secret_key() -> Finding:
    name, key = "SECRET_KEY", str(settings.SECRET_KEY)
    kept = Path(settings.DATA_DIR) / "secret_key"
    if weakness := weakness_of_key(key):
        sentence = f"{weakness.capitalize()}: signed links and sealed secrets are not safe."
        return failed(name, sentence, NEW_KEY)
    if not kept.exists() and not settings.HAS_CONFIGURED_KEY:
        return not_checked(name, "There is none yet; the first start creates it.")
    if not kept.exists() or kept.read_text(encoding="ascii").strip() != key:
        return ok(name, "It is set.")
    if _others_can_read(kept):
        return warning(name, f"Other users can read {kept}.", f"chmod 600 {kept}")
    if not str(settings.DATABASE_URL).startswith("sqlite"):
        sentence = f"It was created in {kept}; all processes of an installation need the same key."
        return warning(name, sentence, f"keep this key: set SECRET_KEY_FILE of all processes to a copy of {kept}")
    return ok(name, f"It was created at the first start and is stored in {kept}.")


def flower_password() -> Finding:
    name, path = "Flower's password", Path(settings.DATA_DIR) / "flower_password"
    if not path.exists():
        return not_checked(name, "make run has not started Flower here.")
    if len(path.read_text(encoding="ascii").strip()) < MIN_PASSWORD_LENGTH:
        return failed(name, f"It is shorter than {MIN_PASSWORD_LENGTH} characters.", f"rm {path}; make run")
    if _others_can_read(path):
        return warning(name, f"Other users can read {path}.", f"chmod 600 {path}")
    return ok(name, f"It is stored in {path}.")


def _others_can_read(path: Path) -> bool:
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
