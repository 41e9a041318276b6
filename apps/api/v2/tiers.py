"""What the wire says of tiers: the official ones, their versions, saved configurations."""

from __future__ import annotations

from apps.parsing.tiers import LATEST, TIERS

__all__ = ["CONFIGURATIONS", "LATEST", "OFFICIAL", "TIERS", "known_versions"]

OFFICIAL = ("fast", "cost_effective", "agentic", "agentic_plus")

CONFIGURATIONS = {f"cfg-PARSE_{name.upper()}": name for name in OFFICIAL}
"""Saved configurations that every LlamaParse has; each is a tier with nothing else set."""


def known_versions() -> dict[str, object]:
    """The answer to ``parsing.list_versions``."""
    return {
        **{name: list(TIERS[name].versions) for name in OFFICIAL},
        "latest": {name: TIERS[name].versions[-1] for name in OFFICIAL},
    }
