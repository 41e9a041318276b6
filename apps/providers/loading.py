"""A file of providers -> rows. Names identify rows, and what the file says replaces what the row says.

Secrets stand in the file as references (``{env: NAME}``, ``{file: PATH}``), are sealed, and never told again.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from django.db import transaction

from apps.core import sealed_secrets
from apps.providers.administration import clear_fault_or_warn
from apps.providers.calls.families import PARAMETERS, problems_of
from apps.providers.catalog import catalog, unsealed
from apps.providers.deployment_faults import NO_FAULT
from apps.providers.models import Deployment, PageParserName, Provider, Quota

MAX_BYTES = 1 << 20
_UNCHANGED = "unchanged"
_PROVIDER_KEYS = frozenset({"name", "family", "external", "region", "optional", "settings", "secrets", "deployments"})
_DEPLOYMENT_KEYS = frozenset(
    {"name", "model", "page_parsers", "order", "price", "max_output_tokens", "parameters", "quota"}
)
_QUOTA_FIELDS = {
    "rpm": "requests_per_window",
    "tpm": "tokens_per_window",
    "itpm": "input_tokens_per_window",
    "otpm": "output_tokens_per_window",
    "rpd": "requests_per_day",
    "calls_in_flight": "calls_in_flight",
}
_COUNTS = {"actual": False, "max_tokens": True}
_NAME = re.compile(r"[A-Za-z0-9_-]{1,60}")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{0,99}")
_MIN_PRICE_EXPONENT = -3  # what the columns keep of a price


class FileRefused(Exception):
    """The file cannot be loaded; ``problems`` are sentences that begin with the place in the file."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Change:
    """What became, or would become, of one row: a line for people, without any secret."""

    kind: str
    name: str
    what: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}: {self.what}"


@dataclass
class _Entry:
    """A provider of the file, read and found good."""

    name: str
    fields: dict[str, Any]
    secrets: dict[str, str]
    deployments: dict[str, tuple[dict[str, Any], dict[str, Any] | None]] = field(default_factory=dict)


def load_providers(path: Path, *, dry_run: bool = False, prune: bool = False) -> list[Change]:
    """Make the rows what the file says. Raises FileRefused, with every problem at once, and OSError.

    ``dry_run``: only tell what would change. ``prune``: rows that the file does not name are removed.
    """
    entries, skipped = _read(path)
    changes = list(skipped)
    with transaction.atomic():
        for entry in entries:
            changes += _apply(entry)
        if prune:
            changes += _prune(entries, but=[change.name for change in skipped])
        if dry_run:
            transaction.set_rollback(True)
    catalog.forget()
    if not dry_run:
        _call_again(_changed_providers(entries, changes))
    return changes


def _changed_providers(entries: list[_Entry], changes: list[Change]) -> list[str]:
    changed = {(change.kind, change.name) for change in changes if change.what != _UNCHANGED}
    return [
        entry.name
        for entry in entries
        if ("provider", entry.name) in changed or any(("deployment", name) in changed for name in entry.deployments)
    ]


def _call_again(providers: list[str]) -> None:
    """What changed need not be wrong any more."""
    for row in Provider.objects.filter(name__in=providers):
        clear_fault_or_warn(row=row)


# --- the file ---


def _read(path: Path) -> tuple[list[_Entry], list[Change]]:
    import yaml

    with path.open("rb") as source:
        raw = source.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise FileRefused([f"The file is larger than {MAX_BYTES} bytes."])
    try:
        found = yaml.load(raw, Loader=_loader())  # noqa: S506 (a SafeLoader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)  # not its text, which may hold a secret
        raise FileRefused([f"The file is not YAML{f' (line {mark.line + 1})' if mark else ''}."]) from None
    providers = found.get("providers") if isinstance(found, dict) else None
    if not isinstance(providers, list):
        raise FileRefused(["providers: a list is expected at the top of the file"])
    reading = _Reading(path.parent)
    entries = [reading.provider(f"providers[{index}]", raw) for index, raw in enumerate(providers)]
    if reading.problems:
        raise FileRefused(reading.problems)
    return [entry for entry in entries if entry is not None], reading.skipped


