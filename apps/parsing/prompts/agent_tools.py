"""The tools of the page agent as function definitions with JSON schemas of their arguments."""

from __future__ import annotations

from typing import Any

ZOOM, READ_REGION, READ_TABLE, FINISH = "zoom", "read_region", "read_table", "finish"

_REGION: dict[str, Any] = {
    "type": "array",
    "items": {"type": "number", "minimum": 0},
    "minItems": 4,
    "maxItems": 4,
    "description": "[x0, top, x1, bottom] in points from the page's top left corner",
}


def _tool(name: str, description: str, optional: tuple[str, ...] = (), **properties: dict[str, Any]) -> dict[str, Any]:
    parameters = {
        "type": "object",
        "properties": properties,
        "required": [each for each in properties if each not in optional],
        "additionalProperties": False,
    }
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


TOOLS: tuple[dict[str, Any], ...] = (
    _tool(ZOOM, "Look at a region of the page in higher resolution. Returns a picture.", region=_REGION),
    _tool(
        READ_REGION,
        "Let a program recognise the text of a region (OCR). Returns its lines; doubtful ones are marked.",
        region=_REGION,
    ),
    _tool(
        READ_TABLE,
        "Let a program read a region of the text layer as one table: by its ruled lines, by aligned words, or with the "
        "columns that you name. Returns HTML and how well the words fit.",
        ("columns",),
        region=_REGION,
        columns={
            "type": "array",
            "items": {"type": "number", "minimum": 0},
            "description": "x of the borders of the columns in points, from left to right; leave it out at first",
        },
    ),
    _tool(
        FINISH,
        "Hand in the Markdown of the whole page. Ends the work.",
        markdown={"type": "string", "description": "The page as Markdown, with the demanded last line"},
    ),
)
