"""All URLs of the service."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from apps.accounts import oidc_pages, second_factor_pages
from apps.capacity import admin_page as capacity_page
from apps.doctor import admin_page as doctor_page
from apps.monitoring.metrics_view import show_metrics
from apps.monitoring.views import operations

admin.site.site_header = admin.site.site_title = "Leafmill"

urlpatterns = [
    # People type these without the final slash; APPEND_SLASH would redirect clients of the API, too.
    re_path(r"^(?P<page>admin(?:/.*[^/])?)$", RedirectView.as_view(url="/%(page)s/", query_string=True)),
    path("admin/operations/capacity/", admin.site.admin_view(capacity_page.show), name="capacity"),
    path("admin/operations/doctor/", admin.site.admin_view(doctor_page.show), name="doctor"),
    path("admin/operations/", admin.site.admin_view(operations), name="operations"),
    path("admin/oidc/login/", oidc_pages.begin, name="oidc_login"),
    path("admin/oidc/callback/", oidc_pages.finish, name="oidc_callback"),
    path("admin/second-factor/", second_factor_pages.show, name="second_factor"),
    path("admin/", admin.site.urls),
    path("metrics", show_metrics),
    path("", include("apps.api.urls")),
]
