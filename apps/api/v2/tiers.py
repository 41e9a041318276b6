"""Tiers as the API presents them: the official ones, their versions and the saved configurations."""

from __future__ import annotations

from apps.parsing.tiers import LATEST, TIERS

__all__ = ["CONFIGURATIONS", "LATEST", "OFFICIAL", "TIERS", "known_versions"]

OFFICIAL = ("fast", "cost_effective", "agentic", "agentic_plus")

CONFIGURATIONS = {f"cfg-PARSE_{name.upper()}": name for name in OFFICIAL}
"""Saved configurations that exist in every LlamaParse project. Each sets the tier and nothing else."""


def known_versions() -> dict[str, object]:
    """Return the response to the client's ``parsing.list_versions``: the newest first."""
    return {
        **{name: list(reversed(TIERS[name].versions)) for name in OFFICIAL},
        "latest": {name: TIERS[name].own_version for name in OFFICIAL},
    }
