"""The admin page of the doctor: the findings of ``manage.py doctor`` for the process that serves the page."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from apps.doctor.examination import examine, is_healthy, summary


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("jobs.view_parsejob", raise_exception=True)
def show(request: HttpRequest) -> HttpResponse:
    """Show the findings to staff who may see jobs. POST also calls each provider once."""
    findings = examine(call_providers=request.method == "POST")
    context = {
        **admin.site.each_context(request),
        "title": "Doctor",
        "findings": findings,
        "is_healthy": is_healthy(findings),
        "summary": summary(findings),
    }
    return render(request, "doctor/doctor.html", context)
