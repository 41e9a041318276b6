"""The groups of options below ``JobOptions`` (options.py), named and shaped as in LlamaParse's second API.

``WithoutEffect`` marks an option that is accepted and changes nothing; a request that sets one gets a warning.
``Refused`` marks one that a client relies on outside the result, such as a webhook: a request that sets it is refused,
unless UNSUPPORTED_OPTIONS=warn. A mark goes when code reads the option: tests/unit/jobs/test_options.py compares.
``None`` means that an option is left out, everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Optional, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from apps.jobs import option_schemas as schemas
from apps.pages.model.text import languages
from apps.webhooks.events import EVENTS

WITHOUT_EFFECT = "without_effect"
Value = TypeVar("Value")
WithoutEffect = Annotated[Optional[Value], WITHOUT_EFFECT]  # noqa: UP045 (an alias that takes a type)
REFUSED = "refused"
Refused = Annotated[Optional[Value], WITHOUT_EFFECT, REFUSED]  # noqa: UP045


def _whole(value: object) -> object:
    """Return 5 for 5.0: JSON has one kind of number, and some clients write every number with a point."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_whole)
"""Of a whole number. It comes after the bounds, otherwise the description lacks them."""
Share = Annotated[float, Field(ge=0, le=1)]
TierName = Literal["fast", "cost_effective", "balanced", "multimodal", "agentic", "agentic_plus"]
ChartEffort = Literal["efficient", "agentic", "agentic_plus"]
ShortText = Annotated[str, Field(max_length=1000)]
Prompt = Annotated[str, Field(max_length=20_000)]
TransactionId = Annotated[
    str,
    Field(
        description="the same as the header Idempotency-Key",
        json_schema_extra={"minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
    ),
]
Names = Annotated[list[ShortText], Field(max_length=200)]
SECRETS = frozenset({"password", "webhook_signing_secret", "webhook_headers"})


class Options(BaseModel):
    """A group of options. Types are exact: "5" is not a number and 1 is not true."""

    unknown_warning: ClassVar[str] = "This option is not known and was ignored."

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, protected_namespaces=())

    def stored(self) -> dict[str, Any]:
        """Return the options that are set, as JSON, without unknown names and without secrets."""
        return {
            name: _stored(value)
            for name, value in self
            if name in type(self).model_fields and name not in SECRETS and value is not None
        }


def _stored(value: object) -> object:
    if isinstance(value, Options):
        return value.stored()
    return [_stored(item) for item in value] if isinstance(value, list) else value


class AgenticOptions(Options):
    """``custom_prompt`` is in LlamaParse's second API, the other prompts in its first; ``check_answers`` is ours."""

    check_answers: (
        Annotated[bool, Field(description="Refuse answers that differ from the page (default); false: only report it.")]
        | None
    ) = None
    custom_prompt: Prompt | None = None
    system_prompt: Prompt | None = None
    system_prompt_append: Prompt | None = None
    user_prompt: Prompt | None = None
    parsing_instruction: Prompt | None = None
    formatting_instruction: Prompt | None = None
    complemental_formatting_instruction: Prompt | None = None
    content_guideline_instruction: Prompt | None = None


class FastOptions(Options):
    """Empty, as in LlamaParse."""


class CropBox(Options):
    """The margins of pages that are not read: shares of the page's height and width, cut from each side."""

    top: Annotated[Share, Field(description="share of the page's height that is not read, at its top")] | None = None
    right: Annotated[Share, Field(description="share of the page's width that is not read, at its right")] | None = None
    bottom: Annotated[Share, Field(description="share of the page's height that is not read, at its foot")] | None = (
        None
    )
    left: Annotated[Share, Field(description="share of the page's width that is not read, at its left")] | None = None


class PageRanges(Options):
    target_pages: (
        Annotated[
            str,
            Field(
                description="Pages from 1 and ranges of them: 1,3,5-8",
                max_length=4096,
                json_schema_extra={"pattern": schemas.PAGES},
            ),
        ]
        | None
    ) = None
    max_pages: Annotated[int, Field(ge=1, le=1_000_000, description="target_pages wins over it"), WHOLE] | None = None


class HtmlInput(Options):
    make_all_elements_visible: Annotated[bool | None, Field(description="hidden elements are read, too")] = None
    remove_fixed_elements: Annotated[bool | None, Field(description="elements with a fixed place are left out")] = None
    remove_navigation_elements: Annotated[bool | None, Field(description="menus and side bars are left out")] = None


class ImageInput(Options):
    camera_photo_correction: WithoutEffect[bool] = None


