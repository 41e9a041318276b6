"""Read a file of providers (YAML; docs/providers.md describes it) and collect all its problems.

Secrets are references in the file (``{env: NAME}``, ``{file: PATH}``). No message repeats a value that may be a secret.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import yaml

from apps.providers.model_facts.dialects import dialect_problems
from apps.providers.models import PageParserName
from apps.providers.requests.families import batch_problem, parameter_problems, problems_of, thinking_problem

MAX_BYTES = 1 << 20
_PROVIDER_KEYS = frozenset({"name", "family", "external", "region", "optional", "settings", "secrets", "deployments"})
_DEPLOYMENT_KEYS = frozenset(
    {
        *("name", "model", "base_model", "page_parsers", "order", "price", "max_output_tokens", "thinking"),
        *("parameters", "quota", "dialect", "prompt", "picture_pixels", "batch"),
    }
)
_QUOTA_FIELDS = {
    "rpm": "requests_per_window",
    "tpm": "tokens_per_window",
    "itpm": "input_tokens_per_window",
    "otpm": "output_tokens_per_window",
    "rpd": "requests_per_day",
    "calls_in_flight": "calls_in_flight",
}
_PRICE_FIELDS = {
    "input": "input_price",
    "output": "output_price",
    "cached_input": "cached_input_price",
    "cache_write": "cache_write_price",
}
_NAME = re.compile(r"[A-Za-z0-9_-]{1,60}")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{0,99}")
_MIN_PRICE_EXPONENT = -3  # the columns have three decimals


class FileRefused(Exception):
    """The file cannot be loaded. ``problems`` are sentences that begin with the position in the file."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass
class ProviderEntry:
    """A valid provider of the file. ``deployments``: by name, the fields of the deployment and of its quota."""

    name: str
    fields: dict[str, Any]
    secrets: dict[str, str]
    deployments: dict[str, tuple[dict[str, Any], dict[str, Any] | None]] = field(default_factory=dict)


class Loader(yaml.SafeLoader):
    """YAML's safe loader, which reads dates as strings (API versions look like dates) and refuses repeated keys."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        keys = [key.value for key, _value in node.value]
        if len(set(map(str, keys))) < len(keys):
            raise yaml.constructor.ConstructorError(None, None, "a key is repeated", node.start_mark)
        return super().construct_mapping(node, deep=deep)


def read_provider_file(path: Path) -> tuple[list[ProviderEntry], dict[str, str]]:
    """Return the file's providers, and the skipped ones by name with the reason. Raise FileRefused and OSError."""
    with path.open("rb") as source:
        raw = source.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise FileRefused([f"The file is larger than {MAX_BYTES} bytes."])
    try:
        found = yaml.load(raw, Loader=Loader)  # noqa: S506 (a SafeLoader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)  # not its text, which may contain a secret
        raise FileRefused([f"The file is not YAML{f' (line {mark.line + 1})' if mark else ''}."]) from None
    providers = found.get("providers") if isinstance(found, dict) else None
    if not isinstance(providers, list):
        raise FileRefused(["providers: a list is expected at the top of the file"])
    reader = FileReader(path.parent)
    entries = [reader.provider(f"providers[{index}]", raw) for index, raw in enumerate(providers)]
    if reader.problems:
        raise FileRefused(reader.problems)
    return [entry for entry in entries if entry is not None], reader.skipped


