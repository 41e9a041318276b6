"""Auto mode: parse some pages of a document in another mode than the rest, by the request's rules.

A rule has triggers and a configuration for the pages that match them. The first rule that matches wins. The shapes are
LlamaParse's (``processing_options.auto_mode_configuration``); numbers may be texts, ``null`` and ``false`` mean that a
trigger is not set. A trigger with an unknown name never matches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.pages.model.blocks import Page
from apps.pages.model.errors import ParseError
from apps.parsing.routing.page_facts import PageFacts
from apps.parsing.routing.triggers import COMPANIONS, TRIGGERS, Trigger, WrongValue
from apps.parsing.tiers import TIERS

MAX_RULES = 100
MAX_TOTAL_PROGRAM_STEPS = 50_000
"""Steps of all patterns of a request together: the work for one character of a page."""
MAX_PROMPT_CHARS = 20_000
AND, OR = "and", "or"
MODES_OF_PARSE_MODES = {
    "parse_page_without_llm": "fast",
    "parse_page_with_llm": "balanced",
    "parse_page_with_lvm": "multimodal",
    "parse_page_with_agent": "agentic",
    "parse_page_with_layout_agent": "agentic",
    "parse_document_with_llm": "balanced",
    "parse_document_with_lvm": "multimodal",
    "parse_document_with_agent": "agentic",
}
FieldPath = tuple[str | int, ...]


@dataclass(frozen=True)
class RuleProblem:
    """An invalid field: its ``path`` within the list of rules (``(0, "table_in_page")``) and the expected value."""

    path: FieldPath
    message: str
    value: object = None


class InvalidRules(ParseError):
    """The rules of auto mode cannot be used."""

    code = "invalid_option"

    def __init__(self, problems: Sequence[RuleProblem]) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class ParsingConf:
    """How the pages of a rule are parsed. ``mode`` None: like other pages; ``options``: other fields as sent."""

    mode: str | None = None
    tier: str = ""
    version: str = ""
    custom_prompt: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Rule:
    """``unknown``: the names of unknown triggers."""

    triggers: tuple[Trigger, ...]
    parsing_conf: ParsingConf
    trigger_mode: str = AND
    unknown: tuple[str, ...] = ()

    def matching(self, facts: PageFacts) -> list[Trigger]:
        """Return the triggers by which this rule matches the page; none if it does not match."""
        if self.trigger_mode == OR:
            return [trigger for trigger in self.triggers if trigger.matches(facts)]
        if self.unknown or not all(trigger.matches(facts) for trigger in self.triggers):
            return []
        return list(self.triggers)


@dataclass(frozen=True)
class Decision:
    """The mode of a page. ``rule``: the index of the rule that matched it, or None."""

    mode: str
    rule: int | None = None
    parsing_conf: ParsingConf | None = None
    reason: str = ""


def choose_mode(page: Page, *, rules: Sequence[Rule], markdown: str | None, file_name: str, base_mode: str) -> Decision:
    """Return the mode of the first rule that matches the page, and the reason; ``base_mode`` if none matches.

    ``markdown`` is the page's result in fast mode; without it patterns are matched against the page's text. Reasons
    count rules from 1: "rule 2: table_in_page".
    """
    facts = PageFacts(page, markdown, file_name)
    for index, rule in enumerate(rules):
        matching = rule.matching(facts)
        if matching:
            names = f" {rule.trigger_mode} ".join(trigger.name for trigger in matching)
            mode = rule.parsing_conf.mode or base_mode
            return Decision(mode, index, rule.parsing_conf, f"rule {index + 1}: {names}")
    return Decision(base_mode)


def parse_rules(raw: Sequence[Mapping[str, Any]]) -> tuple[Rule, ...]:
    """Return the rules in order. Raise InvalidRules, which names every invalid field."""
    if not isinstance(raw, list | tuple):
        raise InvalidRules([RuleProblem((), "A list of rules is expected.", raw)])
    if len(raw) > MAX_RULES:
        raise InvalidRules([RuleProblem((), f"The request has {len(raw)} rules; at most {MAX_RULES} are allowed.")])
    problems: list[RuleProblem] = []
    rules = [_rule(index, each, problems) for index, each in enumerate(raw)]
    cost = sum(trigger.cost for rule in rules for trigger in rule.triggers)
    if cost > MAX_TOTAL_PROGRAM_STEPS and not problems:
        message = (
            f"The regular expressions have {cost} steps together; at most {MAX_TOTAL_PROGRAM_STEPS} are allowed. "
            "Shorten them."
        )
        problems.append(RuleProblem((), message))
    if problems:
        raise InvalidRules(problems)
    return tuple(rules)


def rules_from_v1(
    *, image_in_page: bool = False, table_in_page: bool = False, text_in_page: str = "", regexp_in_page: str = ""
) -> tuple[Rule, ...]:
    """Return a rule for each ``auto_mode_trigger_on_*`` of API v1 that is set: a match selects agentic mode.

    Raise InvalidRules, which names the form's fields.
    """
    given = {
        "image_in_page": image_in_page,
        "table_in_page": table_in_page,
        "text_in_page": text_in_page,
        "regexp_in_page": regexp_in_page,
    }
    names = [name for name, value in given.items() if value]
    try:
        return parse_rules([{name: given[name], "parsing_conf": {"tier": "agentic"}} for name in names])
    except InvalidRules as error:
        raise InvalidRules(
            [
                RuleProblem((f"auto_mode_trigger_on_{each.path[1]}",) if each.path else (), each.message, each.value)
                for each in error.problems
            ]
        ) from None


def _rule(index: int, raw: object, problems: list[RuleProblem]) -> Rule:
    """Return the rule as far as it is valid; add its problems to ``problems``."""
    if not isinstance(raw, Mapping):
        problems.append(RuleProblem((index,), "An object with parsing_conf and triggers is expected.", raw))
        return Rule((), ParsingConf())
    given = {name: value for name, value in raw.items() if value is not None}
    conf = _parsing_conf((index, "parsing_conf"), given.pop("parsing_conf", None), problems)
    trigger_mode = given.pop("trigger_mode", AND)
    if trigger_mode not in (AND, OR):
        problems.append(RuleProblem((index, "trigger_mode"), "and or or is expected.", trigger_mode))
    triggers: list[Trigger] = []
    for name in given.keys() & TRIGGERS.keys():
        try:
            trigger = TRIGGERS[name](name, given)
        except WrongValue as wrong:
            problems.append(RuleProblem((index, *wrong.path), str(wrong), wrong.value))
        else:
            triggers += [trigger] if trigger else []
    unknown = tuple(name for name in given if name not in TRIGGERS and name not in COMPANIONS)
    if not triggers and not unknown and not any(problem.path[:1] == (index,) for problem in problems):
        problems.append(RuleProblem((index,), "At least one trigger is expected, such as table_in_page.", None))
    order = list(TRIGGERS)
    triggers.sort(key=lambda trigger: order.index(trigger.name))
    return Rule(tuple(triggers), conf, str(trigger_mode), unknown)


def _parsing_conf(path: FieldPath, raw: object, problems: list[RuleProblem]) -> ParsingConf:
    if not isinstance(raw, Mapping):
        problems.append(RuleProblem(path, "An object is expected, such as {tier, version}.", raw))
        return ParsingConf()
    given = {name: value for name, value in raw.items() if value is not None}

    def text(name: str, longest: int = 1000) -> str:
        value = given.pop(name, "")
        if isinstance(value, str) and len(value) <= longest:
            return value
        problems.append(RuleProblem((*path, name), f"A text of at most {longest} characters is expected.", value))
        return ""

    tier, version, parse_mode = text("tier"), text("version"), text("parse_mode")
    prompt = text("custom_prompt", MAX_PROMPT_CHARS) or text("user_prompt", MAX_PROMPT_CHARS)
    for name, value, known in (("tier", tier, TIERS), ("parse_mode", parse_mode, MODES_OF_PARSE_MODES)):
        if value and value not in known:
            problems.append(RuleProblem((*path, name), f"One of {', '.join(known)} is expected.", value))
    if version and not tier:
        problems.append(RuleProblem((*path, "version"), "A version is expected only together with a tier.", version))
    mode = TIERS[tier].mode if tier in TIERS else MODES_OF_PARSE_MODES.get(parse_mode)
    if not mode and (given.get("premium_mode") is True or given.get("fast_mode") is True):
        mode = "agentic" if given.get("premium_mode") is True else "fast"
    return ParsingConf(mode, tier, version, prompt, given)
