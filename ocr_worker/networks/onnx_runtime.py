"""The networks on ONNX Runtime: on the CPU of machines for which OpenVINO has no wheel, and on CUDA."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ocr_worker.networks.ppocr import Detector, Recognizer, kept_characters, model_folder

VERSION: str = onnxruntime.__version__
_CUDA_BATCH_STRIPS = 32


class _Session:
    def __init__(self, name: str, *, cuda: bool, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        options.log_severity_level = 3
        providers = ["CUDAExecutionProvider"] if cuda else ["CPUExecutionProvider"]
        self.session = onnxruntime.InferenceSession(str(model_folder() / name), options, providers=providers)
        self._input = self.session.get_inputs()[0].name

    def __call__(self, batch: NDArray[np.float32]) -> Sequence[NDArray[Any]]:
        return list(self.session.run(None, {self._input: batch}))


class _BestCharacters:
    """The recognition network, limited to the kept characters.

    The network returns the probabilities of all characters; the best kept one is chosen here.
    """

    def __init__(self, session: _Session, kept: Sequence[int]) -> None:
        self._session = session
        self._kept = np.array(kept)

    def __call__(self, batch: NDArray[np.float32]) -> Sequence[NDArray[Any]]:
        table = self._session(batch)[0][:, :, self._kept]
        choice = table.argmax(axis=2, keepdims=True).astype(np.int32)
        best = np.take_along_axis(table, choice.astype(np.int64), axis=2)
        # Scale the probabilities as if there were only the kept characters.
        return [best / np.maximum(table.sum(axis=2, keepdims=True), 1e-9), choice]


class OnnxRuntime:
    """ONNX Runtime on one kind of device."""

    VERSION = VERSION

    def __init__(self, *, cuda: bool) -> None:
        if cuda and "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
            raise ImportError("onnxruntime-gpu with CUDA is not installed here")
        self._cuda = cuda

    def detector(self) -> Detector:
        return Detector(_Session("PP-OCRv6_det_small.onnx", cuda=self._cuda))

    def recognizer(self, keep: Callable[[str], bool] | None = None) -> Recognizer:
        session = _Session("PP-OCRv6_rec_small.onnx", cuda=self._cuda)
        listed = session.session.get_modelmeta().custom_metadata_map["character"].splitlines()
        characters = ["", *listed, " "]
        kept = kept_characters(characters, keep)
        return Recognizer(
            _BestCharacters(session, kept),
            [characters[number] for number in kept],
            batch_size=_CUDA_BATCH_STRIPS if self._cuda else 1,
        )


def on_cuda() -> OnnxRuntime:
    return OnnxRuntime(cuda=True)


def detector() -> Detector:
    return OnnxRuntime(cuda=False).detector()


def recognizer(keep: Callable[[str], bool] | None = None) -> Recognizer:
    return OnnxRuntime(cuda=False).recognizer(keep)
