"""Pauses in the admin: adding a row pauses, deleting it resumes."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from apps.jobs.models import Pause
from apps.jobs.scheduling import pauses


class PauseForm(forms.ModelForm):  # type: ignore[type-arg]
    name = forms.ChoiceField(label="queue or intake")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "name" in self.fields:  # the read-only view of a row has no form fields
            self.fields["name"].choices = [(name, name) for name in pauses.pausable()]  # type: ignore[attr-defined]


@admin.register(Pause)
class PauseAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["name", "reason", "by", "since"]
    form = PauseForm
    fields = ["name", "reason"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Pause, form: Any, change: bool) -> None:
        pauses.pause(name=obj.name, reason=obj.reason, by=request.user.get_username())

    def delete_model(self, request: HttpRequest, obj: Pause) -> None:
        pauses.resume(name=obj.name)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Pause]) -> None:
        for pause in queryset:
            pauses.resume(name=pause.name)
