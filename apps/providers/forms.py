"""Forms of the admin. They never show secrets, and refuse values that no worker could use."""

from __future__ import annotations

from typing import Any

from django import forms

from apps.providers import administration
from apps.providers.catalog import limits_of
from apps.providers.model_facts.dialects import dialect_problems
from apps.providers.models import Deployment, PageParserName, Quota
from apps.providers.requests.families import (
    COMMON_SECRETS,
    COMMON_SETTINGS,
    FAMILIES,
    batch_problem,
    parameter_problems,
    problems_of,
    thinking_problem,
)

FORGET = "forget_secrets"


def secret_names(family: str | None) -> list[str]:
    """Return the names of a family's secrets; of all families if None."""
    families = [FAMILIES[family]] if family in FAMILIES else list(FAMILIES.values())
    return list(
        dict.fromkeys(
            [*(name for found in families for name in (*found.secrets, *found.own_secrets)), *sorted(COMMON_SECRETS)]
        )
    )


class ProviderForm(forms.ModelForm):  # type: ignore[type-arg]
    """The form of a provider. Once it is valid, ``secrets`` are the new secrets; None means keep the old ones."""

    secrets: dict[str, str] | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = self.instance.family if self.instance.pk else None
        self._names = secret_names(known)
        kept = administration.kept_secrets(self.instance)
        self._is_kept_closed = kept is None
        self._kept = kept or {}
        for name in self._names:
            help_text = "stored; leave empty to keep it" if name in self._kept else "not stored"
            if self._is_kept_closed:
                help_text = "only workers of models open what is stored: leave all empty to keep it, or enter all again"
            if known is None:
                labels = ", ".join(found.label for found in FAMILIES.values() if name in found.secret_names)
                help_text = f"for {labels or 'every family'}"
            self.fields[name] = forms.CharField(
                required=False,
                widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "class": "vTextField"}),
                help_text=help_text,
            )
        if known:
            self.fields[FORGET] = forms.BooleanField(required=False, help_text="delete secrets not entered now")
        if "settings" in self.fields:
            families = [FAMILIES[known]] if known else list(FAMILIES.values())
            lines = [
                f"{family.label}: "
                + ", ".join(
                    f"{name} (required)" if name in family.required else name
                    for name in [*family.settings, *family.own_settings, *sorted(COMMON_SETTINGS)]
                )
                for family in families
            ]
            self.fields["settings"].help_text = f"A JSON object. {'; '.join(lines)}"
            self.fields["settings"].show_hidden_initial = False  # compare with the row, not with the browser's value

    @property
    def changed_data(self) -> list[str]:
        """The changed fields for the admin's log: it names secrets as a whole, not each one."""
        names: list[str] = super().changed_data
        others = [name for name in names if name not in (*self._names, FORGET)]
        return others if len(others) == len(names) else [*others, "secrets"]

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        typed = {name: values[name] for name in self._names if values.get(name)}
        secrets = typed if values.get(FORGET) else {**self._kept, **typed}
        family = values.get("family") or self.instance.family
        if not family or not _is_object(self, "settings"):
            return values
        settings = values["settings"]
        for name in [name for name in settings if name in secret_names(None) and name not in COMMON_SETTINGS]:
            self.add_error("settings", f"{name}: this is a secret; enter it in its own field")
        for problem in problems_of(family, settings, secrets):
            # Show it beside the field with which the sentence begins: a secret's own, or the settings.
            field = problem.partition(":")[0]
            if self._is_kept_closed and field in self._names and not typed and not values.get(FORGET):
                continue  # the stored secrets stay, and cannot be looked at
            self.add_error(field if field in self._names else "settings", problem)
        if typed or values.get(FORGET):
            self.secrets = secrets
        return values


class DeploymentForm(forms.ModelForm):  # type: ignore[type-arg]
    """The form of a deployment."""

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        if _is_object(self, "parameters") and values.get("provider"):
            for problem in parameter_problems(
                values["provider"].family,
                values["parameters"],
                model=values.get("base_model") or values.get("model") or "",
            ):
                self.add_error("parameters", problem)
        if values.get("provider") and (
            problem := batch_problem(values["provider"].family, batch=values.get("batch", False))
        ):
            self.add_error("batch", problem.partition(": ")[2])
        problem = thinking_problem(values.get("thinking") or "")
        if problem:
            self.add_error("thinking", problem[0].upper() + problem[1:])
        parsers = [name for name in PageParserName.values if values.get(f"serves_{name}")]
        form = {name: values.get(name) or "" for name in ("dialect", "prompt")}
        for problem in dialect_problems(**form, picture_pixels=values.get("picture_pixels"), page_parsers=parsers):
            name, _, sentence = problem.partition(": ")
            self.add_error(name, sentence[0].upper() + sentence[1:])
        for name in ("input_price", "output_price", "cached_input_price", "cache_write_price"):
            if (values.get(name) or 0) < 0:
                self.add_error(name, "A price is 0 or more; leave it empty if it is unknown")
        if values.get("max_output_tokens") == 0:
            self.add_error("max_output_tokens", "An answer has at least one token")
        return values


class QuotaForm(forms.ModelForm):  # type: ignore[type-arg]
    """The form of a deployment's quota."""

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors:
            limits = {name: value for name, value in values.items() if name in _QUOTA_FIELDS}
            deployment = Deployment(pk=0)
            Quota(deployment=deployment, **limits)
            try:
                limits_of(deployment)
            except ValueError as error:
                raise forms.ValidationError(str(error)) from error
        return values


_QUOTA_FIELDS = frozenset(field.name for field in Quota._meta.fields) - {"id", "deployment"}


def _is_object(form: forms.ModelForm, name: str) -> bool:  # type: ignore[type-arg]
    """Return whether the field is a JSON object. If not, add an error to the form."""
    if name not in form.cleaned_data:
        return False
    if form.cleaned_data[name] is None:
        form.cleaned_data[name] = {}
    if isinstance(form.cleaned_data[name], dict):
        return True
    form.add_error(name, 'A JSON object is expected: {"name": "value"}')
    return False
