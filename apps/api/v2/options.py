"""The options of a parse request (LlamaParse v2): every known one with its type; unknown ones are kept aside.

``Later`` marks an option that is understood and accepted and changes nothing yet; a request that sets one is told so.
Remove the mark when the option gets its effect. ``None`` means the same as leaving an option out, everywhere.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Optional, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from apps.pages.model import languages

NOT_YET = "not_yet"
Value = TypeVar("Value")
Now = Optional[Value]  # noqa: UP045 (an alias that takes a type)
Later = Annotated[Optional[Value], NOT_YET]  # noqa: UP045

Share = Annotated[float, Field(ge=0, le=1)]
TierName = Literal["fast", "cost_effective", "balanced", "multimodal", "agentic", "agentic_plus"]
OfficialTier = Literal["fast", "cost_effective", "agentic", "agentic_plus"]
ChartEffort = Literal["efficient", "agentic", "agentic_plus"]
ShortText = Annotated[str, Field(max_length=1000)]
Prompt = Annotated[str, Field(max_length=20_000)]
Names = Annotated[list[ShortText], Field(max_length=200)]


class Options(BaseModel):
    """Types are exact: "5" is not a number and 1 is not true. ``unknown_told``: what is said of unknown names."""

    unknown_told: ClassVar[str] = "This option is not known and was ignored."

    model_config = ConfigDict(extra="allow", strict=True, protected_namespaces=())


class AgenticOptions(Options):
    """``custom_prompt`` is LlamaParse's; the others are those of its first API."""

    custom_prompt: Now[Prompt] = None
    system_prompt: Now[Prompt] = None
    system_prompt_append: Now[Prompt] = None
    user_prompt: Now[Prompt] = None
    parsing_instruction: Now[Prompt] = None
    formatting_instruction: Now[Prompt] = None
    complemental_formatting_instruction: Now[Prompt] = None
    content_guideline_instruction: Now[Prompt] = None


class CropBox(Options):
    top: Later[Share] = None
    right: Later[Share] = None
    bottom: Later[Share] = None
    left: Later[Share] = None


class PageRanges(Options):
    target_pages: (
        Annotated[str, Field(description="Pages from 1 and ranges of them: 1,3,5-8", max_length=4096)] | None
    ) = None
    max_pages: Annotated[int, Field(ge=1, le=1_000_000, description="target_pages wins over it")] | None = None


class HtmlInput(Options):
    make_all_elements_visible: Now[bool] = None
    remove_fixed_elements: Now[bool] = None
    remove_navigation_elements: Now[bool] = None


class ImageInput(Options):
    camera_photo_correction: Later[bool] = None


class PdfInput(Options):
    password: (
        Annotated[str, Field(max_length=1000, description="Opens an encrypted document; never given back")] | None
    ) = None


class PresentationInput(Options):
    include_hidden_slides: Now[bool] = None
    out_of_bounds_content: Now[bool] = None
    skip_embedded_data: Now[bool] = None


class SpreadsheetInput(Options):
    detect_sub_tables_in_sheets: Now[bool] = None
    force_formula_computation_in_sheets: Now[bool] = None
    include_hidden_sheets: Now[bool] = None


class InputOptions(Options):
    html: Now[HtmlInput] = None
    image: Now[ImageInput] = None
    pdf: Now[PdfInput] = None
    presentation: Now[PresentationInput] = None
    spreadsheet: Now[SpreadsheetInput] = None


class MarkdownTables(Options):
    compact_markdown_tables: Later[bool] = None
    merge_continued_tables: Later[bool] = None
    output_tables_as_markdown: Now[bool] = None
    markdown_table_multiline_separator: Later[ShortText] = None


class MarkdownOutput(Options):
    annotate_links: Later[bool] = None
    inline_images: Later[bool] = None
    annotate_line_numbers: Later[bool] = None
    annotate_revisions: Later[bool] = None
    tables: Now[MarkdownTables] = None


class SpatialText(Options):
    do_not_unroll_columns: Later[bool] = None
    preserve_layout_alignment_across_pages: Later[bool] = None
    preserve_very_small_text: Now[bool] = None


class TablesAsSpreadsheet(Options):
    enable: Later[bool] = None
    guess_sheet_name: Now[bool] = None