class FileReader:
    """Reads the parts of the file and collects their problems."""

    def __init__(self, folder: Path) -> None:
        self.problems: list[str] = []
        self.skipped: dict[str, str] = {}
        self._folder = folder
        self._names: set[tuple[str, str]] = set()

    def provider(self, where: str, raw: object) -> ProviderEntry | None:
        """Read a provider. Return None if it is skipped or no mapping."""
        if not self._is_mapping(where, raw, _PROVIDER_KEYS):
            return None
        assert isinstance(raw, Mapping)
        name = self._name(where, raw, "provider")
        references = {**self._mapping(where, raw, "settings"), **self._mapping(where, raw, "secrets")}
        missing = [
            str(value["env"])
            for value in references.values()
            if isinstance(value, Mapping)
            and set(value) == {"env"}
            and _VARIABLE.fullmatch(str(value["env"]))
            and not os.environ.get(str(value["env"]), "").strip()
        ]
        if missing and raw.get("optional") is True:
            verb = "is" if len(missing) == 1 else "are"
            self.skipped[name] = f"{', '.join(missing)} {verb} not set"
            return None
        settings = self._values(f"{where}.settings", raw.get("settings") or {}, secret=False)
        secrets = self._values(f"{where}.secrets", raw.get("secrets") or {}, secret=True)
        for key in ("region", "family"):
            if not isinstance(raw.get(key, ""), str):
                self.problems.append(f"{where}.{key}: a string is expected; put it in quotes")
        if not isinstance(raw.get("optional", False), bool):
            self.problems.append(f"{where}.optional: true or false is expected")
        if not isinstance(raw.get("external"), bool):
            self.problems.append(f"{where}.external: true or false is expected (do pages leave your network?)")
        family = str(raw.get("family", ""))
        if not missing:
            self.problems += [f"{where}.{problem}" for problem in problems_of(family, settings, secrets)]
        fields = {
            "family": family,
            "external": raw.get("external"),
            "region": str(raw.get("region") or ""),
            "settings": settings,
        }
        entry = ProviderEntry(name, fields, {key: str(value) for key, value in secrets.items()})
        for index, deployment in enumerate(self._list(where, raw, "deployments")):
            self._deployment(f"{where}.deployments[{index}]", deployment, entry)
        return entry

    def _deployment(self, where: str, raw: object, entry: ProviderEntry) -> None:
        if not self._is_mapping(where, raw, _DEPLOYMENT_KEYS):
            return
        assert isinstance(raw, Mapping)
        name = self._name(where, raw, "deployment")
        model = raw.get("model")
        if not isinstance(model, str) or not model:
            self.problems.append(f"{where}.model: the model's name at the provider is expected")
        parsers = self._list(where, raw, "page_parsers")
        unknown = [parser for parser in parsers if parser not in PageParserName.values]
        if unknown or not parsers:
            self.problems.append(f"{where}.page_parsers: a list of {', '.join(PageParserName.values)} is expected")
        price = self._mapping(where, raw, "price")
        self._is_mapping(f"{where}.price", price, frozenset(_PRICE_FIELDS))
        parameters = self._mapping(where, raw, "parameters")
        behind = str(raw.get("base_model") or model)
        problems = parameter_problems(entry.fields["family"], parameters, model=behind)
        self.problems += [f"{where}.parameters.{problem}" for problem in problems]
        base_model = raw.get("base_model", "")
        if not isinstance(base_model, str):
            self.problems.append(f"{where}.base_model: the name of a model is expected, such as gpt-5-mini")
        thinking = raw.get("thinking", "")
        thinking = "off" if thinking is False else str(thinking)  # YAML reads off as false
        if thinking_problem(thinking):
            self.problems.append(f"{where}.thinking: {thinking_problem(thinking)}")
        batch = raw.get("batch", False)
        if problem := batch_problem(entry.fields["family"], batch=batch):
            self.problems.append(f"{where}.{problem}")
        form = {"dialect": raw.get("dialect", ""), "prompt": raw.get("prompt", "")}
        form["picture_pixels"] = raw.get("picture_pixels")
        self.problems += [f"{where}.{problem}" for problem in dialect_problems(**form, page_parsers=parsers)]
        fields = {
            **form,
            "model": model,
            "base_model": base_model,
            "thinking": thinking[:10],
            **{f"serves_{parser}": parser in parsers for parser in PageParserName.values},
            "order": self._whole_number(f"{where}.order", raw.get("order", 1), minimum=1, maximum=32_767),
            **{column: self._price(f"{where}.price.{key}", price.get(key)) for key, column in _PRICE_FIELDS.items()},
            "max_output_tokens": self._whole_number(
                f"{where}.max_output_tokens", raw.get("max_output_tokens", 32_000), minimum=16
            ),
            "parameters": dict(parameters),
            "batch": batch is True,
        }
        entry.deployments[name] = fields, self._quota(f"{where}.quota", raw.get("quota"))

    def _quota(self, where: str, raw: object) -> dict[str, Any] | None:
        if raw is None or not self._is_mapping(
            where, raw, frozenset({*_QUOTA_FIELDS, "dollars_per_day", "window_seconds", "counts"})
        ):
            return None
        assert isinstance(raw, Mapping)
        found: dict[str, Any] = {
            column: None if raw.get(key) is None else self._whole_number(f"{where}.{key}", raw[key], minimum=1)
            for key, column in _QUOTA_FIELDS.items()
        }
        found["dollars_per_day"] = self._price(f"{where}.dollars_per_day", raw.get("dollars_per_day"))
        window = raw.get("window_seconds", 60)
        if not isinstance(window, int | float) or isinstance(window, bool) or not 0.1 <= window <= 3600:
            self.problems.append(f"{where}.window_seconds: 0.1 to 3600 is expected")
        counts = raw.get("counts", "actual")
        if counts not in ("actual", "max_tokens"):
            self.problems.append(f"{where}.counts: actual or max_tokens is expected")
        return {**found, "window_seconds": window, "counts_max_tokens": counts == "max_tokens"}

    # --- values ---

    def _values(self, where: str, raw: Mapping[str, Any], *, secret: bool) -> dict[str, Any]:
        found = {}
        for key, value in raw.items() if isinstance(raw, Mapping) else ():
            place = f"{where}.{key}"
            if isinstance(value, Mapping) and (secret or key != "headers"):
                found[key] = self._resolved(place, value)
            elif secret:
                self.problems.append(
                    f"{place}: secrets must not be written in the file. Use {{env: NAME}} or {{file: PATH}}"
                )
            else:
                found[key] = value
        return found

    def _resolved(self, where: str, reference: Mapping[str, Any]) -> str:
        if set(reference) == {"env"}:
            if not _VARIABLE.fullmatch(str(reference["env"])):
                self.problems.append(f"{where}.env: the name of a variable is expected, such as MY_KEY")
                return ""
            value = os.environ.get(str(reference["env"]), "").strip()
            if not value:
                self.problems.append(f"{where}: the variable {reference['env']} is not set")
            return value
        if set(reference) == {"file"}:
            try:
                return (self._folder / str(reference["file"])).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                self.problems.append(f"{where}: the file {reference['file']} cannot be read ({type(error).__name__})")
                return ""
        self.problems.append(f"{where}: {{env: NAME}} or {{file: PATH}} is expected")
        return ""

    def _name(self, where: str, raw: Mapping[str, Any], kind: str) -> str:
        name = raw.get("name")
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            self.problems.append(f"{where}.name: at most 60 letters, digits, - and _ are expected")
            return ""
        if (kind, name) in self._names:
            self.problems.append(f"{where}.name: {name} is in the file twice")
        self._names.add((kind, name))
        return name

    def _is_mapping(self, where: str, raw: object, keys: frozenset[str]) -> bool:
        if not isinstance(raw, Mapping):
            self.problems.append(f"{where}: a mapping is expected")
            return False
        self.problems += [
            f"{where}.{key}: unknown; the known names are {', '.join(sorted(keys))}" for key in raw if key not in keys
        ]
        return True

    def _mapping(self, where: str, raw: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        value = raw.get(key) or {}
        if not isinstance(value, Mapping):
            self.problems.append(f"{where}.{key}: a mapping is expected")
            return {}
        return value

    def _list(self, where: str, raw: Mapping[str, Any], key: str) -> list[Any]:
        value = raw.get(key) or []
        if not isinstance(value, list):
            self.problems.append(f"{where}.{key}: a list is expected")
            return []
        return value

    def _whole_number(self, where: str, value: object, *, minimum: int, maximum: int = 2**31 - 1) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value <= maximum:
            self.problems.append(f"{where}: a whole number from {minimum} to {maximum} is expected")
            return minimum
        return value

    def _price(self, where: str, value: object) -> Decimal | None:
        if value is None:
            return None
        try:
            price = Decimal(str(value))
        except InvalidOperation:
            price = Decimal(-1)
        if isinstance(value, bool) or not price.is_finite() or not 0 <= price < 10**7:
            self.problems.append(f"{where}: an amount of US dollars is expected; leave it out if it is unknown")
            return None
        exponent = price.normalize().as_tuple().exponent
        if isinstance(exponent, int) and exponent < _MIN_PRICE_EXPONENT:
            self.problems.append(f"{where}: at most three decimals are allowed")
        return price
