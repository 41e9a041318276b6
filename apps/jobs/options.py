"""The options of a job: the only definition of their names, types, defaults and meaning.

A request is validated against them once, and ``ParseJob.options`` holds the result of ``stored()``. Read them through
``ParseJob.parsed_options`` and the properties below, which hold the defaults. Names and types are stored in rows that
older and newer releases read, so add options and values; never rename or remove one.
"""

from __future__ import annotations

from dataclasses import fields
from functools import cached_property
from pathlib import PurePath
from typing import Annotated, Any, Literal

from pydantic import Field

from apps.accounts.models import ProjectQuota
from apps.jobs.option_groups import (
    AgenticOptions,
    CropBox,
    DoclingOutput,
    FastOptions,
    FirstApiOutput,
    HtmlInput,
    Ignore,
    InputOptions,
    JobFailureConditions,
    MarkdownOutput,
    MarkdownTables,
    Names,
    OcrParameters,
    Options,
    OutputOptions,
    PageRanges,
    Presentation,
    PresentationInput,
    ProcessingControl,
    ProcessingOptions,
    ShortText,
    SpatialText,
    SpreadsheetInput,
    TablesAsSpreadsheet,
    Timeouts,
    WebhookConfiguration,
)
from apps.pages.model.geometry import Margins
from apps.pages.model.office_options import OfficeOptions
from apps.pages.output.exports.options import FILE_NAMES
from apps.pages.output.render import Grid
from apps.parsing.prompts.messages import CustomInstructions
from apps.parsing.routing import auto_mode
from apps.providers.catalog import MICROS_PER_DOLLAR, ProviderRules

# Options that choose the mode of single pages.
_PAGE_RULES = ("auto_mode_configuration", "cost_optimizer")


