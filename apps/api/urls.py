"""Every address of the API. Exact paths, no trailing slash, no redirects."""

from __future__ import annotations

from django.urls import path
from drf_spectacular.views import SpectacularAPIView, SpectacularJSONAPIView, SpectacularSwaggerSplitView

from apps.api import health, help_pages, ocr_exchange, queue_status
from apps.api.annotations import classify, extract, split
from apps.api.compatible import urls as compatible
from apps.api.exports import downloads, schemas
from apps.api.neighbours import api_keys, batches, directories, page_images, projects
from apps.api.progress import events, page_details
from apps.api.v1 import urls as first_api
from apps.api.v2 import configurations, estimate, files, images, parse, result_files
from apps.api.webhooks import views as webhooks

FILES = "api/v1/beta/files"
PARSE = "api/v2/parse"
EXTRACT, CLASSIFY = "api/v2/extract", "api/v2/classify"
SPLIT, OLD_SPLIT = "api/v1/split/jobs", "api/v1/beta/split/jobs"
CONFIGURATIONS = "api/v1/beta/configurations"
DIRECTORIES = "api/v1/beta/directories"
BATCHES = "api/v2/batches"
WEBHOOKS = "api/v1/beta/webhook-configs"
KEYS = "api/v1/api-keys"
DESCRIPTION = {"OAS_VERSION": "3.1.0"}  # the models use the JSON Schema of OpenAPI 3.1

urlpatterns = [
    path("", help_pages.front_page),
    path("errors", help_pages.error_codes),
    path("livez", health.Alive.as_view()),
    path("readyz", health.Ready.as_view()),
    path("api/health", health.Health.as_view()),
    path("api/queue-statusz", queue_status.QueueStatusz.as_view()),
    path("api/schema", SpectacularAPIView.as_view(custom_settings=DESCRIPTION), name="schema"),
    path("openapi.json", SpectacularJSONAPIView.as_view(custom_settings=DESCRIPTION)),
    path(
        "api/docs",
        SpectacularSwaggerSplitView.as_view(url_name="schema", url_self="docs", template_name="api/docs.html"),
        name="docs",
    ),
    path(schemas.ADDRESS, schemas.SchemaList.as_view()),
    path(f"{schemas.ADDRESS}/<str:name>", schemas.SchemaOfFile.as_view()),
    path(FILES, files.Files.as_view()),
    path(f"{FILES}/query", files.FilesQuery.as_view()),
    path(f"{FILES}/signed/<str:token>", files.SignedFile.as_view()),
    path(f"{FILES}/<str:file_id>", files.FileById.as_view()),
    path(f"{FILES}/<str:file_id>/content", files.FileContent.as_view()),
    path("api/v1/files/<str:file_id>/page_screenshots", page_images.ScreenshotsOfFile.as_view()),
    path("api/v1/files/<str:file_id>/page_screenshots/<int:page_index>", page_images.ScreenshotOfPage.as_view()),
    path("api/v1/files/<str:file_id>/page-figures", page_images.FiguresOfFile.as_view()),
    path(
        "api/v1/files/<str:file_id>/page-figures/<int:page_index>/<str:figure_name>",
        page_images.FigureOfPage.as_view(),
    ),
    path(CONFIGURATIONS, configurations.Configurations.as_view()),
    path(f"{CONFIGURATIONS}/<str:configuration_id>", configurations.ConfigurationById.as_view()),
    path("api/ocr-exchange/<str:token>", ocr_exchange.OcrExchange.as_view()),
    path(WEBHOOKS, webhooks.SavedWebhooks.as_view()),
    path(f"{WEBHOOKS}/<str:webhook_id>", webhooks.SavedWebhookById.as_view()),
    path("api/v2/webhook-configs", webhooks.SavedWebhooks.as_view(), name="webhooks_v2"),
    path(PARSE, parse.ParseJobs.as_view()),
    path(f"{PARSE}/upload", parse.ParseUpload.as_view()),
    path(f"{PARSE}/estimate", estimate.ParseEstimate.as_view()),
    path(f"{PARSE}/versions", parse.ParseVersions.as_view()),
    path(f"{PARSE}/signed/<str:token>", result_files.SignedResult.as_view()),
    path(f"{PARSE}/<str:job_id>", parse.ParseJobById.as_view()),
    path(f"{PARSE}/<str:job_id>/cancel", parse.CancelParse.as_view()),
    path(f"{PARSE}/<str:job_id>/retry", parse.RetryParse.as_view()),
    path(f"{PARSE}/<str:job_id>/events", events.ParseEvents.as_view()),
    path(f"{PARSE}/<str:job_id>/images/<str:name>", images.JobImage.as_view()),
    path(f"{PARSE}/<str:job_id>/result/<str:name>", downloads.ResultFile.as_view()),
    path(f"{PARSE}/<str:job_id>/pages", parse.ParsePages.as_view()),
    path(f"{PARSE}/<str:job_id>/pages/<str:page_number>", page_details.ParsePage.as_view()),
    path(DIRECTORIES, directories.Directories.as_view()),
    path(f"{DIRECTORIES}/<str:directory_id>", directories.DirectoryById.as_view()),
    path(f"{DIRECTORIES}/<str:directory_id>/files", directories.FilesOfDirectory.as_view()),
    path(f"{DIRECTORIES}/<str:directory_id>/files/upload", directories.UploadToDirectory.as_view()),
    path(f"{DIRECTORIES}/<str:directory_id>/files/<str:directory_file_id>", directories.FileOfDirectory.as_view()),
    path(BATCHES, batches.Batches.as_view()),
    path(f"{BATCHES}/<str:batch_id>", batches.BatchById.as_view()),
    path(f"{BATCHES}/<str:batch_id>/cancel", batches.CancelBatch.as_view()),
    path(EXTRACT, extract.ExtractJobs.as_view()),
    path(f"{EXTRACT}/schema/validation", extract.ValidateSchema.as_view()),
    path(f"{EXTRACT}/<str:job_id>", extract.ExtractJobById.as_view()),
    path(f"{EXTRACT}/<str:job_id>/cancel", extract.CancelExtract.as_view()),
    path(CLASSIFY, classify.ClassifyJobs.as_view()),
    path(f"{CLASSIFY}/<str:job_id>", classify.ClassifyJobById.as_view()),
    path(f"{CLASSIFY}/<str:job_id>/cancel", classify.CancelClassify.as_view()),
    path(SPLIT, split.SplitJobs.as_view()),
    path(f"{SPLIT}/<str:job_id>", split.SplitJobById.as_view()),
    path(f"{SPLIT}/<str:job_id>/cancel", split.CancelSplit.as_view()),
    path(OLD_SPLIT, split.SplitJobs.as_view(), name="split_beta"),
    path(f"{OLD_SPLIT}/<str:job_id>", split.SplitJobById.as_view(), name="split_beta_by_id"),
    path(KEYS, api_keys.KeysOfProject.as_view()),
    path(f"{KEYS}/<str:key_id>", api_keys.KeyById.as_view()),
    path(f"{KEYS}/<str:key_id>/rotate", api_keys.RotateKey.as_view()),
    path("api/v1/projects", projects.ProjectsOfKey.as_view()),
    path("api/v1/projects/<str:project_id>", projects.ProjectById.as_view()),
    path("api/v2/projects", projects.PagedProjects.as_view()),
    path("api/v2/projects/<str:project_id>", projects.PagedProjectById.as_view()),
    *first_api.urlpatterns,
    *compatible.urlpatterns,
]
