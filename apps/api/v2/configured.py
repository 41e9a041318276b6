"""Options that a request does not send itself, but names by ``configuration_id``."""

from __future__ import annotations

from typing import Any, TypeVar

from apps.accounts.models import Project
from apps.api.requests.bodies import validated
from apps.api.v2.options import ParseOptions
from apps.api.v2.tiers import CONFIGURATIONS
from apps.jobs.commands import configurations
from apps.jobs.errors import ConfigurationNotFound, InvalidOption

Model = TypeVar("Model", bound=ParseOptions)
CONFIGURED = "configured"
PRODUCT_TYPE = "parse_v2"


def request_options(model: type[Model], project: Project, values: dict[str, Any]) -> Model:
    """Return the options of a request, completed by its saved configuration; those of the request win.

    Raise InvalidOption(s) for an unknown configuration and for invalid values.
    """
    named = values.get("configuration_id")
    if isinstance(named, str) and named:
        saved = _saved(project, named)
        sent = {name: value for name, value in values.items() if name not in ("tier", "version")}
        for name in ("tier", "version"):
            if values.get(name) not in (None, CONFIGURED):
                sent[name] = values[name]
        if "tier" in sent and "version" not in sent and sent["tier"] != saved.get("tier"):
            saved = saved | {"version": None}  # the saved version belongs to the saved tier
        saved.pop("product_type", None)
        return validated(model, _merged(saved, sent))
    if values.get("tier") == CONFIGURED or values.get("version") == CONFIGURED:
        detail = (
            "A request with tier or version configured needs a configuration_id. Send one, or a tier and a version."
        )
        raise InvalidOption(detail, location=("body", "configuration_id"))
    return validated(model, values)


def _saved(project: Project, configuration_id: str) -> dict[str, Any]:
    if configuration_id in CONFIGURATIONS:
        return {"tier": CONFIGURATIONS[configuration_id]}
    try:
        return dict(configurations.find_configuration(project=project, configuration_id=configuration_id).parameters)
    except ConfigurationNotFound as error:
        raise InvalidOption(error.detail, location=("body", "configuration_id"), value=configuration_id) from None


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Return both, groups merged by name; a null above changes nothing."""
    result = dict(below)
    for name, value in above.items():
        beneath = below.get(name)
        if isinstance(value, dict) and isinstance(beneath, dict):
            result[name] = _merged(beneath, value)
        elif value is not None or name not in below:
            result[name] = value
    return result
