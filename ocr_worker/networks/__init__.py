"""The PP-OCR networks and the runtimes that execute them."""

import sys

# OpenVINO's telemetry writes files into the home folder and wants the network. OpenVINO works without the package.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
