"""The tiers of the wire, the modes they stand for, and the versions a client may pin."""

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
OFFICIAL = ("fast", "cost_effective", "agentic", "agentic_plus")

CONFIGURATIONS = {f"cfg-PARSE_{name.upper()}": name for name in OFFICIAL}
"""Saved configurations that every LlamaParse has; each is a tier with nothing else set."""


def known_versions() -> dict[str, object]:
    """The answer to ``parsing.list_versions``."""
    return {
        **{name: list(TIERS[name].versions) for name in OFFICIAL},
        "latest": {name: TIERS[name].versions[-1] for name in OFFICIAL},
    }
