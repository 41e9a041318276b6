"""The form fields of ``POST /api/v1/parsing/upload``: their types, and the options of the second API that they mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["switch", "integer", "number", "text", "json"]


@dataclass(frozen=True)
class FormField:
    """``option``: the path of the option that gets the value, with dots; "" if none does.

    ``has_effect`` False: a request that sets the field gets a warning.
    """

    kind: Kind
    option: str = ""
    has_effect: bool = True


def _named(kind: Kind, group: str, *names: str) -> dict[str, FormField]:
    """Return fields whose options have the same names, in a group of options."""
    return {name: FormField(kind, f"{group}.{name}" if group else name) for name in names}


def _without_effect(kind: Kind, *names: str) -> dict[str, FormField]:
    return {name: FormField(kind, has_effect=False) for name in names}


def _handled(kind: Kind, *names: str) -> dict[str, FormField]:
    """Return fields that ``upload_request.py`` translates itself."""
    return {name: FormField(kind) for name in names}


_OCR, _IGNORE = "processing_options.ocr_parameters", "processing_options.ignore"
_MARKDOWN, _TABLES = "output_options.markdown", "output_options.markdown.tables"
_SHEETS, _HTML, _SLIDES = "input_options.spreadsheet", "input_options.html", "input_options.presentation"
_CONDITIONS = "processing_control.job_failure_conditions"

FIELDS: dict[str, FormField] = {
    # The document
    **_handled("text", "input_url", "input_s3_path", "input_s3_region", "output_s3_exports"),
    **_named("text", "first_api", "output_s3_path_prefix", "output_s3_region"),
    "http_proxy": FormField("text", "http_proxy"),
    # The mode
    **_handled("text", "tier", "version", "parse_mode"),
    **_handled("switch", "fast_mode", "premium_mode", "continuous_mode", "gpt4o_mode", "use_vendor_multimodal_model"),
    **_without_effect("text", "preset", "model", "vendor_multimodal_model_name"),
    **_without_effect("text", "gpt4o_api_key", "vendor_multimodal_api_key"),
    **_without_effect("text", "azure_openai_endpoint", "azure_openai_key"),
    **_without_effect("text", "azure_openai_deployment_name", "azure_openai_api_version"),
    **_handled("switch", "auto_mode", "auto_mode_trigger_on_image_in_page", "auto_mode_trigger_on_table_in_page"),
    **_handled("text", "auto_mode_trigger_on_text_in_page", "auto_mode_trigger_on_regexp_in_page"),
    **_handled("json", "auto_mode_configuration_json"),
    "enable_cost_optimizer": FormField("switch", "processing_options.cost_optimizer.enable"),
    # Pages
    **_handled("text", "target_pages", "bounding_box"),
    **_handled("integer", "max_pages"),
    "bbox_top": FormField("number", "crop_box.top"),
    "bbox_right": FormField("number", "crop_box.right"),
    "bbox_bottom": FormField("number", "crop_box.bottom"),
    "bbox_left": FormField("number", "crop_box.left"),
    # Text
    **_handled("text", "language"),
    **_named("switch", _OCR, "disable_ocr", "high_res_ocr", "barcodes"),
    "skip_diagonal_text": FormField("switch", f"{_IGNORE}.ignore_diagonal_text"),
    "remove_hidden_text": FormField("switch", f"{_IGNORE}.ignore_hidden_text"),
    **_named(
        "switch",
        "output_options.spatial_text",
        "preserve_very_small_text",
        "do_not_unroll_columns",
        "preserve_layout_alignment_across_pages",
    ),
    # Layout, pictures, charts
    **_named("switch", "first_api", "extract_layout", "extract_charts"),
    **_handled("switch", "line_level_bounding_box", "take_screenshot", "save_images", "disable_image_extraction"),
    **_without_effect("switch", "layout_aware", "ignore_document_elements_for_layout_detection"),
    **_without_effect("switch", "precise_bounding_box", "specialized_image_parsing"),
    "inline_images_in_markdown": FormField("switch", f"{_MARKDOWN}.inline_images"),
    **_handled("switch", "specialized_chart_parsing_efficient", "specialized_chart_parsing_agentic"),
    **_handled("switch", "specialized_chart_parsing_plus"),
    # Tables and spreadsheets
    **_handled("switch", "output_tables_as_HTML"),
    "compact_markdown_table": FormField("switch", f"{_TABLES}.compact_markdown_tables"),
    "markdown_table_multiline_header_separator": FormField("text", f"{_TABLES}.markdown_table_multiline_separator"),
    "merge_tables_across_pages_in_markdown": FormField("switch", f"{_TABLES}.merge_continued_tables"),
    **_without_effect("switch", "keep_page_separator_when_merging_tables"),
    **_without_effect("switch", "adaptive_long_table", "outlined_table_extraction"),
    **_named("switch", "processing_options", "aggressive_table_extraction"),
    "guess_xlsx_sheet_name": FormField("switch", "output_options.tables_as_spreadsheet.guess_sheet_name"),
    "spreadsheet_extract_sub_tables": FormField("switch", f"{_SHEETS}.detect_sub_tables_in_sheets"),
    "spreadsheet_force_formula_computation": FormField("switch", f"{_SHEETS}.force_formula_computation_in_sheets"),
    "spreadsheet_include_hidden_sheets": FormField("switch", f"{_SHEETS}.include_hidden_sheets"),
    # HTML and slides
    "html_make_all_elements_visible": FormField("switch", f"{_HTML}.make_all_elements_visible"),
    "html_remove_fixed_elements": FormField("switch", f"{_HTML}.remove_fixed_elements"),
    "html_remove_navigation_elements": FormField("switch", f"{_HTML}.remove_navigation_elements"),
    "presentation_out_of_bounds_content": FormField("switch", f"{_SLIDES}.out_of_bounds_content"),
    "presentation_skip_embedded_data": FormField("switch", f"{_SLIDES}.skip_embedded_data"),
    # The text of results
    **_named("text", "first_api", "page_separator", "page_prefix", "page_suffix"),
    **_named("switch", "first_api", "hide_headers", "hide_footers"),
    **_named("text", "first_api", "page_header_prefix", "page_header_suffix"),
    **_named("text", "first_api", "page_footer_prefix", "page_footer_suffix"),
    **_named("switch", _MARKDOWN, "annotate_links"),
    **_named("switch", "output_options", "extract_printed_page_number"),
    "output_pdf_of_document": FormField("switch", "output_options.save_output_pdf"),
    **_without_effect("switch", "disable_reconstruction", "is_formatting_instruction"),
    # Prompts
    **_named("text", "agentic_options", "system_prompt", "system_prompt_append", "user_prompt", "parsing_instruction"),
    **_named("text", "agentic_options", "formatting_instruction", "complemental_formatting_instruction"),
    **_named("text", "agentic_options", "content_guideline_instruction"),
    # Structured output
    **_handled("switch", "structured_output"),
    **_handled("text", "structured_output_json_schema", "structured_output_json_schema_name"),
    # Cache, time, failures
    **_named("switch", "", "do_not_cache", "invalidate_cache"),
    **_handled("number", "job_timeout_in_seconds", "job_timeout_extra_time_per_page_in_seconds"),
    "page_error_tolerance": FormField("number", f"{_CONDITIONS}.allowed_page_failure_ratio"),
    **_handled("text", "replace_failed_page_mode"),
    **_named("text", "first_api", "replace_failed_page_with_error_message_prefix"),
    **_named("text", "first_api", "replace_failed_page_with_error_message_suffix"),
    "strict_mode_buggy_font": FormField("switch", f"{_CONDITIONS}.fail_on_buggy_font"),
    "strict_mode_image_extraction": FormField("switch", f"{_CONDITIONS}.fail_on_image_extraction_error"),
    "strict_mode_image_ocr": FormField("switch", f"{_CONDITIONS}.fail_on_image_ocr_error"),
    "strict_mode_reconstruction": FormField("switch", f"{_CONDITIONS}.fail_on_markdown_reconstruction_error"),
    # Webhooks
    **_handled("text", "webhook_url"),
    **_handled("json", "webhook_configurations"),
}
"""Every field that LlamaParse's clients send, except those of ``MARKERS``."""

MARKERS = frozenset(
    {"file", "from_python_package", "organization_id", "project_id", "max_pages_enforced", "internal_is_screenshot_job"}
)
"""Fields that say nothing about how to parse the document."""

MAY_BE_EMPTY = frozenset({"page_separator", "page_prefix", "page_suffix"})
"""Fields whose empty value is a choice. In all others it means that the option is left out."""
