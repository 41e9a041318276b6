"""Translate the form of an upload of the first API into a request of the second."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from django.conf import settings

from apps.accounts.models import Project
from apps.api.request_errors import InvalidJson, InvalidOptions, OptionProblem, printable
from apps.api.requests.bodies import parse_json, parse_json_value, validated
from apps.api.v1.form_fields import FIELDS, MARKERS, MAY_BE_EMPTY
from apps.api.v2.job_request import MAX_WARNINGS, accept_request
from apps.api.v2.options import ParseRequest
from apps.jobs.commands.submit import JobRequest
from apps.jobs.errors import InvalidOption
from apps.jobs.scheduling.admission import admit_annotation
from apps.pages.model.page_numbers.ranges import MAX_PAGE_RANGES_CHARACTERS
from apps.pages.output.exports.options import FILE_NAMES
from apps.parsing.annotations.schema_errors import InvalidSchema
from apps.parsing.annotations.schemas import check_schema
from apps.parsing.annotations.tasks import AnnotationTask

TIER_OF_MODE = {
    "parse_page_without_llm": "fast",
    "parse_page_with_llm": "cost_effective",
    "parse_page_with_lvm": "multimodal",
    "parse_page_with_agent": "agentic",
    "parse_page_with_layout_agent": "agentic_plus",
    "parse_document_with_llm": "cost_effective",
    "parse_document_with_lvm": "multimodal",
    "parse_document_with_agent": "agentic",
}
_TIER_OF_SWITCH = {
    "premium_mode": "agentic",
    "gpt4o_mode": "multimodal",
    "use_vendor_multimodal_model": "multimodal",
    "fast_mode": "fast",
    "continuous_mode": "cost_effective",
}
DEFAULT_TIER = "cost_effective"
_CHARTS = {"plus": "agentic_plus", "agentic": "agentic", "efficient": "efficient"}
_RANGE = re.compile(r"\s*(\d{1,9})\s*(?:-\s*(\d{1,9})\s*)?", re.ASCII)
_SWITCHES = {"true": True, "1": True, "on": True, "yes": True, "false": False, "0": False, "off": False, "no": False}
# Values that ask for what happens anyway need no warning.
_HARMLESS = (None, False, "")


@dataclass
class UploadRequest:
    """The options of the second API that a form means, and where each comes from.

    ``sources``: the path of an option -> the form field that set it. ``warnings``: about fields without an option.
    ``s3_path``: where the document is, if the form has none.
    ``annotation``: the structured output that the form asks for.
    """

    options: dict[str, Any] = field(default_factory=dict)
    sources: dict[tuple[str, ...], str] = field(default_factory=dict)
    warnings: list[dict[str, str]] = field(default_factory=list)
    s3_path: str = ""
    s3_region: str = ""
    annotation: AnnotationTask | None = None

    def set(self, option: str, value: object, *, source: str) -> None:
        """Set the option of this path, with dots. None leaves it out."""
        if value is None:
            return
        *groups, name = path = tuple(option.split("."))
        group = self.options
        for each in groups:
            group = group.setdefault(each, {})
        group[name] = value
        self.sources[path] = source

    def warn(self, code: str, detail: str, option: str) -> None:
        self.warnings.append({"code": code, "detail": detail, "option": option})

    def refuse(self, field: str, detail: str) -> None:
        """Refuse a field whose effect outside the result does not exist; only warn if UNSUPPORTED_OPTIONS says so."""
        if settings.UNSUPPORTED_OPTIONS != "warn":
            raise InvalidOptions([OptionProblem("not_supported", ("body", field), detail)])
        self.warn("option_without_effect", detail, field)

    @property
    def request(self) -> ParseRequest:
        """The validated request. Raise InvalidOptions that name the form fields."""
        with self.errors_by_field():
            return validated(ParseRequest, self.options)

    def accept(self, project: Project, request: ParseRequest) -> JobRequest:
        """Return the job request as ``accept_request`` does. Its errors and warnings name the form fields."""
        with self.errors_by_field():
            accepted = accept_request(project, request)
            if self.annotation is not None:
                about_models = admit_annotation(project=project, options=accepted.options, kind="structured output")
                accepted = replace(
                    accepted,
                    annotation=self.annotation,
                    uses_models=True,
                    warnings=(*accepted.warnings, *about_models),
                )
        renamed = (
            {**each, "option": self._option(each["option"])} if "option" in each else each for each in accepted.warnings
        )
        return replace(accepted, warnings=(*renamed, *self.warnings)[:MAX_WARNINGS])

    @contextmanager
    def errors_by_field(self) -> Iterator[None]:
        """Name the form field in the errors of invalid options."""
        try:
            yield
        except InvalidOptions as error:
            raise InvalidOptions(
                [replace(each, location=self._location(each.location)) for each in error.problems]
            ) from None
        except InvalidOption as error:
            error.location = self._location(error.location)
            raise

    def _location(self, location: tuple[str | int, ...]) -> tuple[str | int, ...]:
        where, *path = location
        for length in range(len(path), 0, -1):
            source = self.sources.get(tuple(str(part) for part in path[:length]))
            if source:
                return (where, source, *path[length:])
        return location

    def _option(self, option: str) -> str:
        return ".".join(str(part) for part in self._location(("body", *option.split(".")))[1:])


def translate(form: Mapping[str, Sequence[str]]) -> UploadRequest:
    """Return the request that the fields of a form mean. Raise InvalidOptions for values of the wrong type."""
    request = UploadRequest()
    values, problems = _values(form)
    if problems:
        raise InvalidOptions(problems)
    for name in form:
        if name not in FIELDS and name not in MARKERS:
            request.warn("unknown_option", "This form field is not known and was ignored.", printable(name))
    for name, value in values.items():
        known = FIELDS[name]
        if known.option:
            request.set(known.option, value, source=name)
        elif not known.has_effect and value not in _HARMLESS:
            request.warn("option_without_effect", "This option has no effect.", name)
    for step in (_set_source, _set_mode, _set_auto_mode, _set_pages, _set_output, _set_structured_output, _set_control):
        step(request, values)
    return request


def _values(form: Mapping[str, Sequence[str]]) -> tuple[dict[str, Any], list[OptionProblem]]:
    """Return the values of the known fields, without empty ones, and what is wrong with others."""
    values: dict[str, Any] = {}
    problems = []
    for name, known in FIELDS.items():
        if name not in form:
            continue
        text = form[name][-1].replace("\r\n", "\n")  # browsers, and the TypeScript client, send every newline so
        if name == "language":
            values[name] = [part.strip() for sent in form[name] for part in sent.split(",") if part.strip()]
        elif text.strip() or (name in MAY_BE_EMPTY):
            try:
                values[name] = _READERS[known.kind](text)
            except ValueError:
                problems.append(OptionProblem(f"{known.kind}_parsing", ("body", name), _EXPECTED[known.kind], text))
    return values, problems


def _switch(text: str) -> bool:
    value = _SWITCHES.get(text.strip().lower())
    if value is None:
        raise ValueError(text)
    return value


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _json(text: str) -> Any:
    try:
        return parse_json_value(text.encode("utf-8", "surrogatepass"))
    except InvalidJson as error:
        raise ValueError(text) from error


_READERS: dict[str, Callable[[str], Any]] = {
    "switch": _switch,
    "integer": int,
    "number": _number,
    "text": str,
    "json": _json,
}
_EXPECTED = {
    "switch": "Send true or false.",
    "integer": "Send a whole number.",
    "number": "Send a number.",
    "text": "Send a text.",
    "json": "Send valid JSON.",
}


def _set_source(request: UploadRequest, values: dict[str, Any]) -> None:
    request.set("source_url", values.get("input_url"), source="input_url")
    request.s3_path, request.s3_region = values.get("input_s3_path", ""), values.get("input_s3_region", "")
    for name in ("input_s3_path", "output_s3_path_prefix"):
        if values.get(name) and not settings.S3_FOLDERS:
            detail = "This service uses no S3 folders. Upload the file and fetch the result, or set S3_FOLDERS."
            raise InvalidOptions([OptionProblem("not_supported", ("body", name), detail)])
    exports = [name.strip() for name in values.get("output_s3_exports", "").split(",") if name.strip()]
    if unknown := [name for name in exports if name not in FILE_NAMES]:
        detail = f"There is no export {unknown[0]}. Send names of this list, with commas: {', '.join(FILE_NAMES)}."
        raise InvalidOptions([OptionProblem("value_error", ("body", "output_s3_exports"), detail)])
    request.set("first_api.output_s3_exports", exports or None, source="output_s3_exports")


def _set_mode(request: UploadRequest, values: dict[str, Any]) -> None:
    """Set tier and version. An explicit tier wins over ``parse_mode``, and that over the older switches."""
    tier, source = values.get("tier"), "tier"
    if tier is None and (mode := values.get("parse_mode")):
        source, name = "parse_mode", mode.removeprefix("ParsingMode.")
        tier = TIER_OF_MODE.get(name)
        if tier is None:
            known = f"The mode is unknown. Send one of: {', '.join(TIER_OF_MODE)}."
            raise InvalidOption(known, location=("body", "parse_mode"), value=mode)
    if tier is None:
        source = next((name for name in _TIER_OF_SWITCH if values.get(name)), "")
        tier = _TIER_OF_SWITCH.get(source, DEFAULT_TIER)
    request.set("tier", tier, source=source)
    request.set("version", values.get("version"), source="version")


def _set_auto_mode(request: UploadRequest, values: dict[str, Any]) -> None:
    if not values.get("auto_mode"):
        return
    option = "processing_options.auto_mode_configuration"
    if "auto_mode_configuration_json" in values:
        rules = values["auto_mode_configuration_json"]
        if isinstance(rules, list):
            rules = [_rule(each) if isinstance(each, dict) else each for each in rules]
        request.set(option, rules, source="auto_mode_configuration_json")
        return
    triggers = ("image_in_page", "table_in_page", "text_in_page", "regexp_in_page")
    rules = [
        {"parsing_conf": {"tier": "agentic"}, trigger: value}
        for trigger in triggers
        if (value := values.get(f"auto_mode_trigger_on_{trigger}"))
    ]
    request.set(option, rules, source="auto_mode")


def _rule(rule: dict[str, Any]) -> dict[str, Any]:
    """Return a rule of auto mode with a tier in place of the mode of the first API."""
    conf = rule.get("parsing_conf")
    if not isinstance(conf, dict) or "tier" in conf:
        return rule
    conf = dict(conf)
    mode = str(conf.pop("parse_mode", "")).removeprefix("ParsingMode.")
    switches = [_TIER_OF_SWITCH[name] for name in _TIER_OF_SWITCH if conf.pop(name, False)]
    if tier := TIER_OF_MODE.get(mode) or next(iter(switches), None):
        conf["tier"] = tier
    return {**rule, "parsing_conf": conf}


def _set_pages(request: UploadRequest, values: dict[str, Any]) -> None:
    request.set("page_ranges.target_pages", _from_one(values.get("target_pages", "")), source="target_pages")
    request.set("page_ranges.max_pages", values.get("max_pages") or None, source="max_pages")  # 0: all
    if box := values.get("bounding_box"):
        try:
            sides = [_number(part) for part in box.split(",")]
        except ValueError:
            sides = []
        if len(sides) != 4:
            detail = "Send four numbers, the margins top, right, bottom and left: 0.1,0,0.2,0."
            raise InvalidOption(detail, location=("body", "bounding_box"), value=box)
        for side, value in zip(("top", "right", "bottom", "left"), sides, strict=True):
            request.set(f"crop_box.{side}", value, source="bounding_box")


def _from_one(target_pages: str) -> str | None:
    """Return the pages, which the first API counts from 0, counted from 1. Raise InvalidOption."""
    if not target_pages:
        return None
    parts = []
    for part in target_pages[:MAX_PAGE_RANGES_CHARACTERS].split(","):
        found = _RANGE.fullmatch(part)
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
        if last < first or len(target_pages) > MAX_PAGE_RANGES_CHARACTERS:
            detail = 'Send page numbers from 0 and ranges of them, for example "0,2-4".'
            raise InvalidOption(detail, location=("body", "target_pages"), value=target_pages)
        parts.append(f"{first + 1}-{last + 1}" if last > first else str(first + 1))
    return ",".join(parts)


def _set_output(request: UploadRequest, values: dict[str, Any]) -> None:
    # "en" is what the clients send unless a person chooses languages, so it does not switch their detection off.
    languages = [language.removeprefix("Language.") for language in values.get("language", ())]
    if languages and languages != ["en"]:
        request.set("processing_options.ocr_parameters.languages", languages, source="language")
    as_markdown = not values.get("output_tables_as_HTML", False)
    request.set("output_options.markdown.tables.output_tables_as_markdown", as_markdown, source="output_tables_as_HTML")
    if values.get("merge_tables_across_pages_in_markdown"):
        detail = "Results of this API are given page by page. Fetch markdown_full: GET /api/v2/parse/{job_id}."
        request.warn("option_without_effect", detail, "merge_tables_across_pages_in_markdown")
    if values.get("line_level_bounding_box"):
        request.set("output_options.granular_bboxes", ["line"], source="line_level_bounding_box")
    keeps_images = values.get("save_images", True) and not values.get("disable_image_extraction", False)
    images = (["screenshot"] if values.get("take_screenshot") else []) + (["layout"] if keeps_images else [])
    request.set("output_options.images_to_save", images, source="take_screenshot")
    for name, effort in _CHARTS.items():
        source = f"specialized_chart_parsing_{name}"
        if values.get(source):
            request.set("processing_options.specialized_chart_parsing", effort, source=source)
            break


def _set_structured_output(request: UploadRequest, values: dict[str, Any]) -> None:
    """Set the extraction of each page. Raise InvalidSchema or SchemaTooLarge."""
    text = values.get("structured_output_json_schema")
    if not text:
        if values.get("structured_output") or values.get("structured_output_json_schema_name"):
            detail = "Structured output needs a schema of yours. Send structured_output_json_schema."
            request.refuse("structured_output", detail)
        return
    try:
        schema = parse_json(
            text.encode("utf-8", "surrogatepass"), source="The form field structured_output_json_schema"
        )
    except InvalidJson as error:
        raise InvalidSchema(f"structured_output_json_schema cannot be read: {error.detail}") from None
    check_schema(schema)
    request.annotation = AnnotationTask(kind="extract", target="page", schema_=schema)


def _set_control(request: UploadRequest, values: dict[str, Any]) -> None:
    for name, option in (
        ("job_timeout_in_seconds", "base_in_seconds"),
        ("job_timeout_extra_time_per_page_in_seconds", "extra_time_per_page_in_seconds"),
    ):
        if name in values:
            request.set(f"processing_control.timeouts.{option}", math.ceil(values[name]), source=name)
    if mode := values.get("replace_failed_page_mode"):
        name = "replace_failed_page_mode"
        request.set(f"first_api.{name}", mode.removeprefix("FailedPageMode."), source=name)
    webhooks = values.get("webhook_configurations", [])
    if "webhook_url" in values and isinstance(webhooks, list):
        webhooks = [*webhooks, {"webhook_url": values["webhook_url"], "webhook_sends_result": True}]
    if webhooks:
        source = "webhook_configurations" if "webhook_configurations" in values else "webhook_url"
        request.set("webhook_configurations", webhooks, source=source)
