"""What the model answers when it is asked for values, a type or segments: it reads them in the text of the request.

A value is what follows the words of its property's name, as in ``Invoice number: INV-7``; objects of a list are the
rows of a table whose head has the names of their properties. A type is the one whose criteria share most words with
the text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from html import unescape
from itertools import groupby
from typing import Any

_FRAME = r'<{name} marker="(?P<{mark}>[0-9a-f]+)">\n(?P<{text}>.*?)\n</{name} marker="(?P={mark})">'
_SCHEMA = re.compile(_FRAME.format(name="answer_schema", mark="m", text="text"), re.DOTALL)
_CRITERIA = re.compile(_FRAME.format(name="criteria", mark="m", text="text"), re.DOTALL)
_PAGE = re.compile(r"Page (?P<number>\d+):\n" + _FRAME.format(name="annotated_page", mark="m", text="text"), re.DOTALL)
_TABLE, _ROW = re.compile(r"<table.*?</table>", re.DOTALL), re.compile(r"<tr.*?</tr>", re.DOTALL)
_CELL = re.compile(r"<t[hd][^>]*>(.*?)</t[hd]>", re.DOTALL)
_NUMBER = re.compile(r"-?\d[\d.,]*")
_DATES = ("%Y-%m-%d", "%d %B %Y", "%d.%m.%Y", "%B %d, %Y")


def answer_to(text: str) -> str | None:
    """Return the JSON that the request asks for; None if it asks for no annotation."""
    schema = _SCHEMA.search(text)
    if schema is None:
        return None
    wanted = json.loads(schema["text"])
    pages = [(int(page["number"]), page["text"]) for page in _PAGE.finditer(text)]
    criteria = _CRITERIA.search(text)
    if criteria is None:
        return json.dumps(_object(wanted, "\n\n".join(page for _number, page in pages)))
    labels = [line.partition(": ")[::2] for line in criteria["text"].splitlines()]
    if "segments" in wanted["properties"]:
        return json.dumps({"segments": _segments(wanted, labels, pages)})
    name, share = _best(labels, " ".join(page for _number, page in pages))
    reasoning = f"The text has {share:.0%} of the words of the criteria."
    return json.dumps({"type": name or None, "confidence": round(share, 2), "reasoning": reasoning})


def _object(schema: dict[str, Any], text: str) -> dict[str, Any]:
    return {name: _value(name, each, text) for name, each in schema.get("properties", {}).items()}


def _value(name: str, schema: dict[str, Any], text: str) -> Any:
    kinds = schema.get("type", "string")
    kind = kinds if isinstance(kinds, str) else kinds[0]
    if kind == "object":
        return _object(schema, text)
    if kind == "array":
        return list(_rows(schema["items"], text))
    label = r"[\s_-]+".join(map(re.escape, name.split("_")))
    found = re.search(rf"\b{label}\b[ \t]*[:#]?[ \t]*([^\n<|]+)", text, re.IGNORECASE)
    return _typed(kind, schema, found[1].strip() if found else _last_of_row(label, text))


def _last_of_row(label: str, text: str) -> str:
    """Return the last cell of the table row that begins with the label, "" without one."""
    row = re.search(rf"<t[dh][^>]*>{label}</t[dh]>((?:(?!</tr>).)*)</tr>", text, re.IGNORECASE)
    cells = [cell for cell in _CELL.findall(row[1]) if cell] if row else []
    return unescape(cells[-1]) if cells else ""


def _typed(kind: str, schema: dict[str, Any], text: str) -> Any:
    if kind in ("number", "integer"):
        found = _NUMBER.search(text)
        if found is None:
            return None
        digits = found[0].rstrip(".,")
        if re.search(r",\d{1,2}$", digits):  # 1.234,50
            digits = digits.replace(".", "").replace(",", ".")
        number = float(digits.replace(",", ""))
        return int(number) if kind == "integer" or number.is_integer() else number
    if schema.get("format") == "date":
        for form in _DATES:
            try:
                return datetime.strptime(text, form).date().isoformat()  # noqa: DTZ007
            except ValueError:
                continue
    return text or None


def _rows(items: dict[str, Any], text: str) -> Iterator[dict[str, Any]]:
    names = items.get("properties", {})
    for table in _TABLE.finditer(text):
        rows = [
            [unescape(re.sub(r"<[^>]+>", " ", cell)).strip() for cell in _CELL.findall(row)]
            for row in _ROW.findall(table[0])
        ]
        head = [cell.lower().replace(" ", "_") for cell in rows[0]] if rows else []
        columns = {name: head.index(name) for name in names if name in head}
        if not columns:
            continue
        for row in rows[1:]:
            if len(row) == len(head) and row[0]:
                yield {
                    name: _typed(names[name].get("type", "string"), names[name], row[column])
                    for name, column in columns.items()
                }


def _segments(
    wanted: dict[str, Any], labels: Sequence[tuple[str, str]], pages: Sequence[tuple[int, str]]
) -> list[dict[str, Any]]:
    names = wanted["properties"]["segments"]["items"]["properties"]["category"]["enum"]
    chosen = [(number, _best(labels, page)[0] or names[-1]) for number, page in pages]
    segments = []
    for name, group in groupby(chosen, key=lambda each: each[1]):
        numbers = [number for number, _name in group]
        segments.append({"category": name, "first_page": numbers[0], "last_page": numbers[-1], "confidence": "high"})
    return segments


def _best(labels: Sequence[tuple[str, str]], text: str) -> tuple[str, float]:
    """Return the label whose criteria share most words with the text, and that share; "" if none shares any."""
    shares = []
    for name, description in labels:
        words = set(re.findall(r"\w{4,}", description.lower()))
        shares.append((sum(word in text.lower() for word in words) / max(1, len(words)), name))
    share, name = max(shares)
    return (name, share) if share else ("", 0.0)
