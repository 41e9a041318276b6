"""The operations page in the admin."""

from __future__ import annotations

from django.contrib import admin, messages
from django.contrib.admin.models import ADDITION, DELETION, LogEntry
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from apps.jobs.admin.display import flower_url
from apps.jobs.models import Pause
from apps.jobs.scheduling import pauses
from apps.monitoring.dashboard import dashboard

REFRESH_SECONDS = 10


@require_http_methods(["GET", "HEAD", "POST"])
def operations(request: HttpRequest) -> HttpResponse:
    """Show the state of the service to staff who may see jobs; POST pauses and resumes queues."""
    if not request.user.has_perm("jobs.view_parsejob"):
        raise PermissionDenied
    if request.method == "POST":
        if name := request.POST.get("resume"):
            resume_name(request, name)
        elif (name := request.POST.get("pause")) in pauses.pausable():
            pause_name(request, name, request.POST.get("reason", "").strip()[:200])
        return HttpResponseRedirect(reverse("operations"))
    refresh = "refresh" in request.GET
    return render(
        request,
        "monitoring/dashboard.html",
        {
            **admin.site.each_context(request),
            **dashboard(),
            "title": "Operations",
            "flower": flower_url(request),
            "refresh_seconds": REFRESH_SECONDS if refresh else None,
            "may_pause": request.user.has_perm("jobs.add_pause"),
            "may_resume": request.user.has_perm("jobs.delete_pause"),
        },
    )


def pause_name(request: HttpRequest, name: str, reason: str) -> None:
    """Pause a queue or the intake, and log who did it."""
    if not request.user.has_perm("jobs.add_pause"):
        raise PermissionDenied
    if pauses.pause(name=name, reason=reason, by=request.user.get_username()) or reason:
        _log(request, name, ADDITION, f"paused: {reason}" if reason else "paused")
    messages.success(request, f"{name} is paused.")


def resume_name(request: HttpRequest, name: str) -> None:
    """Resume a queue or the intake, and log who did it."""
    if not request.user.has_perm("jobs.delete_pause"):
        raise PermissionDenied
    if pauses.resume(name=name):
        _log(request, name, DELETION, "resumed")
        messages.success(request, f"{name} is resumed.")


def _log(request: HttpRequest, name: str, kind: int, message: str) -> None:
    assert request.user.pk is not None
    LogEntry.objects.log_actions(request.user.pk, [Pause(name=name)], kind, message)