def _loader() -> Any:
    """YAML's safe loader, for which a date is a text: versions of APIs look like dates."""
    import yaml

    class Loader(yaml.SafeLoader):
        yaml_implicit_resolvers = {  # noqa: RUF012
            first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
            for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            keys = [key.value for key, _value in node.value]
            if len(set(map(str, keys))) < len(keys):
                raise yaml.constructor.ConstructorError(None, None, "a key stands twice", node.start_mark)
            return super().construct_mapping(node, deep=deep)

    return Loader


class _Reading:
    """Reads the file's parts and collects what is wrong with them."""

    def __init__(self, folder: Path) -> None:
        self.problems: list[str] = []
        self.skipped: list[Change] = []
        self._folder = folder
        self._names: set[tuple[str, str]] = set()

    def provider(self, where: str, raw: object) -> _Entry | None:
        if not self._is_mapping(where, raw, _PROVIDER_KEYS):
            return None
        assert isinstance(raw, Mapping)
        name = self._name(where, raw, "provider")
        references = {**self._mapping(where, raw, "settings"), **self._mapping(where, raw, "secrets")}
        missing = [variable for value in references.values() if (variable := _unset(value))]
        if missing and raw.get("optional") is True:
            verb = "is" if len(missing) == 1 else "are"
            self.skipped.append(Change("provider", name, f"skipped: {', '.join(missing)} {verb} not set"))
            return None
        settings = self._values(f"{where}.settings", raw.get("settings") or {}, secret=False)
        secrets = self._values(f"{where}.secrets", raw.get("secrets") or {}, secret=True)
        for key in ("region", "family"):
            if not isinstance(raw.get(key, ""), str):
                self.problems.append(f"{where}.{key}: a text is expected; put it in quotes")
        if not isinstance(raw.get("optional", False), bool):
            self.problems.append(f"{where}.optional: true or false is expected")
        if not isinstance(raw.get("external"), bool):
            self.problems.append(f"{where}.external: true or false: do pages that are sent there leave the house?")
        family = str(raw.get("family", ""))
        if not missing:
            self.problems += [f"{where}.{problem}" for problem in problems_of(family, settings, secrets)]
        fields = {"family": family, "external": raw.get("external"), "region": str(raw.get("region") or "")}
        entry = _Entry(name, {**fields, "settings": settings}, {key: str(value) for key, value in secrets.items()})
        for index, deployment in enumerate(self._list(where, raw, "deployments")):
            self._deployment(f"{where}.deployments[{index}]", deployment, entry)
        return entry

    def _deployment(self, where: str, raw: object, entry: _Entry) -> None:
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
        fields = {
            "model": model,
            **{f"serves_{parser}": parser in parsers for parser in PageParserName.values},
            "order": self._whole(f"{where}.order", raw.get("order", 1), least=1, most=32_767),
            "input_price": self._price(f"{where}.price.input", price.get("input")),
            "output_price": self._price(f"{where}.price.output", price.get("output")),
            "max_output_tokens": self._whole(
                f"{where}.max_output_tokens", raw.get("max_output_tokens", 8192), least=16
            ),
            "parameters": self._parameters(f"{where}.parameters", self._mapping(where, raw, "parameters")),
        }
        entry.deployments[name] = fields, self._quota(f"{where}.quota", raw.get("quota"))

    def _quota(self, where: str, raw: object) -> dict[str, Any] | None:
        if raw is None or not self._is_mapping(
            where, raw, frozenset({*_QUOTA_FIELDS, "dollars_per_day", "window_seconds", "counts"})
        ):
            return None
        assert isinstance(raw, Mapping)
        found: dict[str, Any] = {
            column: None if raw.get(key) is None else self._whole(f"{where}.{key}", raw[key], least=1)
            for key, column in _QUOTA_FIELDS.items()
        }
        found["dollars_per_day"] = self._price(f"{where}.dollars_per_day", raw.get("dollars_per_day"))
        window = raw.get("window_seconds", 60)
        if not isinstance(window, int | float) or isinstance(window, bool) or not 0.1 <= window <= 3600:
            self.problems.append(f"{where}.window_seconds: 0.1 to 3600 is expected")
        counts = raw.get("counts", "actual")
        if not isinstance(counts, str) or counts not in _COUNTS:
            self.problems.append(f"{where}.counts: actual or max_tokens is expected")
        return {**found, "window_seconds": window, "counts_max_tokens": counts == "max_tokens"}

    # --- values ---

    def _parameters(self, where: str, raw: Mapping[str, Any]) -> dict[str, Any]:
        unknown = [str(key)[:60] for key in raw if key not in PARAMETERS]
        self.problems += [f"{where}.{key}: not one of {', '.join(sorted(PARAMETERS))}" for key in unknown]
        return {key: value for key, value in raw.items() if key in PARAMETERS}

    def _values(self, where: str, raw: Mapping[str, Any], *, secret: bool) -> dict[str, Any]:
        found = {}
        for key, value in raw.items() if isinstance(raw, Mapping) else ():
            place = f"{where}.{key}"
            if isinstance(value, Mapping):
                found[key] = self._referenced(place, value)
            elif secret:
                self.problems.append(
                    f"{place}: secrets do not stand in the file. Write {{env: NAME}} or {{file: PATH}}"
                )
            else:
                found[key] = value
        return found

    def _referenced(self, where: str, reference: Mapping[str, Any]) -> str:
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
            self.problems.append(f"{where}.name: {name} stands in the file twice")
        self._names.add((kind, name))
        return name

    def _is_mapping(self, where: str, raw: object, keys: frozenset[str]) -> bool:
        if not isinstance(raw, Mapping):
            self.problems.append(f"{where}: names and values are expected")
            return False
        self.problems += [
            f"{where}.{key}: not known; there are {', '.join(sorted(keys))}" for key in raw if key not in keys
        ]
        return True

    def _mapping(self, where: str, raw: Mapping[str, Any], key: str) -> Mapping[str, Any]:
        value = raw.get(key) or {}
        if not isinstance(value, Mapping):
            self.problems.append(f"{where}.{key}: names and values are expected")
            return {}
        return value

    def _list(self, where: str, raw: Mapping[str, Any], key: str) -> list[Any]:
        value = raw.get(key) or []
        if not isinstance(value, list):
            self.problems.append(f"{where}.{key}: a list is expected")
            return []
        return value

    def _whole(self, where: str, value: object, *, least: int, most: int = 2**31 - 1) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self.problems.append(f"{where}: a whole number from {least} to {most} is expected")
            return least
        return value

    def _price(self, where: str, value: object) -> Decimal | None:
        if value is None:
            return None
        try:
            price = Decimal(str(value))
        except InvalidOperation:
            price = Decimal(-1)
        if isinstance(value, bool) or not price.is_finite() or not 0 <= price < 10**7:
            self.problems.append(f"{where}: an amount of US dollars is expected; left out: unknown")
            return None
        exponent = price.normalize().as_tuple().exponent
        if isinstance(exponent, int) and exponent < _MIN_PRICE_EXPONENT:
            self.problems.append(f"{where}: at most three decimals are kept")
        return price


def _unset(value: object) -> str:
    """The variable that a reference names and that is not set."""
    if not isinstance(value, Mapping) or set(value) != {"env"} or not _VARIABLE.fullmatch(str(value["env"])):
        return ""
    return "" if os.environ.get(str(value["env"]), "").strip() else str(value["env"])


# --- the rows ---


def _apply(entry: _Entry) -> Iterator[Change]:
    row = Provider.objects.filter(name=entry.name).first()
    changed = list(_differences(row, entry.fields))
    if row is not None and _secrets_of(row) != entry.secrets:
        changed.append("secrets changed")
    if row is None or changed:
        sealed = sealed_secrets.seal(json.dumps(entry.secrets)) if entry.secrets else ""
        row, _ = Provider.objects.update_or_create(
            name=entry.name, defaults={**entry.fields, "secrets_sealed": sealed, **NO_FAULT}
        )
    yield Change("provider", entry.name, _told(changed))
    for name, (fields, quota) in entry.deployments.items():
        yield from _apply_deployment(row, name, fields, quota)


def _apply_deployment(
    provider: Provider, name: str, fields: dict[str, Any], quota: dict[str, Any] | None
) -> Iterator[Change]:
    row = Deployment.objects.select_related("quota").filter(name=name).first()
    changed = list(_differences(row, {**fields, "provider_id": provider.pk}))
    old_quota = getattr(row, "quota", None)
    changed += _quota_differences(old_quota, quota) if row is not None else []
    if row is None or changed:
        row, _ = Deployment.objects.update_or_create(name=name, defaults={**fields, "provider": provider, **NO_FAULT})
        if quota is None:
            Quota.objects.filter(deployment=row).delete()
        else:
            Quota.objects.update_or_create(deployment=row, defaults=quota)
    yield Change("deployment", name, _told(changed))


def _differences(row: Provider | Deployment | None, fields: Mapping[str, Any]) -> Iterator[str]:
    if row is None:
        yield "added"
        return
    for name, new in fields.items():
        old = getattr(row, name)
        if old != new:
            yield f"{name}: {old} -> {new}"


def _quota_differences(old: Quota | None, new: dict[str, Any] | None) -> list[str]:
    if old is None or new is None:
        return [] if (old is None) == (new is None) else ["quota added" if old is None else "quota removed"]
    return [
        f"quota.{name}: {getattr(old, name)} -> {value}" for name, value in new.items() if getattr(old, name) != value
    ]


def _secrets_of(row: Provider) -> dict[str, str] | None:
    try:
        return unsealed(row.secrets_sealed)
    except sealed_secrets.BrokenSeal:
        return None


def _told(changed: list[str]) -> str:
    return "; ".join(changed) or _UNCHANGED


def _prune(entries: list[_Entry], *, but: list[str]) -> list[Change]:
    """Remove what the file does not name; ``but``: providers that it names and that were skipped."""
    names = [entry.name for entry in entries]
    deployments = [name for entry in entries for name in entry.deployments]
    gone = Deployment.objects.exclude(name__in=deployments).exclude(provider__name__in=but)
    changes = [Change("deployment", name, "removed") for name in gone.values_list("name", flat=True)]
    gone.delete()
    providers = Provider.objects.exclude(name__in=[*names, *but])
    changes += [Change("provider", name, "removed") for name in providers.values_list("name", flat=True)]
    providers.delete()
    return changes
