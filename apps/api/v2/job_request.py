"""Turn the options of an HTTP request into a JobRequest: defaults, admitted mode and warnings."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

from django.conf import settings

from apps.accounts.models import Project
from apps.api.request_errors import InvalidOptions, OptionProblem, printable
from apps.api.v2.options import ParseOptions
from apps.api.v2.result_files import ADDITIONAL_OUTPUTS
from apps.api.v2.tiers import LATEST, TIERS
from apps.api.webhooks.targets import requested_targets
from apps.documents import s3_folders
from apps.documents.errors import S3FolderNotAllowed
from apps.jobs.commands.submit import JobRequest
from apps.jobs.errors import InvalidOption
from apps.jobs.option_effects import NOT_SUPPORTED, set_options, what_happens
from apps.jobs.option_groups import Options
from apps.jobs.scheduling.admission import admit
from apps.pages.model.geometry import Margins
from apps.pages.model.page_numbers.ranges import check_page_ranges
from apps.parsing.routing import auto_mode

MAX_WARNINGS = 50


def accept_request(project: Project, options: ParseOptions) -> JobRequest:
    """Return the job request with the mode that is admitted for the project.

    Raise InvalidOption(s), ModeNotAvailable or PageOutOfRange for invalid values, and ModeNotAllowed or QuotaExceeded
    if the limits of the project forbid the job.
    """
    request = _job_request(options, _tier(options))
    _check_s3_output(project, options)
    admission = admit(project=project, mode=request.mode, options=request.options, tier=request.tier)
    return replace(
        request,
        webhooks=requested_targets(project, options),
        mode=admission.mode,
        uses_models=admission.uses_models,
        warnings=(*admission.warnings, *request.warnings)[:MAX_WARNINGS],
    )


def with_unknown_fields(request: JobRequest, form: Iterable[str], *, known: Collection[str]) -> JobRequest:
    """Return the job request with a warning for each field of the form that has no effect."""
    warnings = [
        {
            "code": "unknown_option",
            "detail": "This form field is not known and was ignored. Options are JSON in the field configuration.",
            "option": printable(name),
        }
        for name in form
        if name not in known
    ]
    return replace(request, warnings=(*request.warnings, *warnings)[:MAX_WARNINGS])


def request_to_estimate(options: ParseOptions) -> JobRequest:
    """Return the job request without checking the limits of the project. Without a tier, its mode is ""."""
    return _job_request(options, _tier(options) if options.tier else "")


def _job_request(options: ParseOptions, tier: str) -> JobRequest:
    version, about_version = _version(tier, options.version or LATEST) if tier else ("", ())
    _refuse_unsupported(options)

    where = ("body", "processing_options", "auto_mode_configuration")
    try:
        rules = options.auto_mode_rules
    except auto_mode.InvalidRules as error:
        raise InvalidOptions(
            [OptionProblem("value_error", (*where, *each.path), each.message, each.value) for each in error.problems]
        ) from error
    for index, rule in enumerate(rules):
        conf = rule.parsing_conf
        if conf.version and conf.version != LATEST and not TIERS[conf.tier].accepts(conf.version):
            raise _unknown_version(conf.tier, conf.version, (*where, index, "parsing_conf", "version"))

    if options.target_pages:
        check_page_ranges(options.target_pages)
    _check_margins(options)
    return JobRequest(
        mode=TIERS[tier].mode if tier else "",
        tier=tier,
        version=version,
        target_pages=options.target_pages,
        max_pages=options.max_pages,
        options=options.as_kept(),
        user_metadata=options.user_metadata or {},
        password=options.password,
        warnings=(*about_version, *islice(_option_warnings(options), MAX_WARNINGS)),
    )


def _check_s3_output(project: Project, options: ParseOptions) -> None:
    """Raise InvalidOption if the result is to be written to S3 outside the project's folders."""
    prefix, region = options.s3_output
    if prefix:
        try:
            s3_folders.allowed_path(f"{prefix.rstrip('/')}/name", project=project, region=region)
        except S3FolderNotAllowed as error:
            location = ("body", "first_api", "output_s3_path_prefix")
            raise InvalidOption(error.detail, location=location, value=prefix) from None


def _check_margins(options: ParseOptions) -> None:
    """Raise InvalidOption if the margins of ``crop_box`` leave nothing of a page."""
    margins = options.margins or Margins()
    for one, other in (("top", "bottom"), ("left", "right")):
        if getattr(margins, one) + getattr(margins, other) >= 1:
            detail = (
                f"Nothing of the page is left. {one} and {other} are margins: shares of the page that are cut from "
                "these sides. Send values whose sum is below 1."
            )
            raise InvalidOption(detail, location=("body", "crop_box", other), value=getattr(margins, other))


def _tier(options: ParseOptions) -> str:
    if options.tier is None or options.tier == "configured":
        detail = (
            f"A tier is required. Send one of: {', '.join(TIERS)}. In a form, options are JSON in the field "
            "configuration."
        )
        raise InvalidOptions([OptionProblem("missing", ("body", "tier"), detail, options.tier)])
    return options.tier


def _version(tier: str, version: str) -> tuple[str, Sequence[dict[str, str]]]:
    """Return the version of the job, and a warning if it is another than the one that this service has."""
    own = TIERS[tier].own_version
    if version in (LATEST, own):
        return own, ()
    if not TIERS[tier].accepts(version):
        raise _unknown_version(tier, version, ("body", "version"))
    detail = f"The document is parsed with version {own}: this service has one version of each tier."
    return version, ({"code": "version_replaced", "detail": detail, "option": "version", "parsed_with": own},)


def _unknown_version(tier: str, version: str, location: tuple[str | int, ...]) -> InvalidOption:
    detail = f"The tier {tier} does not have this version. Send latest, or one of GET /api/v2/parse/versions."
    return InvalidOption(detail, location=location, value=version)


def _refuse_unsupported(options: Options) -> None:
    """Raise InvalidOptions for options that would have an effect outside the result, but have none here."""
    if settings.UNSUPPORTED_OPTIONS == "warn":
        return
    problems = [
        OptionProblem("not_supported", ("body", *found.location), NOT_SUPPORTED)
        for found in set_options(options)
        if found.is_refused and not found.has_effect
    ]
    if problems:
        raise InvalidOptions(problems)


def _option_warnings(options: ParseOptions) -> Iterator[dict[str, str]]:
    """Yield a warning for each unknown option and for each option, or value, without effect."""
    for found in set_options(options):
        if found.is_unknown:
            yield {"code": "unknown_option", "detail": found.group.unknown_warning, "option": printable(found.path)}
        elif not found.has_effect:
            yield {"code": "option_without_effect", "detail": what_happens(found.path), "option": found.path}
        elif found.path == "http_proxy" and not getattr(options, "source_url", None):
            detail = "It is used only to fetch a source_url, and the request has none."
            yield {"code": "option_without_effect", "detail": detail, "option": found.path}
        elif found.path == "processing_options.ocr_parameters.barcodes" and not options.uses_ocr:
            detail = "OCR finds bar codes, and disable_ocr switches it off. No bar codes are looked for."
            yield {"code": "option_without_effect", "detail": detail, "option": found.path}
        elif found.path == "output_options.additional_outputs":
            for name in sorted(options.additional_outputs - ADDITIONAL_OUTPUTS.keys()):
                detail = f"There is no output {printable(name)!r}. Send any of: {', '.join(ADDITIONAL_OUTPUTS)}."
                yield {"code": "option_without_effect", "detail": detail, "option": found.path}