class JobOptions(Options):
    """The options for parsing a document. Tier and version are not options: a job has columns for them."""

    configuration_id: ShortText | None = None
    client_name: ShortText | None = None
    disable_cache: bool | None = None
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
    urgency: Annotated[
        Literal["now", "hours"] | None,
        Field(description="hours: models may answer slowly, at about half the price where the provider offers it"),
    ] = None
    fast_options: FastOptions | None = None
    agentic_options: AgenticOptions | None = None
    crop_box: CropBox | None = None
    page_ranges: PageRanges | None = None
    input_options: InputOptions | None = None
    output_options: OutputOptions | None = None
    processing_options: ProcessingOptions | None = None
    processing_control: ProcessingControl | None = None
    webhook_configurations: Annotated[list[WebhookConfiguration] | None, Field(max_length=50)] = None
    webhook_configuration_ids: Names | None = None
    first_api: FirstApiOutput | None = None
    docling: DoclingOutput | None = None

    def stored(self) -> dict[str, Any]:
        """Return the options that a job keeps, as JSON. Those that only a request has are left out."""
        return {name: value for name, value in super().stored().items() if name in JobOptions.model_fields}

    def as_kept(self) -> JobOptions:
        """Return the options as a worker will read them from the job's row."""
        return JobOptions.model_validate(self.stored())

    def without_page_rules(self) -> JobOptions:
        """Return the options without those that choose the mode of single pages."""
        stored = self.stored()
        for name in _PAGE_RULES:
            stored.get("processing_options", {}).pop(name, None)
        return JobOptions.model_validate(stored)

    @property
    def password(self) -> str | None:
        """Opens an encrypted document. A request has it; a job keeps it sealed in a column."""
        pdf = self.input_options.pdf if self.input_options else None
        return pdf.password if pdf else None

    @property
    def target_pages(self) -> str:
        return ((self.page_ranges and self.page_ranges.target_pages) or "").strip()

    @property
    def max_pages(self) -> int | None:
        return self.page_ranges.max_pages if self.page_ranges else None

    @property
    def margins(self) -> Margins | None:
        """The margins of pages that are not read; None: whole pages are read."""
        box = self.crop_box or CropBox()
        margins = Margins(box.top or 0.0, box.right or 0.0, box.bottom or 0.0, box.left or 0.0)
        return None if margins == Margins() else margins

    @property
    def uses_ocr(self) -> bool:
        return not self._ocr.disable_ocr

    @property
    def ocr_languages(self) -> list[str]:
        """Languages of the text in pictures, the main one first; empty: detect them."""
        return list(self._ocr.languages or [])

    @property
    def high_resolution_ocr(self) -> bool:
        return bool(self._ocr.high_res_ocr)

    @property
    def finds_barcodes(self) -> bool:
        """Bar codes are looked for on pages that need no OCR, too."""
        return bool(self._ocr.barcodes)

    @property
    def ignores_text_in_images(self) -> bool:
        return bool(self._ignore.ignore_text_in_image)

    @property
    def ignores_diagonal_text(self) -> bool:
        return bool(self._ignore.ignore_diagonal_text)

    @property
    def ignores_hidden_text(self) -> bool:
        return bool(self._ignore.ignore_hidden_text)

    @property
    def text_grid(self) -> Grid:
        """Whether text is in a grid, and if so, whether each page has its own or all have the same."""
        spatial = self._output.spatial_text or SpatialText()
        if spatial.preserve_layout_alignment_across_pages:
            return "document"
        return "page" if spatial.do_not_unroll_columns else ""

    @property
    def inlines_images(self) -> bool:
        """Markdown contains the pictures of pages."""
        return bool((self._output.markdown or MarkdownOutput()).inline_images)

    @property
    def preserves_very_small_text(self) -> bool:
        return bool((self._output.spatial_text or SpatialText()).preserve_very_small_text)

    @property
    def writes_pipe_tables(self) -> bool:
        """Tables in Markdown are written with pipes; otherwise in HTML."""
        return bool(self._tables.output_tables_as_markdown)

    @property
    def writes_compact_tables(self) -> bool:
        """Tables with pipes have no blanks beside their pipes."""
        return bool(self._tables.compact_markdown_tables)

    @property
    def cell_line_break(self) -> str:
        """The text between the lines of a cell in tables with pipes."""
        separator = self._tables.markdown_table_multiline_separator
        return "<br>" if separator is None else separator

    @property
    def joins_continued_tables(self) -> bool:
        """In the whole document's Markdown and text, a table that continues on the next page is one table."""
        return self._tables.merge_continued_tables is not False

    @property
    def writes_spreadsheet(self) -> bool:
        """The result has a workbook with the tables."""
        return bool((self._output.tables_as_spreadsheet or TablesAsSpreadsheet()).enable)

    @property
    def guesses_sheet_names(self) -> bool:
        return bool((self._output.tables_as_spreadsheet or TablesAsSpreadsheet()).guess_sheet_name)

    @property
    def saves_pdf(self) -> bool:
        """The result lists the document as a PDF; an office document is printed."""
        return bool(self._output.save_output_pdf)

    @property
    def writes_links(self) -> bool:
        """Links in Markdown have their addresses."""
        return bool((self._output.markdown or MarkdownOutput()).annotate_links)

    @property
    def extracts_printed_page_number(self) -> bool:
        return bool(self._output.extract_printed_page_number)

    @property
    def granular_boxes(self) -> frozenset[str]:
        """The levels of boxes inside items that the job returns: "line", "word", "cell"."""
        return frozenset(self._output.granular_bboxes or ())

    @property
    def additional_outputs(self) -> frozenset[str]:
        """The outputs that the result also has: "stripped_md", "concatenated_stripped_txt", "word_bbox"."""
        return frozenset(self._output.additional_outputs or ())

    @property
    def images_to_save(self) -> frozenset[str]:
        """The kinds of pictures that the result lists: "screenshot", "layout", "embedded"."""
        kinds = self._output.images_to_save
        return frozenset(("layout",) if kinds is None else kinds)

    @property
    def reads_hidden_slides(self) -> bool:
        slides = (self.input_options or InputOptions()).presentation or PresentationInput()
        return bool(slides.include_hidden_slides)

    @property
    def needs_word_boxes(self) -> bool:
        """The reader and OCR return the boxes of words: lines inside table cells are made of them, too."""
        return bool(self.granular_boxes & {"line", "word"}) or "word_bbox" in self.additional_outputs

    @property
    def base_seconds(self) -> int | None:
        """Time that a job may take whatever its pages; None: the setting JOB_BASE_SECONDS."""
        return (self._control.timeouts or Timeouts()).base_in_seconds

    @property
    def seconds_per_page(self) -> int | None:
        """More time for each page; None: the setting JOB_SECONDS_PER_PAGE."""
        return (self._control.timeouts or Timeouts()).extra_time_per_page_in_seconds

    @property
    def allowed_page_failure_ratio(self) -> float | None:
        """The share of failed pages above which the job fails; None: only a job without any good page fails."""
        return (self._control.job_failure_conditions or JobFailureConditions()).allowed_page_failure_ratio

    @property
    def failing_warnings(self) -> frozenset[str]:
        """The warning codes of pages with which the whole job fails."""
        conditions = self._control.job_failure_conditions or JobFailureConditions()
        wanted = {
            "text_unreliable": conditions.fail_on_buggy_font,
            "text_layer_only": conditions.fail_on_image_ocr_error,
            "needs_ocr": conditions.fail_on_image_ocr_error and self.uses_ocr,
            "fallback_used": conditions.fail_on_markdown_reconstruction_error,
        }
        return frozenset(code for code, fails in wanted.items() if fails)

    @cached_property
    def auto_mode_rules(self) -> tuple[auto_mode.Rule, ...]:
        """The rules of auto mode. Raises auto_mode.InvalidRules."""
        return auto_mode.parse_rules([rule.stored() for rule in self._processing.auto_mode_configuration or ()])

    @property
    def optimizes_cost(self) -> bool:
        optimizer = self._processing.cost_optimizer
        return bool(optimizer and optimizer.enable)

    @property
    def max_cost_micros(self) -> int | None:
        """The most the job may cost, in millionths of a US dollar; None: no limit."""
        return None if self.max_cost is None else int(self.max_cost * MICROS_PER_DOLLAR)

    @property
    def stops_on_budget(self) -> bool:
        """Pages beyond ``max_cost`` fail; otherwise they keep their fallback text."""
        return self.on_budget == "stop"

    @property
    def can_wait(self) -> bool:
        """Models may answer slowly where that is cheaper."""
        return self.urgency == "hours"

    @property
    def reads_cache(self) -> bool:
        return not (self.disable_cache or self.invalidate_cache)

    @property
    def writes_cache(self) -> bool:
        return not (self.disable_cache or self.do_not_cache)

    def provider_rules(self, quota: ProjectQuota | None) -> ProviderRules:
        """Return where pages of the job may go, by the rules of its project and by its own options."""
        return ProviderRules(
            project_external=quota.allow_external if quota else True,
            project_providers=tuple(quota.providers) if quota and quota.providers else None,
            job_external=self.allow_external is not False,
            job_providers=None if self.providers is None else tuple(self.providers),
        )

    @property
    def refuses_answers(self) -> bool:
        """A model's answer that differs from its page is refused; otherwise the page gets a warning."""
        return (self.agentic_options or AgenticOptions()).check_answers is not False

    def instructions(self, rule: int | None) -> CustomInstructions:
        """Return the prompts for a page whose mode this rule of auto mode chose; None: no rule chose it."""
        prompts = self.agentic_options or AgenticOptions()
        texts = {each.name: getattr(prompts, each.name) for each in fields(CustomInstructions)}
        if rule is not None and (prompt := self.auto_mode_rules[rule].parsing_conf.custom_prompt):
            texts["custom_prompt"] = prompt
        return CustomInstructions(**{name: text for name, text in texts.items() if text})

    def office(self, document_name: str) -> OfficeOptions:
        """Return how the document of this name is read if it has a structure of its own."""
        inputs = self.input_options or InputOptions()
        html, slides = inputs.html or HtmlInput(), inputs.presentation or PresentationInput()
        sheets, markdown = inputs.spreadsheet or SpreadsheetInput(), self._output.markdown or MarkdownOutput()
        return OfficeOptions(
            suffix=PurePath(document_name).suffix[:20],
            hidden_sheets=bool(sheets.include_hidden_sheets),
            sub_tables=bool(sheets.detect_sub_tables_in_sheets),
            computes_formulas=bool(sheets.force_formula_computation_in_sheets),
            hidden_slides=self.reads_hidden_slides,
            outside_content=bool(slides.out_of_bounds_content),
            skips_embedded_data=bool(slides.skip_embedded_data),
            all_elements_visible=bool(html.make_all_elements_visible),
            no_fixed_elements=bool(html.remove_fixed_elements),
            no_navigation=bool(html.remove_navigation_elements),
            revisions=bool(markdown.annotate_revisions),
        )

    @property
    def s3_output(self) -> tuple[str, str]:
        """The S3 path below which the result is also written, "" if it is not, and the region."""
        group = self.first_api or FirstApiOutput()
        return group.output_s3_path_prefix or "", group.output_s3_region or ""

    @property
    def s3_exports(self) -> tuple[str, ...]:
        """The names of the exports that are also written to S3."""
        names = (self.first_api or FirstApiOutput()).output_s3_exports or ()
        return tuple(name for name in FILE_NAMES if name in names)

    @property
    def presentation(self) -> Presentation:
        """How the first API presents the result."""
        group = self.first_api or FirstApiOutput()
        chosen = {each.name: getattr(group, each.name) for each in fields(Presentation)}
        return Presentation(**{name: value for name, value in chosen.items() if value is not None})

    @property
    def docling_formats(self) -> frozenset[str]:
        """The forms of the result that docling-serve's API returns."""
        return frozenset((self.docling and self.docling.to_formats) or ("md",))

    @property
    def docling_page_break(self) -> str:
        """The text between two pages of the Markdown that docling-serve's API returns; "": join the pages as usual."""
        return (self.docling and self.docling.md_page_break_placeholder) or ""

    @property
    def _processing(self) -> ProcessingOptions:
        return self.processing_options or ProcessingOptions()

    @property
    def _ocr(self) -> OcrParameters:
        return self._processing.ocr_parameters or OcrParameters()

    @property
    def _ignore(self) -> Ignore:
        return self._processing.ignore or Ignore()

    @property
    def _output(self) -> OutputOptions:
        return self.output_options or OutputOptions()

    @property
    def _tables(self) -> MarkdownTables:
        return (self._output.markdown or MarkdownOutput()).tables or MarkdownTables()

    @property
    def _control(self) -> ProcessingControl:
        return self.processing_control or ProcessingControl()