class PdfInput(Options):
    password: (
        Annotated[str, Field(max_length=1000, description="Opens an encrypted document; never given back")] | None
    ) = None


class PresentationInput(Options):
    include_hidden_slides: Annotated[bool | None, Field(description="hidden slides are pages, too")] = None
    out_of_bounds_content: Annotated[bool | None, Field(description="what is outside of the slide is read, too")] = None
    skip_embedded_data: Annotated[bool | None, Field(description="the data of charts is not read")] = None


class SpreadsheetInput(Options):
    detect_sub_tables_in_sheets: Annotated[
        bool | None, Field(description="tables of a sheet that empty rows or columns part are tables of their own")
    ] = None
    force_formula_computation_in_sheets: Annotated[bool | None, Field(description="all formulas are computed anew")] = (
        None
    )
    include_hidden_sheets: Annotated[bool | None, Field(description="hidden sheets are pages, too")] = None


class InputOptions(Options):
    html: HtmlInput | None = None
    image: ImageInput | None = None
    pdf: PdfInput | None = None
    presentation: PresentationInput | None = None
    spreadsheet: SpreadsheetInput | None = None


class MarkdownTables(Options):
    compact_markdown_tables: (
        Annotated[bool, Field(description="tables with pipes have no blanks beside their pipes")] | None
    ) = None
    merge_continued_tables: (
        Annotated[
            bool,
            Field(
                description="false: a table that continues on the next page stays two in markdown_full and text_full; "
                "pages always have their own part"
            ),
        ]
        | None
    ) = None
    output_tables_as_markdown: bool | None = None
    markdown_table_multiline_separator: (
        Annotated[
            str,
            Field(
                max_length=100,
                pattern=r"^[^|\r\n]*$",
                description="between the lines of a cell that a model keeps apart, in tables with pipes; wrapped lines "
                "of the text layer are one line",
            ),
        ]
        | None
    ) = None


class MarkdownOutput(Options):
    annotate_links: bool | None = None
    inline_images: Annotated[
        bool | None, Field(description="Markdown contains the pictures, as data addresses; at most 200")
    ] = None
    annotate_line_numbers: WithoutEffect[bool] = None
    annotate_revisions: Annotated[
        bool | None, Field(description="tracked changes and comments are listed with the items")
    ] = None
    tables: MarkdownTables | None = None


class SpatialText(Options):
    do_not_unroll_columns: Annotated[
        bool | None, Field(description="text is in a grid: each line at its place, columns side by side")
    ] = None
    preserve_layout_alignment_across_pages: Annotated[
        bool | None, Field(description="text is in one grid for all pages, columns side by side")
    ] = None
    preserve_very_small_text: bool | None = None


class TablesAsSpreadsheet(Options):
    enable: Annotated[bool, Field(description="writes a workbook; its link is in xlsx_content_metadata")] | None = None
    guess_sheet_name: Annotated[bool, Field(description="names each sheet by the heading above its table")] | None = (
        None
    )


class OutputOptions(Options):
    markdown: MarkdownOutput | None = None
    spatial_text: SpatialText | None = None
    tables_as_spreadsheet: TablesAsSpreadsheet | None = None
    images_to_save: (
        Annotated[
            list[Literal["screenshot", "embedded", "layout"]],
            Field(
                max_length=3, description="pictures in images_content_metadata; layout (default) and embedded are alike"
            ),
        ]
        | None
    ) = None
    save_output_pdf: (
        Annotated[
            bool,
            Field(
                description="output_pdf_content_metadata has a link to the document as a PDF; office documents are "
                "printed by LibreOffice"
            ),
        ]
        | None
    ) = None
    extract_printed_page_number: bool | None = None
    granular_bboxes: (
        Annotated[
            list[Literal["word", "line", "cell"]],
            Field(max_length=3, description="boxes inside items, in result_content_metadata.grounded_items"),
        ]
        | None
    ) = None
    additional_outputs: Annotated[
        Names | None,
        Field(
            description="links in result_content_metadata: stripped_md and concatenated_stripped_txt to the plain "
            "text, word_bbox to raw_words, the words with their boxes; other names have a warning"
        ),
    ] = None
    watermark_handling: WithoutEffect[Literal["move_to_end", "move_to_start", "remove"]] = None


def check_language(code: str) -> str:
    """Return the code. Raise UnknownLanguage if no engine can read the language."""
    languages.find(code)
    return code


_LANGUAGES: Any = sorted(languages.languages_by_spelling())