class OutputOptions(Options):
    markdown: Now[MarkdownOutput] = None
    spatial_text: Now[SpatialText] = None
    tables_as_spreadsheet: Now[TablesAsSpreadsheet] = None
    images_to_save: Later[list[Literal["screenshot", "embedded", "layout"]]] = None
    save_output_pdf: Later[bool] = None
    extract_printed_page_number: Later[bool] = None
    granular_bboxes: Later[list[Literal["word", "line", "cell"]]] = None
    additional_outputs: Later[Names] = None
    watermark_handling: Later[Literal["move_to_end", "move_to_start", "remove"]] = None


def _known_language(code: str) -> str:
    languages.find(code)
    return code


class OcrParameters(Options):
    """``disable_ocr`` and ``high_res_ocr`` are ours here; LlamaParse has them in its first API."""

    languages: Now[
        Annotated[
            list[Annotated[str, AfterValidator(_known_language)]],
            Field(max_length=10, description="of the text in pictures, the main one first; found out when left out"),
        ]
    ] = None
    disable_ocr: Now[bool] = None
    high_res_ocr: Now[bool] = None


class Ignore(Options):
    ignore_diagonal_text: Later[bool] = None
    ignore_hidden_text: Now[bool] = None
    ignore_text_in_image: Now[bool] = None


class CostOptimizer(Options):
    enable: Now[bool] = None


class AutoModeParsing(Options):
    """How the pages of a rule are parsed; without a tier in the mode of the others."""

    tier: Now[TierName] = None
    version: Now[ShortText] = None
    custom_prompt: Now[Prompt] = None
    adaptive_long_table: Later[bool] = None
    aggressive_table_extraction: Later[bool] = None
    crop_box: Now[CropBox] = None
    extract_layout: Later[bool] = None
    high_res_ocr: Later[bool] = None
    ignore: Later[dict[str, Any]] = None
    language: Later[ShortText] = None
    outlined_table_extraction: Later[bool] = None
    presentation: Later[dict[str, Any]] = None
    spatial_text: Now[SpatialText] = None
    specialized_chart_parsing: Later[ChartEffort] = None


