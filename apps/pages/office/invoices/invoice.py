"""Read an electronic invoice (UBL 2, UN/CEFACT Cross Industry Invoice) without losing an element of it."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from apps.pages.model.document_facts import Attachment
from apps.pages.model.errors import TooManyElements
from apps.pages.model.text.safe_text import clean
from apps.pages.office import xml_parts
from apps.pages.office.invoices import terms
from apps.pages.office.invoices.terms import CII, UBL, Section
from apps.pages.office.sources import Source, bytes_of
from apps.pages.office.xml_parts import Element

_UBL_NAMES = "urn:oasis:names:specification:ubl:schema:xsd:"
_NAMESPACES = {
    f"{_UBL_NAMES}Invoice-2": UBL,
    f"{_UBL_NAMES}CreditNote-2": UBL,
    "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100": CII,
    "urn:ferd:CrossIndustryDocument:invoice:1p0": CII,
}
_FIRST_TAG = re.compile(
    r"<(?:[\w.-]+:)?(?:Invoice|CreditNote|CrossIndustryInvoice|CrossIndustryDocument)(\s[^<>]{0,8000})>"
)
_FILES = ("EmbeddedDocumentBinaryObject", "AttachmentBinaryObject")
_SHOWN = ("currencyID", "unitCode")
_SCHEMA_INSTANCE = "{http://www.w3.org/2001/XMLSchema-instance}"
_DATE = re.compile(r"(\d{4})(\d{2})(\d{2})")
MAX_JSON_ROWS, MAX_JSON_BYTES = 1_000, 100_000
Values = dict[str, str]


class Invoice(NamedTuple):
    """``sections``: name -> values of one element, or a list of them.

    ``others``: path and value of each other element and attribute.
    """

    syntax: str
    sections: dict[str, Values | list[Values]]
    others: list[tuple[str, str]]
    files: list[Attachment]

    @property
    def title(self) -> str:
        header = self.sections.get("invoice")
        number = header.get("number", "") if isinstance(header, dict) else ""
        kind = header.get("type_code", "") if isinstance(header, dict) else ""
        return f"{'Credit note' if kind == '381' else 'Invoice'} {number}".strip()


def is_invoice(start: str) -> bool:
    """Return whether a text that begins with this element is an invoice in a syntax that is known."""
    found = _FIRST_TAG.match(start)
    return found is not None and any(namespace in found[1] for namespace in _NAMESPACES)


def read(content: bytes) -> Invoice | None:
    """Return the invoice, None if it is none. Raise DamagedDocument, TooManyElements."""
    root = xml_parts.parsed(content, has_long_texts=True)
    syntax = _NAMESPACES.get(str(root.tag).partition("}")[0].lstrip("{"))
    try:
        return _InvoiceReader(root, syntax).read() if syntax else None
    except RecursionError:
        raise TooManyElements("The elements of the invoice are nested too deeply. Save it again.") from None


def files_of(source: Source) -> Iterator[tuple[Attachment, bytes]]:
    """Yield the files inside an invoice; b"" for one that is damaged. Raise DamagedDocument, TooManyElements."""
    root = xml_parts.parsed(bytes_of(source), has_long_texts=True)
    for number, element in enumerate(root.iter(*(f"{{*}}{name}" for name in _FILES)), start=1):
        facts = Attachment(_line(element.get("filename"))[:200] or str(number), _line(element.get("mimeCode"))[:200])
        yield facts, _content(element)


class _InvoiceReader:
    """Every element whose text has been used is noted, so that the others can be listed."""

    def __init__(self, root: Element, syntax: str) -> None:
        self._root, self._syntax = root, syntax
        for element in root.iter():
            name = xml_parts.local_name(element)
            element.tag = terms.LATER_NAMES.get(name, name)
        self._used: set[Element] = set()
        self._used_attributes: set[tuple[Element, str]] = set()

    def read(self) -> Invoice:
        files = [self._file(element) for element in self._root.iter(*(f"{{*}}{name}" for name in _FILES))]
        sections: dict[str, Values | list[Values]] = {}
        for section in terms.SECTIONS:
            values = [found for element in self._elements(section) if (found := self._values(section, element))]
            if values:
                sections[section.name] = values if section.is_list else _merged(values)
        return Invoice(self._syntax, sections, list(self._others()), files)

    def _elements(self, section: Section) -> list[Element]:
        path = section.ubl if self._syntax == UBL else section.cii
        return self._found(self._root, path) if path else [self._root]

    def _values(self, section: Section, element: Element) -> Values:
        values = {}
        for term in section.terms:
            path = term.ubl if self._syntax == UBL else term.cii
            texts = [self._text(found) for found in self._found(element, path)] if path else []
            if any(texts):
                values[term.name] = "; ".join(text for text in texts if text)
        return values

    def _found(self, element: Element, path: str) -> list[Element]:
        found = []
        for alternative in path.split("|"):
            level = [element]
            for name in alternative.split("/"):
                level = [child for parent in level for child in parent if child.tag == name]
            found += level
        return found

    def _text(self, element: Element) -> str:
        """Return the text of an element with its currency, unit or scheme. It counts as used."""
        if len(element):
            return ": ".join(filter(None, map(self._text, element)))
        if element in self._used:
            return ""
        self._used.add(element)
        text = _line(element.text)
        for name in _SHOWN:
            if element.get(name) and text:
                text += f" {self._attribute(element, name)}"
        if element.get("schemeID") and text:
            text += f" ({self._attribute(element, 'schemeID')})"
        if element.get("format") == "102" and (date := _DATE.fullmatch(text)):
            self._attribute(element, "format")
            return "-".join(date.groups())
        return text

    def _attribute(self, element: Element, name: str) -> str:
        self._used_attributes.add((element, name))
        return _line(element.get(name))

    def _file(self, element: Element) -> Attachment:
        self._used.add(element)
        name, media_type = self._attribute(element, "filename"), self._attribute(element, "mimeCode")
        return Attachment(name[:200], media_type[:200], len(_content(element)) or None)

    def _others(self) -> Iterator[tuple[str, str]]:
        """Yield path and value of the elements and attributes that have not been used, in their order."""
        waiting = [(self._root, str(self._root.tag))]
        while waiting:
            element, path = waiting.pop()
            text = "" if element in self._used else _line(element.text)
            if text:
                yield path, text
            for name, value in element.attrib.items():
                is_listed = (element, name) not in self._used_attributes and not name.startswith(_SCHEMA_INSTANCE)
                if is_listed and value.strip():
                    yield f"{path}/@{name.rpartition('}')[2]}", _line(value)
            waiting += reversed(list(_with_paths(element, path)))


def _with_paths(element: Element, path: str) -> Iterator[tuple[Element, str]]:
    """Yield the children of an element and their paths, such as "Invoice/InvoiceLine[2]"."""
    counts: dict[str, int] = {}
    for child in element:
        name = child.tag
        counts[name] = counts.get(name, 0) + 1
        yield child, f"{path}/{name}" + (f"[{counts[name]}]" if counts[name] > 1 else "")


def _content(element: Element) -> bytes:
    """Return the file in an element; b"" if it is damaged."""
    try:
        return base64.b64decode("".join((element.text or "").split()), validate=True)
    except ValueError:
        return b""


def _line(text: str | None) -> str:
    return clean(" ".join((text or "").split()))


def _merged(values: list[Values]) -> Values:
    """Return the values of several elements as one; those of the same name are joined."""
    merged: Values = {}
    for each in values:
        for name, value in each.items():
            merged[name] = f"{merged[name]}; {value}" if name in merged else value
    return merged


def as_json(invoice: Invoice) -> dict[str, Any]:
    """Return the invoice for the facts of a result. Of sections that are too long only their length is given."""
    others = [{"path": path, "value": value} for path, value in invoice.others]
    found: dict[str, Any] = {"syntax": invoice.syntax, **invoice.sections, **({"others": others} if others else {})}
    for name, values in list(found.items()):
        if len(values) > MAX_JSON_ROWS or len(msgspec.json.encode(values)) > MAX_JSON_BYTES:
            del found[name]
            found.setdefault("left_out", {})[name] = len(values)
    return found
