"""The options of a job: what is stored, and that the options declared as having an effect are those that code reads."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from apps.api.request_errors import InvalidOptions
from apps.api.v2.job_request import request_to_estimate
from apps.api.v2.options import ParseRequest
from apps.api.v2.parse import named_document
from apps.api.webhooks.targets import checked_target
from apps.jobs.option_groups import WITHOUT_EFFECT, AutoModeParsing, AutoModeRule, Options
from apps.jobs.options import JobOptions
from apps.parsing.prompts.messages import CustomInstructions
from apps.parsing.routing.auto_mode import ParsingConf
from apps.parsing.routing.triggers import COMPANIONS, TRIGGERS

APPS = Path(__file__).resolve().parents[3] / "apps"
# Kept with the job and returned; configuration_id is read before the other options.
LABELS = {"client_name", "configuration_id"}
DERIVED = [
    name
    for name, member in vars(JobOptions).items()
    if not name.startswith("_") and (isinstance(member, property) or hasattr(member, "func"))
]


def model_in(field: FieldInfo) -> type[Options] | None:
    """Return the group of options that the field holds, alone or in a list."""

    def within(annotation: Any) -> Iterator[type[Options]]:
        if inspect.isclass(annotation) and issubclass(annotation, Options):
            yield annotation
        for part in get_args(annotation):
            yield from within(part)

    return next(within(field.annotation), None)


def declared(model: type[Options], path: str = "", *, has_effect: bool = True) -> dict[str, bool]:
    """Return the path of each single option below the model, and whether it is declared as having an effect."""
    found: dict[str, bool] = {}
    for name, field in model.model_fields.items():
        effective = has_effect and WITHOUT_EFFECT not in field.metadata
        group = model_in(field)
        if group is None:
            found[path + name] = effective
        else:
            found |= declared(group, f"{path}{name}.", has_effect=effective)
    return found


def sample(model: type[Options], *, switches: bool) -> dict[str, Any]:
    """Return a value for every option of the model except the rules of auto mode; switches have the given value."""
    values: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        group = model_in(field)
        if group is AutoModeRule:
            continue
        if group is not None:
            values[name] = sample(group, switches=switches)
            if "list" in str(field.annotation):
                values[name] = [values[name]]
            continue
        candidates: list[Any] = [switches, 1, 0.5, "1", "en", ["en"], {"a": "b"}]
        known: dict[str, Any] = {"tier": "fast", "version": "latest", "configuration_id": "cfg-PARSE_FAST"}
        known |= dict.fromkeys(("top", "right", "bottom", "left"), 0.1)
        known |= {"webhook_url": "https://8.8.8.8/", "webhook_events": ["parse.success"]}
        for value in [known.get(name), *get_literal(field.annotation), *candidates]:
            if value is not None and fits(model, name, value):
                values[name] = value
                break
        assert name in values, name
    return values


def get_literal(annotation: Any) -> list[Any]:
    literals = [part for part in get_args(annotation) if isinstance(part, str)]
    literals += [value for part in get_args(annotation) for value in get_literal(part)]
    return [*literals, *([value] for value in literals)]


def fits(model: type[Options], name: str, value: Any) -> bool:
    try:
        TypeAdapter(model).validate_python({name: value})
    except ValidationError:
        return False
    return True


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> tuple[list[ParseRequest], set[str]]:
    """Return requests with every option set, and the paths of their options that are read from now on."""
    requests = [ParseRequest.model_validate(sample(ParseRequest, switches=value)) for value in (True, False)]
    paths: dict[int, str] = {}

    def note(options: Options, path: str) -> None:
        paths[id(options)] = path
        for name in type(options).model_fields:
            value = getattr(options, name)
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, Options):
                    note(item, f"{path}{name}.")

    for request in requests:
        note(request, "")
    found: set[str] = set()
    plain = Options.__getattribute__

    def reading(self: Options, name: str) -> Any:
        path = paths.get(id(self))
        if path is not None and name in type(self).model_fields:
            found.add(path + name)
        return plain(self, name)

    monkeypatch.setattr(Options, "__getattribute__", reading)
    return requests, found


def test_the_options_declared_as_having_an_effect_are_those_that_code_reads(
    read: tuple[list[ParseRequest], set[str]], settings: Any
) -> None:
    settings.UNSUPPORTED_OPTIONS = "warn"
    requests, found = read
    for request in requests:
        for name in DERIVED:
            getattr(request, name)
        request.provider_rules(None)
        request.instructions(None)
        request.office("a.csv")
        request_to_estimate(request)
        for webhook in request.webhook_configurations or ():
            checked_target(webhook, ())
        assert request.webhook_configuration_ids  # requested_targets looks them up in the database
        assert request.http_proxy  # named_document passes it to fetched, and the request is not sent without a URL
        assert request.transaction_id  # idempotency.begin reads it from the body
        with pytest.raises(InvalidOptions):
            named_document(None, request)  # type: ignore[arg-type]

    rules = "processing_options.auto_mode_configuration."
    effects = {path: effect for path, effect in declared(ParseRequest).items() if not path.startswith(rules)}
    assert {path for path, effect in effects.items() if effect} - LABELS == found & effects.keys()
    assert len(effects) > 70


def test_each_derived_value_is_read_by_a_module_of_the_service() -> None:
    modules = (path for path in APPS.rglob("*.py") if path.name not in ("options.py", "option_groups.py"))
    nodes = (node for path in modules for node in ast.walk(ast.parse(path.read_text())))
    read = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    assert {*DERIVED, "provider_rules", "instructions", "office"} <= read


def test_the_rules_of_auto_mode_declare_the_triggers_and_settings_that_are_evaluated() -> None:
    triggers = AutoModeRule.model_fields.keys() - {"parsing_conf", "trigger_mode"}
    assert triggers == TRIGGERS.keys() | set(COMPANIONS)
    with_effect = {name for name, effect in declared(AutoModeParsing).items() if effect}
    assert with_effect == {each.name for each in fields(ParsingConf)} - {"mode", "options"}


def test_every_prompt_is_passed_to_the_model() -> None:
    prompts = {each.name: each.name for each in fields(CustomInstructions)}
    assert JobOptions.model_validate({"agentic_options": prompts}).instructions(None) == CustomInstructions(**prompts)


def test_stored_options_have_no_secrets_unknown_names_or_fields_of_the_request() -> None:
    request = ParseRequest.model_validate(
        {
            "tier": "fast",
            "user_metadata": {"a": "b"},
            "file_id": "dfl-1",
            "client_name": None,
            "sparkle": True,
            "max_cost": 2,
            "input_options": {"pdf": {"password": "s3cret"}},
            "webhook_configurations": [{"webhook_url": "https://example.org", "webhook_signing_secret": "s3cret"}],
        }
    )
    kept = {
        "max_cost": 2.0,
        "input_options": {"pdf": {}},
        "webhook_configurations": [{"webhook_url": "https://example.org"}],
    }
    assert request.stored() == kept
    assert request.as_kept() == JobOptions.model_validate(kept)
    assert request.password == "s3cret"


def test_a_stored_rule_keeps_unknown_triggers_so_that_it_never_matches() -> None:
    rule = {"parsing_conf": {"tier": "agentic", "sparkle": 1}, "table_in_page": True, "page_contains_a_horse": 3}
    options = JobOptions.model_validate({"processing_options": {"auto_mode_configuration": [rule]}})

    kept = options.stored()["processing_options"]["auto_mode_configuration"]
    assert kept == [{"parsing_conf": {"tier": "agentic"}, "table_in_page": True, "page_contains_a_horse": True}]
    assert options.as_kept().auto_mode_rules[0].unknown == ("page_contains_a_horse",)


def test_options_without_page_rules_keep_everything_else() -> None:
    rules = [{"parsing_conf": {"tier": "agentic"}, "table_in_page": True}]
    processing = {"auto_mode_configuration": rules, "cost_optimizer": {"enable": True}, "ignore": {}}
    options = JobOptions.model_validate({"max_cost": 1.0, "processing_options": processing})

    assert options.optimizes_cost
    assert options.auto_mode_rules
    assert options.without_page_rules().stored() == {"max_cost": 1.0, "processing_options": {"ignore": {}}}


def test_options_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        JobOptions().max_cost = 1.0


def test_a_row_of_an_older_or_newer_release_is_read() -> None:
    options = JobOptions.model_validate({"processing_options": {"of_next_year": 1}, "http_proxy": "of last year"})
    assert options.uses_ocr
