"""The admin page of capacity: a form, and below it the plan and the simulation for the load."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_safe

from apps.capacity import report as words
from apps.capacity.chart import as_svg
from apps.capacity.errors import CannotPlan
from apps.capacity.plan import LOADS, RATES, LoadRequest, Scenario, plan, simulated
from apps.capacity.simulation_chart import panels_of
from apps.capacity.sizing import OVERLAYS
from apps.parsing.modes import MODES


class LoadForm(forms.Form):
    """A load and a simulation; sent by GET, so that each result has an address."""

    pages_per_minute = forms.FloatField(initial=1000, help_text="on average")
    mode = forms.ChoiceField(choices=[(name, name) for name in MODES], initial="balanced")
    overlay = forms.ChoiceField(choices=[(name, name) for name in OVERLAYS], initial="production")
    peak = forms.FloatField(initial=1, help_text="the busiest minute has so many times the average")
    ocr_share = forms.FloatField(label="Share of pages for OCR", initial=0.3, help_text="0 to 1")
    gpu = forms.BooleanField(label="OCR on GPUs", required=False)
    projects = forms.IntegerField(initial=1, help_text="whose pages these are: each has a window in every queue")
    load = forms.ChoiceField(choices=[(name, name) for name in LOADS], help_text="daily: a day's curve")
    burst = forms.FloatField(initial=0, help_text="pages more in the tenth minute")
    recorded_hours = forms.FloatField(required=False, help_text="the jobs of the last hours instead of a load")
    rates = forms.ChoiceField(
        choices=[(name, name) for name in RATES], help_text="pods as the guide's or as bench/results"
    )

    def wanted(self) -> LoadRequest:
        asked = self.cleaned_data
        names = ("pages_per_minute", "mode", "peak", "ocr_share", "gpu", "overlay")
        return LoadRequest(**{name: asked[name] for name in names})

    def scenario(self) -> Scenario:
        asked = self.cleaned_data
        return Scenario(
            projects=asked["projects"],
            load=asked["load"],
            hours=24.0 if asked["load"] == "daily" else 4.0,
            burst=asked["burst"],
            recorded_hours=asked["recorded_hours"],
            rates=asked["rates"],
        )


@require_safe
@permission_required("jobs.view_parsejob", raise_exception=True)
def show(request: HttpRequest) -> HttpResponse:
    """Show plan and simulation to staff who may see jobs, because the page contains quotas and prices."""
    form = LoadForm(request.GET) if request.GET else LoadForm()
    context = {**admin.site.each_context(request), "title": "Capacity", "form": form}
    if form.is_bound and form.is_valid():
        context |= _answer(form)
    return render(request, "capacity/capacity.html", context)


def _answer(form: LoadForm) -> dict[str, Any]:
    try:
        planned = plan(form.wanted())
        run = simulated(planned, form.scenario())
    except CannotPlan as error:
        form.add_error(None, str(error))
        return {}
    return {
        "answered": True,
        "plan_title": words.plan_title(planned),
        "headings": words.HEADINGS,
        "rows": words.plan_rows(planned),
        "sentences": words.plan_sentences(planned),
        "pairs": words.simulation_pairs(run),
        "bindings": words.binding_sentences(run),
        "chart": mark_safe(as_svg(panels_of(run))),  # noqa: S308 (its words are escaped there)
    }
