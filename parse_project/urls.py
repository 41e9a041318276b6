"""Every address of the service."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from apps.operations.views import operations

admin.site.site_header = admin.site.site_title = "Leafmill"

urlpatterns = [
    path("admin", RedirectView.as_view(url="/admin/")),
    path("admin/operations/", admin.site.admin_view(operations), name="operations"),
    path("admin/", admin.site.urls),
    path("", include("apps.api.urls")),
]
