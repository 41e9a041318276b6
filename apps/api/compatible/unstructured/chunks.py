"""Chunks of elements, as Unstructured's chunking strategies make them.

``basic`` fills chunks with whole elements in order. ``by_title`` starts a new chunk at each heading, and joins small
sections; ``by_page`` starts one on each page. An element longer than a chunk is split at blanks. Tables are chunks of
their own.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from apps.api.compatible.unstructured.elements import Element
from apps.api.compatible.unstructured.requests import PartitionOptions

_SEPARATOR = "\n\n"
_NOT_IN_CHUNKS = frozenset({"PageBreak", "Header", "Footer"})
_OF_ONE_ELEMENT = ("parent_id", "category_depth", "coordinates", "text_as_html", "detection_class_prob")


def chunks_of(elements: Iterable[Element], options: PartitionOptions) -> Iterator[Element]:
    """Yield the chunks. Running headers and footers are in none, as in Unstructured."""
    tail = ""
    for section in _sections(elements, options):
        for text, group in _filled(section, options):
            if group[0]["type"] == "Table":
                yield from _split_table(text, group, options)
                tail = ""
                continue
            whole = f"{tail} {text}" if tail else text
            parts = list(_split(whole, options))
            for part in parts:
                yield _chunk("CompositeElement", part, group, options)
            tail = _tail(parts[-1], options.overlap) if options.overlap_all and options.overlap and parts else ""


def _sections(elements: Iterable[Element], options: PartitionOptions) -> Iterator[list[Element]]:
    """Yield the elements in the groups that chunks may not cross."""
    section: list[Element] = []
    for element in elements:
        if element["type"] in _NOT_IN_CHUNKS or not element["text"].strip():
            continue
        if section and _starts_section(element, section, options):
            yield section
            section = []
        section.append(element)
    if section:
        yield section


def _starts_section(element: Element, section: Sequence[Element], options: PartitionOptions) -> bool:
    if "Table" in (element["type"], section[-1]["type"]):
        return True
    keeps_pages = options.chunking_strategy == "by_page" or (
        options.chunking_strategy == "by_title" and not options.multipage_sections
    )
    if keeps_pages and element["metadata"]["page_number"] != section[-1]["metadata"]["page_number"]:
        return True
    if options.chunking_strategy != "by_title" or element["type"] != "Title":
        return False
    under = options.max_characters if options.combine_under_n_chars is None else options.combine_under_n_chars
    return len(_joined(section)) >= min(under, options.max_characters)


def _filled(section: Sequence[Element], options: PartitionOptions) -> Iterator[tuple[str, list[Element]]]:
    """Yield the texts of chunks of whole elements. A text is too long only if its one element is."""
    soft = options.max_characters if options.new_after_n_chars is None else options.new_after_n_chars
    group: list[Element] = []
    for element in section:
        if group and (
            len(_joined(group)) >= min(soft, options.max_characters)
            or len(_joined([*group, element])) > options.max_characters
        ):
            yield _joined(group), group
            group = []
        group.append(element)
    if group:
        yield _joined(group), group


def _joined(elements: Sequence[Element]) -> str:
    return _SEPARATOR.join(element["text"] for element in elements)


def _split(text: str, options: PartitionOptions) -> Iterator[str]:
    """Yield parts of at most ``max_characters``, cut at blanks where there are any, each with the end of the last."""
    limit = options.max_characters
    while len(text) > limit:
        at = text.rfind(" ", options.overlap + 1, limit + 1)
        at = at if at > 0 else limit
        yield text[:at].rstrip()
        tail = _tail(text[:at], options.overlap)
        text = f"{tail}{text[at:]}" if tail else text[at:].lstrip()
    if text.strip():
        yield text


def _tail(text: str, characters: int) -> str:
    return text[len(text) - characters :].lstrip() if characters else ""


def _split_table(text: str, group: Sequence[Element], options: PartitionOptions) -> Iterator[Element]:
    if len(text) <= options.max_characters:
        [table] = group
        yield _chunk("Table", text, group, options, html=table["metadata"].get("text_as_html"))
        return
    for number, part in enumerate(_split(text, options)):
        chunk = _chunk("TableChunk", part, group, options)
        if number:
            chunk["metadata"]["is_continuation"] = True
        yield chunk


def _chunk(
    kind: str, text: str, group: Sequence[Element], options: PartitionOptions, *, html: str | None = None
) -> Element:
    metadata: dict[str, Any] = {
        name: value for name, value in group[0]["metadata"].items() if name not in (*_OF_ONE_ELEMENT, "links")
    }
    if links := [link for element in group for link in element["metadata"].get("links", ())]:
        metadata["links"] = links
    if html:
        metadata["text_as_html"] = html
    if options.include_orig_elements:
        packed = zlib.compress(json.dumps(group).encode())
        metadata["orig_elements"] = base64.b64encode(packed).decode()
    return {"type": kind, "element_id": group[0]["element_id"], "text": text, "metadata": metadata}
