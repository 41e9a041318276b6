"""The networks on OpenVINO."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray
from openvino import opset13

from ocr_worker.networks.ppocr import Detector, Recognizer, kept_characters, model_folder

VERSION = openvino.get_version().split("-")[0]


class _Compiled:
    def __init__(self, model: Any, *, threads: int) -> None:
        # With pinning, the only thread of every process would run on the first core.
        settings = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "ENABLE_CPU_PINNING": False}
        self._request = openvino.Core().compile_model(model, "CPU", settings).create_infer_request()
        self._outputs = len(model.outputs)

    def __call__(self, batch: NDArray[np.float32]) -> Sequence[NDArray[Any]]:
        self._request.infer([batch])
        return [self._request.get_output_tensor(number).data for number in range(self._outputs)]


def detector(*, threads: int = 1) -> Detector:
    return Detector(_Compiled(openvino.Core().read_model(model_folder() / "PP-OCRv6_det_small.onnx"), threads=threads))


def recognizer(keep: Callable[[str], bool] | None = None, *, threads: int = 1) -> Recognizer:
    """``keep`` returns True for the characters that may be read; None allows all."""
    model = openvino.Core().read_model(model_folder() / "PP-OCRv6_rec_small.onnx")
    listed = model.get_rt_info()["framework"]["character"].value.splitlines()
    characters = ["", *listed, " "]
    kept = kept_characters(characters, keep)
    weights, bias, features = _last_layer(model, classes=len(characters))
    scores = opset13.add(
        opset13.matmul(features, opset13.constant(np.ascontiguousarray(weights[:, kept])), False, False),
        opset13.constant(np.ascontiguousarray(bias[kept])),
    )
    # The network returns only the best character of each step, not the whole table of probabilities.
    best = opset13.topk(
        opset13.softmax(scores, 2), opset13.constant(1), 2, "max", "none", index_element_type=openvino.Type.i32
    )
    cut = openvino.Model([best.output(0), best.output(1)], model.get_parameters())
    return Recognizer(_Compiled(cut, threads=threads), [characters[number] for number in kept])


def _last_layer(model: Any, *, classes: int) -> tuple[NDArray[np.float32], NDArray[np.float32], Any]:
    """Return the weights, the bias and the input of the layer that scores the characters."""
    for node in reversed(model.get_ordered_ops()):
        if node.get_type_name() == "MatMul" and node.output(0).get_partial_shape()[-1] == classes:
            weights = node.input(1).get_source_output().get_node().data
            addition = next(iter(node.output(0).get_target_inputs())).get_node()
            sources = [socket.get_source_output().get_node() for socket in addition.inputs()]
            bias = next(source.data for source in sources if source.get_type_name() == "Constant")
            return np.array(weights), np.array(bias).reshape(-1), node.input(0).get_source_output()
    raise LookupError(
        "The recognition network has no layer that scores characters. Install the rapidocr release of the lock file."
    )
