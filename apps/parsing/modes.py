"""The modes, and the page parser that each one uses."""

from __future__ import annotations

FAST, BALANCED, MULTIMODAL, AGENTIC = "fast", "balanced", "multimodal", "agentic"
MODES = (FAST, BALANCED, MULTIMODAL, AGENTIC)

PAGE_PARSER_OF_MODE = {BALANCED: "llm", MULTIMODAL: "lvm", AGENTIC: "agent"}
"""The page parser of each mode with a model; also the name of its queue."""

FOR_EASY_PAGES = {AGENTIC: BALANCED, MULTIMODAL: BALANCED}
"""The cheaper mode that the cost optimizer chooses for easy pages."""