# Triggers are checked as rules (apps/parsing/routing/auto_mode.py): numbers may be texts.
# Here they have names and a schema.
TriggerNumber = Annotated[Any, WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string"}, {"type": "null"}]})]
TriggerText = Annotated[Any, WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "null"}]})]
TriggerTexts = Annotated[
    Any, WithJsonSchema({"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]})
]
TriggerSwitch = Annotated[Any, WithJsonSchema({"anyOf": [{"type": "boolean"}, {"type": "null"}]})]


class AutoModeRule(Options):
    """Pages on which the triggers hold are parsed as ``parsing_conf`` says; the first rule that holds wins."""

    unknown_told = "This trigger is not known, so it never holds."

    parsing_conf: AutoModeParsing
    trigger_mode: Now[Literal["and", "or"]] = None
    filename_match_glob: TriggerText = None
    filename_match_glob_list: TriggerTexts = None
    filename_regexp: TriggerText = None
    filename_regexp_mode: TriggerText = None
    full_page_image_in_page: TriggerSwitch = None
    full_page_image_in_page_threshold: TriggerNumber = None
    image_in_page: TriggerSwitch = None
    layout_element_in_page: TriggerText = None
    layout_element_in_page_confidence_threshold: TriggerNumber = None
    page_contains_at_least_n_charts: TriggerNumber = None
    page_contains_at_least_n_images: TriggerNumber = None
    page_contains_at_least_n_layout_elements: TriggerNumber = None
    page_contains_at_least_n_lines: TriggerNumber = None
    page_contains_at_least_n_links: TriggerNumber = None
    page_contains_at_least_n_numbers: TriggerNumber = None
    page_contains_at_least_n_percent_numbers: TriggerNumber = None
    page_contains_at_least_n_tables: TriggerNumber = None
    page_contains_at_least_n_words: TriggerNumber = None
    page_contains_at_most_n_charts: TriggerNumber = None
    page_contains_at_most_n_images: TriggerNumber = None
    page_contains_at_most_n_layout_elements: TriggerNumber = None
    page_contains_at_most_n_lines: TriggerNumber = None
    page_contains_at_most_n_links: TriggerNumber = None
    page_contains_at_most_n_numbers: TriggerNumber = None
    page_contains_at_most_n_percent_numbers: TriggerNumber = None
    page_contains_at_most_n_tables: TriggerNumber = None
    page_contains_at_most_n_words: TriggerNumber = None
    page_longer_than_n_chars: TriggerNumber = None
    page_md_error: TriggerSwitch = None
    page_shorter_than_n_chars: TriggerNumber = None
    regexp_in_page: TriggerText = None
    regexp_in_page_mode: TriggerText = None
    table_in_page: TriggerSwitch = None
    text_in_page: TriggerText = None


class ProcessingOptions(Options):
    ocr_parameters: Now[OcrParameters] = None
    ignore: Now[Ignore] = None
    aggressive_table_extraction: Later[bool] = None
    disable_heuristics: Later[bool] = None
    specialized_chart_parsing: Later[ChartEffort] = None
    cost_optimizer: Now[CostOptimizer] = None
    confidence_score_effort: Later[Literal["high"]] = None
    forms: Later[Literal["default", "enrich"]] = None
    auto_mode_configuration: Now[Annotated[list[AutoModeRule], Field(max_length=100)]] = None


class Timeouts(Options):
    base_in_seconds: Now[Annotated[int, Field(ge=1, le=7200)]] = None
    extra_time_per_page_in_seconds: Now[Annotated[int, Field(ge=0, le=300)]] = None


class JobFailureConditions(Options):
    allowed_page_failure_ratio: Now[Share] = None
    fail_on_buggy_font: Later[bool] = None
    fail_on_image_extraction_error: Later[bool] = None
    fail_on_image_ocr_error: Later[bool] = None
    fail_on_markdown_reconstruction_error: Later[bool] = None


class ProcessingControl(Options):
    timeouts: Now[Timeouts] = None
    job_failure_conditions: Now[JobFailureConditions] = None


class WebhookConfiguration(Options):
    webhook_url: Now[ShortText] = None
    webhook_events: Now[Names] = None
    webhook_headers: Now[dict[str, str]] = None
    webhook_output_format: Now[Literal["string", "json"]] = None
    webhook_signing_secret: Now[ShortText] = None


class ParseOptions(Options):
    """How a document is to be parsed. ``tier`` is required unless ``configuration_id`` names one."""

    tier: TierName | None = None
    version: Annotated[str, Field(max_length=20, description="latest, or one of GET /api/v2/parse/versions")] | None = (
        None
    )
    configuration_id: Now[ShortText] = None
    client_name: Now[ShortText] = None
    disable_cache: Now[bool] = None
    do_not_cache: Annotated[bool | None, Field(description="do not keep models' answers for this document")] = None
    invalidate_cache: Annotated[bool | None, Field(description="do not use answers that were kept before")] = None
    allow_external: Annotated[bool | None, Field(description="false: pages are sent to no external provider")] = None
    providers: Annotated[
        list[ShortText] | None, Field(max_length=50, description="names of the only providers that may be used")
    ] = None
    max_cost: Annotated[
        float | None, Field(ge=0, le=1_000_000, allow_inf_nan=False, description="US dollars the job may cost at most")
    ] = None
    on_budget: Annotated[
        Literal["stop", "degrade"] | None,
        Field(description="pages beyond max_cost: stop fails them, degrade keeps their fallback text"),
    ] = None
    http_proxy: Now[ShortText] = None
    user_metadata: Annotated[dict[Annotated[str, Field(max_length=100)], ShortText] | None, Field(max_length=64)] = None
    fast_options: Now[dict[str, Any]] = None
    agentic_options: Now[AgenticOptions] = None
    crop_box: Now[CropBox] = None
    page_ranges: Now[PageRanges] = None
    input_options: Now[InputOptions] = None
    output_options: Now[OutputOptions] = None
    processing_options: Now[ProcessingOptions] = None
    processing_control: Now[ProcessingControl] = None
    webhook_configurations: Later[Annotated[list[WebhookConfiguration], Field(max_length=50)]] = None
    webhook_configuration_ids: Later[Names] = None


class ParseRequest(ParseOptions):
    """A request without an upload names its document: ``file_id``, or ``source_url`` (not served yet)."""

    file_id: Now[ShortText] = None
    source_url: Annotated[str, Field(max_length=8192)] | None = None
