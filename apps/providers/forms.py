"""Forms of the admin: secrets go in and never come out, and what no worker could use is refused at the form."""

from __future__ import annotations

from typing import Any

from django import forms

from apps.providers import services
from apps.providers.calls.families import FAMILIES, PARAMETERS, problems_of
from apps.providers.catalog import limits_of
from apps.providers.models import Deployment, Quota

FORGET = "forget_secrets"


def secret_names(family: str | None) -> list[str]:
    """The secrets that a family knows; all there are while none is chosen."""
    families = [FAMILIES[family]] if family in FAMILIES else list(FAMILIES.values())
    return list(dict.fromkeys(name for found in families for name in found.secrets))


class ProviderForm(forms.ModelForm):  # type: ignore[type-arg]
    """``secrets`` holds, once the form is valid, all that the provider is to have, or None where they stay."""

    secrets: dict[str, str] | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = self.instance.family if self.instance.pk else None
        self._names = secret_names(known)
        self._kept = services.kept_secrets(self.instance)
        for name in self._names:
            self.fields[name] = self._secret_field(name, known)
        if known:
            self.fields[FORGET] = forms.BooleanField(required=False, help_text="those that are not typed now are gone")
        if "settings" in self.fields:
            self.fields["settings"].help_text = _settings_help(known)
            self.fields["settings"].show_hidden_initial = False  # the row says what was there, not the browser

    @property
    def changed_data(self) -> list[str]:
        """Fields as the admin's log names them: that secrets changed is told, not which."""
        names: list[str] = super().changed_data
        others = [name for name in names if name not in (*self._names, FORGET)]
        return others if len(others) == len(names) else [*others, "secrets"]

    def clean(self) -> dict[str, Any]:
        answers: dict[str, Any] = super().clean() or self.cleaned_data
        typed = {name: answers[name] for name in self._names if answers.get(name)}
        secrets = typed if answers.get(FORGET) else {**self._kept, **typed}
        family = answers.get("family") or self.instance.family
        if not family or not _is_object(self, "settings"):
            return answers
        settings = answers["settings"]
        for name in [name for name in settings if name in secret_names(None)]:
            self.add_error("settings", f"{name}: a secret, which has a field of its own")
        for problem in problems_of(family, settings, secrets):
            self._tell(problem)
        if typed or answers.get(FORGET):
            self.secrets = secrets
        return answers

    def _tell(self, problem: str) -> None:
        """Beside the field that the sentence begins with: a secret's own, or the settings."""
        name = problem.partition(":")[0]
        self.add_error(name if name in self._names else "settings", problem)

    def _secret_field(self, name: str, family: str | None) -> forms.CharField:
        return forms.CharField(
            required=False,
            widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "class": "vTextField"}),
            help_text=self._secret_help(name, family),
        )

    def _secret_help(self, name: str, family: str | None) -> str:
        if family is None:
            return f"for {', '.join(found.label for found in FAMILIES.values() if name in found.secrets)}"
        return "kept; empty: it stays" if name in self._kept else "none is kept"


class DeploymentForm(forms.ModelForm):  # type: ignore[type-arg]
    def clean(self) -> dict[str, Any]:
        answers: dict[str, Any] = super().clean() or self.cleaned_data
        _is_object(self, "parameters")
        unknown = sorted(set(answers.get("parameters") or {}) - PARAMETERS)
        if unknown:
            self.add_error("parameters", f"{unknown[0][:60]} is not one of {', '.join(sorted(PARAMETERS))}")
        for name in ("input_price", "output_price"):
            if (answers.get(name) or 0) < 0:
                self.add_error(name, "A price is 0 or more; leave it empty where it is not known")
        if answers.get("max_output_tokens") == 0:
            self.add_error("max_output_tokens", "An answer has at least one token")
        return answers


class QuotaForm(forms.ModelForm):  # type: ignore[type-arg]
    def clean(self) -> dict[str, Any]:
        answers: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors:
            asked = {name: value for name, value in answers.items() if name in _QUOTA_FIELDS}
            deployment = Deployment(pk=0)
            Quota(deployment=deployment, **asked)
            try:
                limits_of(deployment)
            except ValueError as error:
                raise forms.ValidationError(str(error)) from error
        return answers


_QUOTA_FIELDS = frozenset(field.name for field in Quota._meta.fields) - {"id", "deployment"}


def _is_object(form: forms.ModelForm, name: str) -> bool:  # type: ignore[type-arg]
    """Whether the field's JSON is an object; the form says so where it is not."""
    if name not in form.cleaned_data:
        return False
    if form.cleaned_data[name] is None:
        form.cleaned_data[name] = {}
    if isinstance(form.cleaned_data[name], dict):
        return True
    form.add_error(name, 'A JSON object is expected: {"name": "value"}')
    return False


def _settings_help(family: str | None) -> str:
    families = [FAMILIES[family]] if family else list(FAMILIES.values())
    lines = [
        f"{found.label}: {', '.join(_marked(name, found.required) for name in found.settings)}" for found in families
    ]
    return f"A JSON object. {'; '.join(lines)}"


def _marked(name: str, required: tuple[str, ...]) -> str:
    return f"{name} (needed)" if name in required else name
