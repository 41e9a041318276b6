"""A request's options become an request to the job service: defaults, the mode that serves, and what to warn of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from apps.accounts.models import Project
from apps.api.error_responses import printable
from apps.api.request_errors import InvalidOptions, OptionProblem
from apps.api.v2.options import ParseOptions
from apps.api.v2.tiers import CONFIGURATIONS, LATEST, TIERS
from apps.jobs.commands.submit import JobRequest
from apps.jobs.errors import InvalidOption
from apps.jobs.option_groups import WITHOUT_EFFECT, Options
from apps.jobs.scheduling.admission import admit
from apps.pages.model.page_ranges import check_page_ranges
from apps.parsing.routing import auto_mode

MAX_WARNINGS = 50
# Values that ask for what happens anyway.
_HARMLESS: tuple[object, ...] = (None, False, "", [], {}, "move_to_end")


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
    if options.target_pages:
        check_page_ranges(options.target_pages)
    return JobRequest(
        mode=TIERS[tier].mode if tier else "",
        tier=tier,
        version=version,
        target_pages=options.target_pages,
        max_pages=options.max_pages,
        options=options.as_kept(),
        user_metadata=options.user_metadata or {},
        password=options.password,
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
    """Return the dated version; ``latest`` becomes the version that it means today."""
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
    """Raise InvalidOptions for rules that cannot be used, and for versions that their tiers do not have."""
    where = ("body", "processing_options", "auto_mode_configuration")
    try:
        rules = options.auto_mode_rules
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


def _option_warnings(options: Options, path: str = "", *, has_effect: bool = True) -> Iterator[dict[str, str]]:
    """Yield a warning for each unknown option and for each option that has no effect.

    ``path`` is that of the group, with a dot at its end; ``has_effect`` is False in a group that has no effect.
    """
    for name in options.model_extra or {}:
        yield {"code": "unknown_option", "detail": options.unknown_warning, "option": path + printable(name)}
    values = dict(options)
    for name, field in type(options).model_fields.items():
        value, option = values[name], path + name
        effective = has_effect and WITHOUT_EFFECT not in field.metadata
        if isinstance(value, Options):
            yield from _option_warnings(value, option + ".", has_effect=effective)
            continue
        for index, item in enumerate(value) if isinstance(value, list) else ():
            if isinstance(item, Options):
                yield from _option_warnings(item, f"{option}.{index}.")
        if not effective and value not in _HARMLESS:
            yield {"code": "option_without_effect", "detail": "This option has no effect yet.", "option": option}
