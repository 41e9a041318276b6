"""Turn the options of an HTTP request into a JobRequest: defaults, admitted mode and warnings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from apps.accounts.models import Project
from apps.api.request_errors import InvalidOptions, OptionProblem, printable
from apps.api.v2.options import ParseOptions
from apps.api.v2.tiers import CONFIGURATIONS, LATEST, TIERS
from apps.jobs.commands.submit import JobRequest
from apps.jobs.errors import InvalidOption
from apps.jobs.option_groups import WITHOUT_EFFECT, Options
from apps.jobs.scheduling.admission import admit
from apps.pages.model.page_ranges import check_page_ranges
from apps.parsing.routing import auto_mode

MAX_WARNINGS = 50
# Values that request the default behaviour need no warning.
_HARMLESS: tuple[object, ...] = (None, False, "", [], {}, "move_to_end")


def accept_request(project: Project, options: ParseOptions) -> JobRequest:
    """Return the job request with the mode that is admitted for the project.

    Raise InvalidOption(s), ModeNotAvailable or PageOutOfRange for invalid values, and ModeNotAllowed or QuotaExceeded
    if the limits of the project forbid the job.
    """
    request = _job_request(options, _tier(options))
    admission = admit(project=project, mode=request.mode, options=request.options, tier=request.tier)
    return replace(
        request,
        mode=admission.mode,
        uses_models=admission.uses_models,
        warnings=(*admission.warnings, *request.warnings)[:MAX_WARNINGS],
    )


def request_to_estimate(options: ParseOptions) -> JobRequest:
    """Return the job request without checking the limits of the project. Without a tier, its mode is ""."""
    has_tier = options.tier or options.configuration_id
    return _job_request(options, _tier(options) if has_tier else "")


def _job_request(options: ParseOptions, tier: str) -> JobRequest:
    version = ""
    if tier:
        versions, version = TIERS[tier].versions, options.version or LATEST
        if version == LATEST or (version == "configured" and options.configuration_id):
            version = versions[-1]
        if version not in versions:
            raise _unknown_version(tier, version, ("body", "version"))

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
            raise _unknown_version(conf.tier, conf.version, (*where, index, "parsing_conf", "version"))

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
            "This saved configuration does not exist. Send tier and version instead.",
            location=("body", "configuration_id"),
            value=configuration,
        )
    tier = options.tier or CONFIGURATIONS.get(configuration or "")
    if tier is None:
        detail = f"A tier is required. Send one of: {', '.join(TIERS)}."
        raise InvalidOptions([OptionProblem("missing", ("body", "tier"), detail)])
    return tier


def _unknown_version(tier: str, version: str, location: tuple[str | int, ...]) -> InvalidOption:
    known = ", ".join(TIERS[tier].versions)
    detail = f"The tier {tier} does not have this version. Send latest or one of: {known}."
    return InvalidOption(detail, location=location, value=version)


def _option_warnings(options: Options, path: str = "", *, has_effect: bool = True) -> Iterator[dict[str, str]]:
    """Yield a warning for each unknown option and for each option without effect.

    ``path`` is the path of the group and ends with a dot. ``has_effect`` is False in a group without effect.
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
