"""The engine process: receive page images, reply with recognitions. It can be killed at any time.

``ocr_worker.engine`` starts it with exec, a clean environment and one socket. Engines start threads, need gigabytes of
memory and read untrusted pixels, so the process has no broker, no secrets and no network. Before it loads the engines,
it gives up access to all files except the program's. Then it gives up the system calls that the engines do not need,
and changes to another user if it started as root. With engines that start programs it keeps access to all files, and
with engines on a GPU also all system calls (docs/isolation.md).

    python -m ocr_worker.engine_process SOCKET PARENT_PID USER_ID ENGINE...
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import logging
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec
import numpy as np

from apps.pages.model.errors import ParseError
from apps.pages.model.page_images.ocr_image import decode_ocr_image
from apps.pages.model.recognition import encode_recognition
from apps.pages.model.text import languages
from apps.pages.sandbox import confinement
from apps.pages.sandbox.engine_confinement import EngineConfinement, Needs
from ocr_worker.engine import OcrReply, OcrRequest
from ocr_worker.engines.base import OcrEngine
from ocr_worker.errors import OcrFailed
from ocr_worker.language_packs import pack_folder
from ocr_worker.recognition import PageReader, Request
from ocr_worker.sheets import read_sheet

logger = logging.getLogger(__name__)


def main(arguments: list[str]) -> None:
    handle, parent, user_id, *paths = arguments
    confinement.die_with_parent(int(parent))
    connection = Connection(int(handle))
    confines = EngineConfinement(needs_of(paths), readable=readable_files(paths), user_id=int(user_id))
    confines.measure()
    confines.restrict_files()
    reader = load(paths)
    gc.freeze()
    confines.restrict_calls(int(parent))
    connection.send_bytes(" ".join(["ready", *sorted(confines.escapes)]).encode())
    while True:
        try:
            request = msgspec.json.decode(connection.recv_bytes(), type=OcrRequest)
            image = connection.recv_bytes()
        except (EOFError, OSError):
            return
        connection.send_bytes(msgspec.json.encode(_reply(reader, request, image)))


def needs_of(paths: list[str]) -> Needs:
    """Return what these engines need together, see ``engines.base.needs``."""
    found = {getattr(_factory(path), "needs", Needs.NOTHING) for path in paths}
    return next((need for need in (Needs.DEVICES, Needs.PROGRAMS) if need in found), Needs.NOTHING)


def readable_files(paths: list[str]) -> list[Path]:
    """Return what engines read beside Python and its libraries: their own packages, and Tesseract's language packs."""
    names = {"ocr_worker", "parse_project", *(path.partition(".")[0].partition(":")[0] for path in paths)}
    found = [importlib.util.find_spec(name) for name in sorted(names)]
    folders: list[Path] = []
    for spec in found:
        if spec is not None and spec.submodule_search_locations:
            folders += map(Path, spec.submodule_search_locations)
        elif spec is not None and spec.origin:
            folders.append(Path(spec.origin))
    packs = pack_folder()
    return [*folders, packs.resolve()] if packs else folders


def _factory(path: str) -> Callable[[], OcrEngine] | None:
    """Return the function that makes an engine; None if the module cannot be imported."""
    module, _, function = path.partition(":")
    try:
        found: Callable[[], OcrEngine] | None = getattr(importlib.import_module(module), function)
    except ImportError:
        return None
    return found


def load(paths: list[str]) -> PageReader:
    """Load the engines of these dotted paths.

    Leave out an engine whose library is not installed. Raise ImportError if no engine is left.
    """
    import cv2

    cv2.setNumThreads(1)
    engines: list[OcrEngine] = []
    problems: list[Exception] = []
    for path in paths:
        module, _, function = path.partition(":")
        try:
            engines.append(getattr(importlib.import_module(module), function)())
        except ImportError as error:
            logger.warning("The OCR engine %s is left out: %s", path, error)
            problems.append(error)
    if not engines:
        raise problems[0]
    detector = next((found for engine in engines if (found := engine.detector()) is not None), None)
    if detector is None:
        detector = importlib.import_module("ocr_worker.networks.onnx_runtime").detector()
    reader = PageReader(detector, engines)
    reader.recognize(np.full((64, 256), 255, np.uint8), Request(200.0))  # load everything that a first page needs
    return reader


def _reply(reader: PageReader, request: OcrRequest, raw: bytes) -> OcrReply:
    try:
        image = decode_ocr_image(raw)
        pixels = np.frombuffer(image.pixels, np.uint8).reshape(image.height, image.width)
        how = Request(image.dpi, languages.find_all(request.languages), request.high_resolution, request.only_barcodes)
        found = read_sheet(reader, pixels, how, request.parts) if request.parts else reader.recognize(pixels, how)
        return OcrReply(recognition=msgspec.Raw(encode_recognition(found)))
    except ParseError as error:
        return OcrReply(code=error.code, detail=error.detail)
    except Exception:
        logger.exception("A page could not be recognised")
        failed = OcrFailed()
        return OcrReply(code=failed.code, detail=failed.detail)


if __name__ == "__main__":
    main(sys.argv[1:])
