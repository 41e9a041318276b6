"""The tiers of LlamaParse's API, the mode of each, and the versions that a client may pin."""

from __future__ import annotations

from dataclasses import dataclass

LATEST = "latest"


@dataclass(frozen=True)
class Tier:
    """``versions``: oldest first; the last is what ``latest`` means."""

    mode: str
    versions: tuple[str, ...]


TIERS: dict[str, Tier] = {
    "fast": Tier("fast", ("2026-06-15",)),
    "cost_effective": Tier("balanced", ("2026-09-28",)),
    "balanced": Tier("balanced", ("2026-09-28",)),
    "multimodal": Tier("multimodal", ("2026-09-28",)),
    "agentic": Tier("agentic", ("2026-10-16",)),
    "agentic_plus": Tier("agentic", ("2026-09-28",)),
}
