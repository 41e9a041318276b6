"""The tiers of LlamaParse's API, the mode of each, and the versions that a client may pin."""

from __future__ import annotations

from dataclasses import dataclass

from apps.parsing import tier_versions

LATEST = "latest"


@dataclass(frozen=True)
class Tier:
    """``versions``: oldest first; the last is what ``latest`` means, and every job is parsed with it."""

    mode: str
    versions: tuple[str, ...]

    @property
    def own_version(self) -> str:
        return self.versions[-1]

    def accepts(self, version: str) -> bool:
        """Return whether a client may pin this version."""
        return version in self.versions or version in tier_versions.OF_OLD_CLIENTS


_CREDITS = {"": 1, "fast": 1, "balanced": 3, "multimodal": 10, "agentic": 10}
_CREDITS_OF_AGENTIC_PLUS = 45


def credits_per_page(mode: str, *, plus: bool) -> int:
    """Return LlamaParse's price of a page in credits. ``plus``: of the tier agentic_plus."""
    return _CREDITS_OF_AGENTIC_PLUS if plus and mode == "agentic" else _CREDITS[mode]


TIERS: dict[str, Tier] = {
    "fast": Tier("fast", tier_versions.FAST),
    "cost_effective": Tier("balanced", tier_versions.COST_EFFECTIVE),
    "balanced": Tier("balanced", tier_versions.COST_EFFECTIVE),
    "multimodal": Tier("multimodal", tier_versions.COST_EFFECTIVE),
    "agentic": Tier("agentic", tier_versions.AGENTIC),
    "agentic_plus": Tier("agentic", tier_versions.AGENTIC_PLUS),
}
