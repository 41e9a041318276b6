"""What a job asks a model about its document. Stored with the job, so add names; never rename or remove one."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

UNCATEGORIZED = "uncategorized"
Text = Annotated[str, Field(min_length=1, max_length=10_000)]


class Label(BaseModel):
    """A document type of classify, or a category of split, and the criteria by which it is chosen."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    description: Annotated[str, Field(max_length=10_000)] = ""


class AnnotationTask(BaseModel):
    """``target``: whether there is one answer for the document, or one for each page.

    ``schema_``: of an answer of extract. ``labels``: of classify and split. ``cites``: the places of extracted values
    are looked for. ``unlabelled``: what split does with pages of no category: "include", "omit", or "forbid" them.
    ``request``: what the client sent, which its API returns.
    """

    model_config = ConfigDict(populate_by_name=True)

    kind: Literal["extract", "classify", "split"]
    target: Literal["document", "page"] = "document"
    schema_: Annotated[dict[str, Any] | None, Field(alias="schema")] = None
    labels: list[Label] = []
    instructions: str = ""
    cites: bool = False
    unlabelled: Literal["include", "omit", "forbid"] = "include"
    min_pages: int = 1
    request: dict[str, Any] = {}

    def stored(self) -> dict[str, Any]:
        """Return the task as JSON for the job's row."""
        return self.model_dump(by_alias=True, exclude_defaults=True) | {"kind": self.kind}

    def answer_schema(self) -> dict[str, Any]:
        """Return the JSON schema of an answer."""
        names = [label.name for label in self.labels]
        if self.kind == "extract":
            assert self.schema_ is not None
            return self.schema_
        if self.kind == "classify":
            return _object(
                type={"enum": [*names, None]},
                confidence={"type": "number", "minimum": 0, "maximum": 1},
                reasoning={"type": "string"},
            )
        names += [] if self.unlabelled == "forbid" else [UNCATEGORIZED]
        page = {"type": "integer", "minimum": 1}
        segment = _object(
            category={"enum": names}, first_page=page, last_page=page, confidence={"enum": ["high", "medium", "low"]}
        )
        return _object(segments={"type": "array", "items": segment, "minItems": 1})


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
