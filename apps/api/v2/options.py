"""The fields of parse requests: the options of a job (apps/jobs/options.py) and those that only a request has."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from apps.jobs import option_schemas as schemas
from apps.jobs.option_groups import ShortText, TierName, TransactionId
from apps.jobs.options import JobOptions

TEXT = {"type": "string", "minLength": 1}
_CONFIGURED: schemas.Schema = {
    "properties": {
        "configuration_id": TEXT,
        "tier": {"enum": [None, "configured"]},
        "version": {"enum": [None, "configured"]},
    },
    "required": ["configuration_id"],
}
WITH_TIER: Any = {"anyOf": [*schemas.tiers_with_versions(), _CONFIGURED]}
WITH_SOURCE: Any = {
    "oneOf": [
        {"properties": {"file_id": TEXT, "source_url": schemas.NULL}, "required": ["file_id"]},
        {"properties": {"source_url": TEXT, "file_id": schemas.NULL}, "required": ["source_url"]},
    ]
}


class ParseOptions(JobOptions):
    """The options for parsing a document.

    ``tier`` is required unless ``configuration_id`` is given; "configured" takes it from there.
    """

    model_config = ConfigDict(json_schema_extra=WITH_TIER)

    tier: Literal[TierName, "configured"] | None = None
    version: Annotated[str, Field(max_length=20, description="latest, or one of GET /api/v2/parse/versions")] | None = (
        None
    )
    http_proxy: Annotated[ShortText | None, Field(description="used to fetch the source_url")] = None
    user_metadata: Annotated[dict[Annotated[str, Field(max_length=100)], ShortText] | None, Field(max_length=64)] = None


class ParseRequest(ParseOptions):
    """A request without an upload. The document is that of ``file_id`` or at ``source_url``."""

    model_config = ConfigDict(json_schema_extra={"allOf": [WITH_TIER, WITH_SOURCE]})

    file_id: ShortText | None = None
    source_url: Annotated[str, Field(max_length=8192)] | None = None
    transaction_id: TransactionId | None = None
