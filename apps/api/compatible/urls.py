"""The addresses of other services' APIs."""

from __future__ import annotations

from django.urls import path

from apps.api.compatible import open_webui
from apps.api.compatible.docling import views as docling
from apps.api.compatible.mcp import views as mcp
from apps.api.compatible.unstructured import views as unstructured

urlpatterns = [
    path("v1/convert/file", docling.ConvertFile.as_view()),
    path("v1/convert/file/async", docling.ConvertFileAsync.as_view()),
    path("v1/convert/source", docling.ConvertSource.as_view()),
    path("v1/convert/source/async", docling.ConvertSourceAsync.as_view()),
    path("v1/status/poll/<str:task_id>", docling.PollStatus.as_view()),
    path("v1/result/<str:task_id>", docling.DoclingResult.as_view()),
    path("health", docling.DoclingHealth.as_view()),
    path("version", docling.Version.as_view()),
    path("general/v0/general", unstructured.Partition.as_view()),
    path("general/docs", unstructured.SplitCollection.as_view()),
    path("process", open_webui.Process.as_view()),
    path("by-page/process", open_webui.ProcessByPage.as_view()),
    path("mcp", mcp.Mcp.as_view()),
]
