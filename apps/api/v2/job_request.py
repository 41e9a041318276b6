"""A request's options become an request to the job service: defaults, the mode that serves, and what to warn of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

from pydantic import BaseModel

from apps.accounts.models import Project
from apps.api.error_responses import printable
from apps.api.request_errors import InvalidOptions, OptionProblem
from apps.api.v2.options import NOT_YET, AutoModeRule, Options, ParseOptions, PdfInput
from apps.api.v2.tiers import CONFIGURATIONS, LATEST, TIERS
from apps.jobs.commands.submit import JobRequest
from apps.jobs.errors import InvalidOption
from apps.jobs.scheduling.admission import admit
from apps.pages.model.page_ranges import check_page_ranges
from apps.parsing.routing import auto_mode

MAX_WARNINGS = 50
_NOT_OPTIONS = frozenset({"tier", "version", "user_metadata", "file_id", "source_url", "http_proxy"})
_SECRET_OPTIONS = frozenset({"password", "webhook_signing_secret", "webhook_headers"})
_HARMLESS = (None, False, "", "move_to_end")


def accept_request(project: Project, options: ParseOptions) -> JobRequest:
    """The order; InvalidOption(s), ModeNotAvailable and PageOutOfRange for values that cannot be used, ModeNotAllowed
    and QuotaExceeded for what the project may not have."""
    request = _job_request(options, _tier(options))
    admission = admit(project=project, mode=request.mode, options=request.options, asked=request.tier)
    return replace(
        request,
        mode=admission.mode,
        uses_models=admission.uses_models,
        warnings=(*admission.warnings, *request.warnings)[:MAX_WARNINGS],
    )


def request_to_estimate(options: ParseOptions) -> JobRequest:
    """The request before anybody was asked whether the project may have it; without a tier its mode is ""."""
    names_one = options.tier or options.configuration_id
    return _job_request(options, _tier(options) if names_one else "")


def _job_request(options: ParseOptions, tier: str) -> JobRequest:
    version = _version(options, tier) if tier else ""
    _check_auto_mode(options)
    ranges = options.page_ranges
    target_pages = ((ranges and ranges.target_pages) or "").strip()
    if target_pages:
        check_page_ranges(target_pages)
    return JobRequest(
        mode=TIERS[tier].mode if tier else "",
        tier=tier,
        version=version,
        target_pages=target_pages,
        max_pages=ranges.max_pages if ranges else None,
        options={name: value for name, value in _known(options).items() if name not in _NOT_OPTIONS},
        user_metadata=options.user_metadata or {},
        password=_password(options),
        warnings=tuple(islice(_option_warnings(options), MAX_WARNINGS)),
    )


def _tier(options: ParseOptions) -> str:
    configuration = options.configuration_id
    if configuration and configuration not in CONFIGURATIONS:
        raise InvalidOption(
            "There is no such saved configuration. Send tier and version instead.",
            location=("body", "configuration_id"),
            value=configuration,
        )
    tier = options.tier or CONFIGURATIONS.get(configuration or "")
    if tier is None:
        names = ", ".join(TIERS)
        raise InvalidOptions([OptionProblem("missing", ("body", "tier"), f"A tier is required: {names}")])
    return tier


def _version(options: ParseOptions, tier: str) -> str:
    """The dated version; ``latest`` is told as the one it stands for today."""
    versions, asked = TIERS[tier].versions, options.version or LATEST
    if asked == LATEST or (asked == "configured" and options.configuration_id):
        return versions[-1]
    if asked not in versions:
        known = ", ".join(versions)
        raise InvalidOption(
            f"The tier {tier} has no such version. Send latest or one of: {known}.",
            location=("body", "version"),
            value=asked,
        )
    return asked


def _check_auto_mode(options: ParseOptions) -> None:
    """InvalidOptions for rules that cannot be used, and for versions that their tiers do not have."""
    processing = options.processing_options
    raw = [_sent(rule) for rule in (processing and processing.auto_mode_configuration) or ()]
    where = ("body", "processing_options", "auto_mode_configuration")
    try:
        rules = auto_mode.parse_rules(raw)
    except auto_mode.InvalidRules as error:
        raise InvalidOptions(
            [OptionProblem("value_error", (*where, *each.path), each.message, each.value) for each in error.problems]
        ) from error
    for index, rule in enumerate(rules):
        conf = rule.parsing_conf
        if conf.version and conf.version not in (LATEST, *TIERS[conf.tier].versions):
            known = ", ".join(TIERS[conf.tier].versions)
            raise InvalidOption(
                f"The tier {conf.tier} has no such version. Send latest or one of: {known}.",
                location=(*where, index, "parsing_conf", "version"),
                value=conf.version,
            )


def _password(options: ParseOptions) -> str | None:
    pdf = options.input_options.pdf if options.input_options else None
    return pdf.password if isinstance(pdf, PdfInput) else None


def _known(model: BaseModel) -> dict[str, Any]:
    """The options that were set, without unknown names and without secrets."""
    if isinstance(model, AutoModeRule):
        return _sent(model)
    found: dict[str, Any] = {}
    for name in type(model).model_fields:
        value = getattr(model, name)
        if value is None or name in _SECRET_OPTIONS:
            continue
        if isinstance(value, BaseModel):
            value = _known(value)
        elif isinstance(value, list):
            value = [_known(item) if isinstance(item, BaseModel) else item for item in value]
        found[name] = value
    return found


def _sent(rule: AutoModeRule) -> dict[str, Any]:
    """A rule with its triggers. Those that are not known stay, by name alone: they keep it from matching."""
    found = rule.model_dump(exclude_none=True, exclude=set(rule.model_extra or ()))
    return found | dict.fromkeys(rule.model_extra or (), True) | {"parsing_conf": _known(rule.parsing_conf)}


def _option_warnings(model: Options, path: str = "") -> Iterator[dict[str, str]]:
    """Of unknown options, by their paths, and of those that change nothing yet."""
    for name in model.model_extra or {}:
        option = path + printable(name)
        yield {"code": "unknown_option", "detail": model.unknown_told, "option": option}
    for name, field in type(model).model_fields.items():
        value, option = getattr(model, name), path + name
        for key, item in enumerate(value) if isinstance(value, list) else ():
            if isinstance(item, Options):
                yield from _option_warnings(item, f"{option}.{key}.")
        if isinstance(value, Options):
            yield from _option_warnings(value, option + ".")
        elif NOT_YET in field.metadata and value not in _HARMLESS and value != []:
            yield {"code": "option_without_effect", "detail": "This option has no effect yet.", "option": option}
