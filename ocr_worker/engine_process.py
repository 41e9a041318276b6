"""The engine process: receive page images, reply with recognitions. It can be killed at any time.

``ocr_worker.engine`` starts it with exec, a clean environment and one socket. Engines load threads and gigabytes and
read untrusted pixels, so the process has nothing else: no broker, no secrets and no network. If it started as root, it
changes to another user after loading the engines.

    python -m ocr_worker.engine_process SOCKET PARENT_PID USER_ID ENGINE...
"""

from __future__ import annotations

import gc
import importlib
import logging
import sys
from multiprocessing.connection import Connection

import msgspec
import numpy as np

from apps.pages.model.errors import ParseError
from apps.pages.model.ocr_image import decode_ocr_image
from apps.pages.model.recognition import encode_recognition
from apps.pages.model.text import languages
from apps.pages.sandbox import confinement
from ocr_worker.engine import OcrReply, OcrRequest
from ocr_worker.engines.base import OcrEngine
from ocr_worker.errors import OcrFailed
from ocr_worker.recognition import PageReader, Request
from ocr_worker.sheets import read_sheet

logger = logging.getLogger(__name__)


def main(arguments: list[str]) -> None:
    handle, parent, user_id, *paths = arguments
    confinement.die_with_parent(int(parent))
    connection = Connection(int(handle))
    reader = load(paths)
    confinement.cut_network()
    if int(user_id):
        confinement.drop_user(int(user_id), int(user_id))
    confinement.drop_capabilities()
    confinement.forbid_new_privileges()
    confinement.die_with_parent(int(parent))
    gc.freeze()
    connection.send_bytes(b"ready")
    while True:
        try:
            request = msgspec.json.decode(connection.recv_bytes(), type=OcrRequest)
            image = connection.recv_bytes()
        except (EOFError, OSError):
            return
        connection.send_bytes(msgspec.json.encode(_reply(reader, request, image)))


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
