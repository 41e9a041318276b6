"""Translate the form of Unstructured's API into a request of ours.

Its clients send every option with its default. So another value of an option without effect is 422, and a name that is
not known is a warning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from django.conf import settings
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from apps.api.request_errors import InvalidOptions, OptionProblem, printable
from apps.api.requests.bodies import json_or_text, validated
from apps.api.v1.upload_request import UploadRequest

DEFAULT_CHUNK_CHARS = 500
_TIER_OF_STRATEGY = {"fast": "fast", "vlm": "agentic"}
_LISTS = frozenset({"languages", "ocr_languages", "skip_infer_table_types", "extract_image_block_types"})
# The type is found by the content; XML is given as it is written, with its tags.
_ACCEPTED = ("content_type", "xml_keep_tags")
_ENCODING = "The encoding is that of the document's byte order mark or declaration, or is guessed."
_OF_CLIENTS = "split_pdf_"  # about work of the client
# The only values of options that ask for something that does not exist here.
_ONLY_VALUES: dict[str, tuple[object, ...]] = {
    "do_not_break_similarity_on_footer_header": (False,),
    "extract_image_block_types": ([],),
    "gz_uncompressed_content_type": (),
    "hi_res_model_name": (),
    "pdfminer_char_margin": (),
    "pdfminer_line_margin": (),
    "pdfminer_line_overlap": (),
    "pdfminer_word_margin": (),
    "similarity_threshold": (),
    "table_ocr_agent": (),
    "vlm_model": (),
    "vlm_model_provider": (),
}


def _one_list(value: object) -> object:
    """Return the codes of "deu+eng" and of ["deu", "eng"] alike."""
    return [code for each in value for code in str(each).split("+")] if isinstance(value, list) else value


Languages = Annotated[list[str], BeforeValidator(_one_list), Field(max_length=10)]
Characters = Annotated[int, Field(ge=1, le=1_000_000)]


class PartitionOptions(BaseModel):
    """The options that have an effect."""

    model_config = ConfigDict(extra="allow")

    strategy: Annotated[Literal["auto", "hi_res", "fast", "vlm"], Field(description="vlm is the tier agentic")] = "auto"
    output_format: Literal["application/json", "text/csv"] = "application/json"
    coordinates: bool = False
    include_page_breaks: bool = False
    include_slide_notes: Annotated[bool, Field(description="speaker notes after the elements of their slide")] = True
    unique_element_ids: bool = False
    languages: Languages = []
    ocr_languages: Annotated[Languages, Field(description="the older name of languages")] = []
    skip_infer_table_types: Annotated[list[str], Field(description="pdf, png...: tables without text_as_html")] = []
    pdf_infer_table_structure: bool = True
    starting_page_number: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    chunking_strategy: Literal["basic", "by_title", "by_page"] | None = None
    max_characters: Characters = DEFAULT_CHUNK_CHARS
    new_after_n_chars: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    combine_under_n_chars: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    multipage_sections: bool = True
    overlap: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    overlap_all: bool = False
    include_orig_elements: bool = True


@dataclass(frozen=True)
class PartitionRequest:
    options: PartitionOptions
    translated: UploadRequest


def translate(form: Mapping[str, Sequence[str]]) -> PartitionRequest:
    """Return the options in the fields of a form, and the request that they mean. Raise InvalidOptions."""
    values = {name.removesuffix("[]"): sent for name, sent in form.items() if sent != [""]}
    options = validated(PartitionOptions, {name: _value(name, sent) for name, sent in values.items()})
    request = UploadRequest()
    if options.overlap >= options.max_characters:
        raise _invalid("overlap", "The overlap must be smaller than max_characters.", options.overlap)
    _check_others(options, request)
    tier = _TIER_OF_STRATEGY.get(options.strategy, settings.COMPATIBLE_API_TIER)
    request.set("tier", tier, source="strategy")
    request.set("client_name", "unstructured", source="client_name")
    source = "languages" if options.languages else "ocr_languages"
    codes = [code for code in options.languages or options.ocr_languages if code not in ("", "auto")]
    request.set("processing_options.ocr_parameters.languages", codes or None, source=source)
    return PartitionRequest(options, request)


def _check_others(options: PartitionOptions, request: UploadRequest) -> None:
    """Refuse options that ask for what does not exist here. Warn about names that are not known."""
    for name, value in (options.model_extra or {}).items():
        if name in _ACCEPTED or name.startswith(_OF_CLIENTS):
            continue
        if name == "encoding":
            if str(value).lower() in ("utf-8", "utf_8", "none"):
                continue
            request.warn("option_without_effect", _ENCODING, name)
            continue
        if name not in _ONLY_VALUES:
            request.warn("unknown_option", "This form field is not known and was ignored.", printable(name))
        elif value not in (None, "", *_ONLY_VALUES[name]):
            raise _invalid(name, "This option is not supported here. Leave it out.", value)


def _invalid(name: str, detail: str, value: object) -> InvalidOptions:
    return InvalidOptions([OptionProblem("not_supported", ("body", name), detail, value)])


def _value(name: str, sent: Sequence[str]) -> Any:
    """Return a list for an option with several values, which some clients send as JSON, and a text for others."""
    if name not in _LISTS:
        text = sent[-1]
        return None if text == "null" else json_or_text(text) if name in _ONLY_VALUES else text
    if len(sent) == 1 and sent[0].startswith("["):
        return json_or_text(sent[0])
    return list(sent)
