"""What a job's request says about models: where its pages may go, what it may cost, how they are to be parsed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from apps.accounts.models import ProjectQuota
from apps.jobs.models import JobPage, ParseJob
from apps.parsing.prompts.messages import CustomInstructions
from apps.parsing.routing import auto_mode
from apps.providers.catalog import MICROS_PER_DOLLAR, ProviderRules

STOP, DEGRADE = "stop", "degrade"


@dataclass(frozen=True)
class ModelRequest:
    """The options of a job that concern models."""

    options: Mapping[str, Any]

    @classmethod
    def of(cls, job: ParseJob) -> ModelRequest:
        return cls(job.options)

    @cached_property
    def rules(self) -> tuple[auto_mode.Rule, ...]:
        """The rules of auto mode."""
        return auto_mode.parse_rules(self._processing.get("auto_mode_configuration") or [])

    @property
    def optimizes_cost(self) -> bool:
        return bool((self._processing.get("cost_optimizer") or {}).get("enable"))

    @property
    def max_cost_micros(self) -> int | None:
        """The most the job may cost, in millionths of a US dollar."""
        dollars = self.options.get("max_cost")
        return None if dollars is None else int(dollars * MICROS_PER_DOLLAR)

    @property
    def stops_on_budget(self) -> bool:
        """Pages that the money does not suffice for fail; otherwise they take their fallback text."""
        return self.options.get("on_budget", DEGRADE) == STOP

    @property
    def reads_cache(self) -> bool:
        return not (self.options.get("disable_cache") or self.options.get("invalidate_cache"))

    @property
    def writes_cache(self) -> bool:
        return not (self.options.get("disable_cache") or self.options.get("do_not_cache"))

    def provider_rules(self, quota: ProjectQuota | None) -> ProviderRules:
        """Where pages of the job may go, by its project and by itself."""
        own = self.options.get("providers")
        return ProviderRules(
            project_external=quota.allow_external if quota else True,
            project_providers=tuple(quota.providers) if quota and quota.providers else None,
            job_external=self.options.get("allow_external") is not False,
            job_providers=None if own is None else tuple(own),
        )

    def instructions(self, row: JobPage) -> CustomInstructions:
        """What the customer wants of the text, by the rule that chose the page's mode where there is one."""
        return self.instructions_by(row.facts.get("rule"))

    def instructions_by(self, rule: int | None) -> CustomInstructions:
        """The instructions for a page whose mode this rule of auto mode chose, None: no rule."""
        asked = dict(self.options.get("agentic_options") or {})
        if rule is not None and (prompt := self.rules[rule].parsing_conf.custom_prompt):
            asked["custom_prompt"] = prompt
        return CustomInstructions(
            **{each.name: asked[each.name] for each in fields(CustomInstructions) if asked.get(each.name)}
        )

    @property
    def _processing(self) -> Mapping[str, Any]:
        return self.options.get("processing_options") or {}


def quota_of(job: ParseJob) -> ProjectQuota | None:
    return ProjectQuota.objects.filter(project_id=job.project_id).first()