class OcrParameters(Options):
    """``disable_ocr``, ``high_res_ocr`` and ``barcodes`` are an addition; LlamaParse's first API has the first two."""

    languages: (
        Annotated[
            list[Annotated[str, Field(json_schema_extra={"enum": _LANGUAGES}), AfterValidator(check_language)]],
            Field(max_length=10, description="of the text in pictures, the main one first; detected when left out"),
        ]
        | None
    ) = None
    disable_ocr: bool | None = None
    high_res_ocr: bool | None = None
    barcodes: (
        Annotated[bool, Field(description="also looks for bar codes and QR codes on pages that need no OCR")] | None
    ) = None


class Ignore(Options):
    ignore_diagonal_text: (
        Annotated[bool, Field(description="leaves out text of the text layer that is neither horizontal nor vertical")]
        | None
    ) = None
    ignore_hidden_text: bool | None = None
    ignore_text_in_image: bool | None = None


class CostOptimizer(Options):
    enable: bool | None = None


class AutoModeParsing(Options):
    """How the pages of a rule are parsed. Without a tier they keep the mode of the job."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"properties": {"version": schemas.NULL}}, *schemas.tiers_with_versions()]}
    )

    tier: TierName | None = None
    version: ShortText | None = None
    custom_prompt: Prompt | None = None
    adaptive_long_table: WithoutEffect[bool] = None
    aggressive_table_extraction: WithoutEffect[bool] = None
    crop_box: Refused[CropBox] = None
    extract_layout: WithoutEffect[bool] = None
    high_res_ocr: WithoutEffect[bool] = None
    ignore: WithoutEffect[dict[str, Any]] = None
    language: WithoutEffect[ShortText] = None
    outlined_table_extraction: WithoutEffect[bool] = None
    presentation: WithoutEffect[dict[str, Any]] = None
    spatial_text: WithoutEffect[SpatialText] = None
    specialized_chart_parsing: WithoutEffect[ChartEffort] = None


# The values of triggers are checked in apps/parsing/routing/auto_mode.py: a number may be a text there.
TriggerCount = Annotated[Any, WithJsonSchema(schemas.count())]
TriggerPercent = Annotated[Any, WithJsonSchema(schemas.number(100))]
TriggerShare = Annotated[Any, WithJsonSchema(schemas.number(1))]
TriggerText = Annotated[Any, WithJsonSchema(schemas.TEXT)]
TriggerTexts = Annotated[Any, WithJsonSchema(schemas.TEXTS)]
TriggerElement = Annotated[Any, WithJsonSchema(schemas.ELEMENT)]
TriggerSwitch = Annotated[Any, WithJsonSchema(schemas.SWITCH)]


class AutoModeRule(Options):
    """The pages on which the triggers match are parsed as in ``parsing_conf``. The first rule that matches wins."""

    unknown_warning = "This trigger is not known, so it never matches."

    parsing_conf: AutoModeParsing
    trigger_mode: Literal["and", "or"] | None = None
    filename_match_glob: TriggerText = None
    filename_match_glob_list: TriggerTexts = None
    filename_regexp: TriggerText = None
    filename_regexp_mode: TriggerText = None
    full_page_image_in_page: TriggerSwitch = None
    full_page_image_in_page_threshold: TriggerShare = None
    image_in_page: TriggerSwitch = None
    layout_element_in_page: TriggerElement = None
    layout_element_in_page_confidence_threshold: TriggerShare = None
    page_contains_at_least_n_charts: TriggerCount = None
    page_contains_at_least_n_images: TriggerCount = None
    page_contains_at_least_n_layout_elements: TriggerCount = None
    page_contains_at_least_n_lines: TriggerCount = None
    page_contains_at_least_n_links: TriggerCount = None
    page_contains_at_least_n_numbers: TriggerCount = None
    page_contains_at_least_n_percent_numbers: TriggerPercent = None
    page_contains_at_least_n_tables: TriggerCount = None
    page_contains_at_least_n_words: TriggerCount = None
    page_contains_at_most_n_charts: TriggerCount = None
    page_contains_at_most_n_images: TriggerCount = None
    page_contains_at_most_n_layout_elements: TriggerCount = None
    page_contains_at_most_n_lines: TriggerCount = None
    page_contains_at_most_n_links: TriggerCount = None
    page_contains_at_most_n_numbers: TriggerCount = None
    page_contains_at_most_n_percent_numbers: TriggerPercent = None
    page_contains_at_most_n_tables: TriggerCount = None
    page_contains_at_most_n_words: TriggerCount = None
    page_longer_than_n_chars: TriggerCount = None
    page_md_error: TriggerSwitch = None
    page_shorter_than_n_chars: TriggerCount = None
    regexp_in_page: TriggerText = None
    regexp_in_page_mode: TriggerText = None
    table_in_page: TriggerSwitch = None
    text_in_page: TriggerText = None

    def stored(self) -> dict[str, Any]:
        """Return the rule as JSON. Unknown triggers are kept by name, because they keep the rule from matching."""
        return super().stored() | dict.fromkeys(self.model_extra or (), True)


class ProcessingOptions(Options):
    ocr_parameters: OcrParameters | None = None
    ignore: Ignore | None = None
    aggressive_table_extraction: WithoutEffect[bool] = None
    disable_heuristics: WithoutEffect[bool] = None
    specialized_chart_parsing: WithoutEffect[ChartEffort] = None
    cost_optimizer: CostOptimizer | None = None
    confidence_score_effort: WithoutEffect[Literal["high"]] = None
    forms: WithoutEffect[Literal["default", "enrich"]] = None
    auto_mode_configuration: Annotated[list[AutoModeRule], Field(max_length=100)] | None = None


class Timeouts(Options):
    base_in_seconds: Annotated[int, Field(ge=1, le=7200), WHOLE] | None = None
    extra_time_per_page_in_seconds: Annotated[int, Field(ge=0, le=300), WHOLE] | None = None


class JobFailureConditions(Options):
    allowed_page_failure_ratio: Share | None = None
    fail_on_buggy_font: bool | None = None
    fail_on_image_extraction_error: WithoutEffect[bool] = None
    fail_on_image_ocr_error: bool | None = None
    fail_on_markdown_reconstruction_error: bool | None = None


class ProcessingControl(Options):
    timeouts: Timeouts | None = None
    job_failure_conditions: JobFailureConditions | None = None


class WebhookConfiguration(Options):
    model_config = ConfigDict(json_schema_extra={"required": ["webhook_url"]})

    webhook_url: Annotated[
        ShortText | None, WithJsonSchema({"type": "string", "format": "uri", "minLength": 1, "maxLength": 1000})
    ] = None
    webhook_events: Annotated[
        Names | None, WithJsonSchema(schemas.or_null({"type": "array", "items": {"enum": list(EVENTS)}, "minItems": 1}))
    ] = None
    webhook_headers: dict[str, str] | None = None
    webhook_output_format: Literal["string", "json"] | None = None
    webhook_signing_secret: ShortText | None = None
    webhook_sends_result: Annotated[
        bool | None, Field(description="true: at the end, send the whole result, as LlamaParse's first API does")
    ] = None


class FirstApiOutput(Options):
    """How ``/api/v1/parsing`` presents the result of the job; see LlamaParse's first API. The second ignores it.

    In the texts around pages, ``{page_number}`` is the number of the page; in ``page_separator``, of the next one.
    """

    page_separator: ShortText | None = None
    page_prefix: ShortText | None = None
    page_suffix: ShortText | None = None
    hide_headers: bool | None = None
    hide_footers: bool | None = None
    page_header_prefix: ShortText | None = None
    page_header_suffix: ShortText | None = None
    page_footer_prefix: ShortText | None = None
    page_footer_suffix: ShortText | None = None
    replace_failed_page_mode: Literal["raw_text", "blank_page", "error_message"] | None = None
    replace_failed_page_with_error_message_prefix: ShortText | None = None
    replace_failed_page_with_error_message_suffix: ShortText | None = None
    extract_layout: bool | None = None
    extract_charts: bool | None = None
    output_s3_path_prefix: Annotated[str, Field(max_length=1100)] | None = None
    output_s3_region: ShortText | None = None
    output_s3_exports: Names | None = None


class DoclingOutput(Options):
    """How ``/v1/convert`` presents the result of the job; see docling-serve's API. Others ignore it."""

    to_formats: Annotated[list[Literal["md", "json", "html", "text"]], Field(min_length=1, max_length=4)] | None = None
    md_page_break_placeholder: ShortText | None = None


@dataclass(frozen=True)
class Presentation:
    """The values of ``FirstApiOutput`` with their defaults."""

    page_separator: str = "\n---\n"
    page_prefix: str = ""
    page_suffix: str = ""
    hide_headers: bool = False
    hide_footers: bool = False
    page_header_prefix: str = ""
    page_header_suffix: str = ""
    page_footer_prefix: str = ""
    page_footer_suffix: str = ""
    replace_failed_page_mode: str = "raw_text"
    replace_failed_page_with_error_message_prefix: str = ""
    replace_failed_page_with_error_message_suffix: str = ""
    extract_layout: bool = False
    extract_charts: bool = False
