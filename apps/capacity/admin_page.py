"""The capacity page of the admin: a form, and below it the plan and the simulation for the load."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_safe

from apps.capacity import report
from apps.capacity.chart import as_svg
from apps.capacity.errors import CannotPlan
from apps.capacity.plan import LoadRequest, plan
from apps.capacity.simulation.panels import panels_of
from apps.capacity.simulation.scenario import LOADS, RATES, Scenario, simulated
from apps.capacity.sizing import OVERLAYS
from apps.parsing.modes import MODES


class LoadForm(forms.Form):
    """A load and a simulation. The form uses GET, so that each result has an address."""

    pages_per_minute = forms.FloatField(initial=1000, help_text="on average")
    mode = forms.ChoiceField(choices=[(name, name) for name in MODES], initial="balanced")
    overlay = forms.ChoiceField(choices=[(name, name) for name in OVERLAYS], initial="production")
    peak = forms.FloatField(initial=1, help_text="load of the busiest minute as a multiple of the average")
    ocr_share = forms.FloatField(label="Share of pages for OCR", initial=0.3, help_text="0 to 1")
    gpu = forms.BooleanField(label="OCR on GPUs", required=False)
    projects = forms.IntegerField(
        initial=1, help_text="number of projects that share the load; each has a window in every queue"
    )
    load = forms.ChoiceField(choices=[(name, name) for name in LOADS], help_text="daily: the curve of a day")
    burst = forms.FloatField(initial=0, help_text="additional pages in the tenth minute")
    recorded_hours = forms.FloatField(required=False, help_text="replay the jobs of the last hours instead of a load")
    rates = forms.ChoiceField(
        choices=[(name, name) for name in RATES], help_text="speed of a pod: as in the guide, or as in bench/results"
    )

    def load_request(self) -> LoadRequest:
        data = self.cleaned_data
        names = ("pages_per_minute", "mode", "peak", "ocr_share", "gpu", "overlay")
        return LoadRequest(**{name: data[name] for name in names})

    def scenario(self) -> Scenario:
        data = self.cleaned_data
        return Scenario(
            projects=data["projects"],
            load=data["load"],
            hours=24.0 if data["load"] == "daily" else 4.0,
            burst=data["burst"],
            recorded_hours=data["recorded_hours"],
            rates=data["rates"],
        )


@require_safe
@permission_required("jobs.view_parsejob", raise_exception=True)
def show(request: HttpRequest) -> HttpResponse:
    """Show plan and simulation to staff who may see jobs, because the page contains quotas and prices."""
    form = LoadForm(request.GET) if request.GET else LoadForm()
    context: dict[str, Any] = {**admin.site.each_context(request), "title": "Capacity", "form": form}
    if form.is_bound and form.is_valid():
        try:
            planned = plan(form.load_request())
            run = simulated(planned, form.scenario())
        except CannotPlan as error:
            form.add_error(None, str(error))
        else:
            context |= {
                "has_result": True,
                "plan_title": report.plan_title(planned),
                "headings": report.HEADINGS,
                "rows": report.plan_rows(planned),
                "sentences": report.plan_sentences(planned),
                "pairs": report.simulation_pairs(run),
                "bindings": report.binding_sentences(run),
                "chart": mark_safe(as_svg(panels_of(run))),  # noqa: S308 (as_svg escapes its texts)
            }
    return render(request, "capacity/capacity.html", context)
