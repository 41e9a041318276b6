"""Django's settings. Each environment variable is read here, once; docs/configuration.md has a row for each."""

from __future__ import annotations

import sys
from datetime import timedelta
from urllib.parse import urlsplit

from apps import VERSION
from apps.core.weak_settings import weak_settings
from apps.pages.model.page_numbers.ranges import DEFAULT_RANGE_PAGES
from parse_project import backends, env
from parse_project.provider_keys import provider_keys
from parse_project.queues import queue_table
from parse_project.secret_key import stored_secret_key

BASE_DIR = env.BASE_DIR

# --- Data folder of the embedded parts -------------------------------------------------------------------------------

DATA_DIR = env.data_folder()
IS_READ_ONLY = sys.argv[1:2] == ["doctor"]  # the doctor reports what is missing and creates nothing

# --- Django ----------------------------------------------------------------------------------------------------------

_CONFIGURED_KEY = env.secret(
    "SECRET_KEY", "", "signs links and encrypts stored secrets; empty: created at the first start"
)
HAS_CONFIGURED_KEY = bool(_CONFIGURED_KEY)
SECRET_KEY = _CONFIGURED_KEY or stored_secret_key(DATA_DIR, create=not IS_READ_ONLY)
SEALING_KEYS = env.sealing_keys(
    "LEAFMILL_SEALING_KEYS",
    "encrypt stored secrets: the first seals, all open, separated by commas; empty: derived from SECRET_KEY",
)
PROVIDER_PUBLIC_KEY, PROVIDER_PRIVATE_KEYS = provider_keys()
DEBUG = False
ALLOWED_HOSTS = env.listing("ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]", "accepted host names, separated by commas")
IS_INSECURE_ALLOWED = env.boolean(
    "LEAFMILL_INSECURE", False, "start with a weak SECRET_KEY or ALLOWED_HOSTS=*, on a machine that only you can reach"
)
WEAK_SETTINGS = weak_settings(secret_key=SECRET_KEY, allowed_hosts=ALLOWED_HOSTS)
if WEAK_SETTINGS and not IS_INSECURE_ALLOWED and not IS_READ_ONLY:
    _name, _reason = next(iter(WEAK_SETTINGS.items()))
    raise env.BadVariable(
        _name,
        "*" if _name == "ALLOWED_HOSTS" else "...",
        f"{_reason}. LEAFMILL_INSECURE=1 accepts it on a machine that only you can reach",
    )
CORS_ORIGINS = env.origins(
    "CORS_ORIGINS",
    "",
    "web pages that may call the API from a browser, such as https://app.example.com, separated by commas; * for all; "
    "empty: none",
)
PUBLIC_URL = env.text("PUBLIC_URL", "", "start of links to the service behind a proxy").rstrip("/")
CSRF_TRUSTED_ORIGINS = ["{0.scheme}://{0.netloc}".format(urlsplit(PUBLIC_URL))] if PUBLIC_URL else []
HOST = env.text("HOST", "127.0.0.1", "address on which web, its probes and Flower listen")
PORT = env.integer("PORT", 8000, "port of the web process", minimum=1, maximum=65535)
PROBE_PORT = env.integer(
    "PROBE_PORT",
    0,
    "port on which the web process answers /livez and /readyz in threads of their own; 0: none",
    maximum=65535,
)
ADMIN_PORT = env.integer(
    "ADMIN_PORT", 0, "port of a web process for the admin alone; the others have no admin then; 0: none", maximum=65535
)
FLOWER_PORT = env.integer("FLOWER_PORT", 5555, "port of Flower", minimum=1, maximum=65535)
FLOWER_URL = env.text(
    "FLOWER_URL", "", "URL of Flower for links in the admin; empty: FLOWER_PORT of the host that serves the admin"
).rstrip("/")

INSTALLED_APPS = [
    "apps.monitoring",  # before the admin, whose templates it extends
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "axes",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "apps.accounts",
    "apps.documents",
    "apps.providers",
    "apps.webhooks",
    "apps.jobs",
    "apps.api",
    "apps.capacity",
    "apps.cli",
    "apps.doctor",
    "apps.supervisor",
]
MIDDLEWARE = [
    "apps.monitoring.request_counts.CountRequests",
    "apps.api.middleware.RequestMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "apps.api.middleware.HostMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "apps.accounts.second_factor.SecondFactorMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "apps.accounts.audit.AuditMiddleware",
    "axes.middleware.AxesMiddleware",  # the last, to see the result of a login
]
if ADMIN_PORT:
    MIDDLEWARE.insert(2, "apps.api.middleware.AdminPortMiddleware")
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
if CORS_ORIGINS:
    MIDDLEWARE.insert(1, "apps.api.middleware.CorsMiddleware")
ROOT_URLCONF = "parse_project.urls"
WSGI_APPLICATION = "parse_project.wsgi.application"
APPEND_SLASH = False  # a redirect turns a client's POST into a GET
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
WHITENOISE_USE_FINDERS = True  # so that no collectstatic is needed after a clone
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-us"
SECURE_CONTENT_TYPE_NOSNIFF = True
_IS_HTTPS = PUBLIC_URL.startswith("https:")
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _IS_HTTPS else None
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _IS_HTTPS
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 8 * 3600  # seconds from the login, however busy the session is
SECURE_REFERRER_POLICY = "same-origin"
_HSTS_SECONDS = env.integer(
    "HSTS_SECONDS",
    365 * 24 * 3600,
    "seconds for which browsers use only https, if PUBLIC_URL is https; 0: they are not asked to",
)
SECURE_HSTS_SECONDS = _HSTS_SECONDS if _IS_HTTPS else 0
# Warnings of check --deploy that do not apply here.
SILENCED_SYSTEM_CHECKS = [
    "security.W005",  # other hosts of the domain are not ours
    "security.W021",
    "security.W008",  # the proxy redirects to https; probes and OCR workers use http inside
]
if not WEAK_SETTINGS:
    SILENCED_SYSTEM_CHECKS.append("security.W009")  # weak_settings.py is stricter, except about the length
if not _IS_HTTPS:  # browsers ignore HSTS over http and do not return secure cookies
    SILENCED_SYSTEM_CHECKS += ["security.W004", "security.W012", "security.W016"]

# --- Database --------------------------------------------------------------------------------------------------------

DATABASE_URL = env.address("DATABASE_URL", f"sqlite:///{DATA_DIR}/leafmill.sqlite3", "sqlite:///PATH or postgres://...")
DATABASE_CONNECTION_SECONDS = env.integer(
    "DATABASE_CONNECTION_SECONDS", 300, "seconds a process keeps its database connection; 0 behind PgBouncer"
)
DATABASE_POOL_SIZE = env.integer(
    "DATABASE_POOL_SIZE", 10, "PostgreSQL connections of a process with many threads (llm, lvm, agent)", minimum=1
)
DATABASES = {
    "default": backends.database(
        DATABASE_URL,
        connection_seconds=DATABASE_CONNECTION_SECONDS,
        statement_seconds=env.integer(
            "DATABASE_STATEMENT_SECONDS", 60, "seconds that a statement may take in PostgreSQL; 0: no limit"
        ),
        lock_seconds=env.integer(
            "DATABASE_LOCK_SECONDS", 10, "seconds that a statement may wait for a lock in PostgreSQL; 0: no limit"
        ),
        create_folder=not IS_READ_ONLY,
    )
}

# --- Storage ---------------------------------------------------------------------------------------------------------

STORAGE_URL = env.secret(
    "STORAGE_URL",
    f"file://{DATA_DIR}/storage",
    "stored files: file:///FOLDER or s3://BUCKET/PREFIX?endpoint_url=...",
)


STORAGES = {
    "default": backends.storage(STORAGE_URL),
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

# --- Uploads and limits ----------------------------------------------------------------------------------------------

MAX_UPLOAD_BYTES = env.integer("MAX_UPLOAD_MB", 512, "largest document, in MB", minimum=1) * 1024 * 1024
MAX_PAGES_PER_DOCUMENT = env.max_pages_per_document()
MAX_EXTRACTED_IMAGES_PER_PAGES = env.integer("MAX_EXTRACTED_IMAGES_PER_PAGES", 30, "pictures kept from one page")
PAGE_CPU_SECONDS = env.integer("PAGE_CPU_SECONDS", 20, "CPU seconds for one page in the reader", minimum=1)
PAGE_WALL_SECONDS = env.integer("PAGE_WALL_SECONDS", 30, "seconds for one page in the reader", minimum=1)
READER_MEMORY_MB = env.reader_memory_mb()
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024  # bytes of a JSON body or of form fields
DATA_UPLOAD_MAX_NUMBER_FIELDS = 5000  # for lists in the admin; the API has its own limit
DATA_UPLOAD_MAX_NUMBER_FILES = 1
FILE_UPLOAD_MAX_MEMORY_SIZE = 256 * 1024  # bytes kept in memory before an upload goes to disk
UPLOAD_IDLE_SECONDS = env.number(
    "UPLOAD_IDLE_SECONDS", 30, "seconds for which the client of an upload may send nothing", minimum=0.1
)
UPLOAD_MIN_BYTES_PER_SECOND = env.integer(
    "UPLOAD_MIN_BYTES_PER_SECOND", 1024, "bytes a second that the client of an upload must send on average"
)
UPLOAD_SECONDS = env.integer("UPLOAD_SECONDS", 3600, "seconds that one upload may take", minimum=1)
UPLOADS_AT_ONCE = env.integer(
    "UPLOADS_AT_ONCE", 1000, "requests whose bodies a web process receives at once, from all clients", minimum=1
)
ADDRESS_UPLOADS_AT_ONCE = env.integer(
    "ADDRESS_UPLOADS_AT_ONCE",
    300,
    "requests whose bodies a web process receives at once from one address; 0: no limit",
)
RESPONSE_IDLE_SECONDS = env.number(
    "RESPONSE_IDLE_SECONDS", 30, "seconds for which the reader of a response may take nothing", minimum=0.1
)
SIGNED_URL_SECONDS = env.integer("SIGNED_URL_SECONDS", 3600, "seconds for which a signed link is valid", minimum=1)

# --- Jobs ------------------------------------------------------------------------------------------------------------

LEASE = timedelta(seconds=env.number("LEASE_SECONDS", 30, "seconds without renewal after which a step is reclaimed"))
LEASE_RENEWAL_SECONDS = env.number("LEASE_RENEWAL_SECONDS", 10, "seconds between renewals of a lease", minimum=0.1)
RESCUE_SECONDS = env.number("RESCUE_SECONDS", 5, "seconds between searches for lost work", minimum=0.1)
RESEND_AFTER = timedelta(
    seconds=env.number(
        "RESEND_SECONDS", 30, "seconds after which rescue checks a dispatched message that is not claimed"
    )
)
PAGES_PER_RANGE = env.integer("PAGES_PER_RANGE", 32, "pages per message in fast mode", minimum=1)
SHORT_ROAD_PAGES = env.integer(
    "SHORT_ROAD_PAGES",
    DEFAULT_RANGE_PAGES,
    "documents up to this many pages are read and assembled by the process that opens them; 0: never",
)
JOB_BASE_SECONDS = env.integer("JOB_BASE_SECONDS", 900, "seconds a job may take, without its pages")
JOB_SECONDS_PER_PAGE = env.integer("JOB_SECONDS_PER_PAGE", 5, "additional seconds a job may take per page")
MAX_JOB_SECONDS = 6 * 3600
STUCK_AFTER = timedelta(
    minutes=env.integer("STUCK_MINUTES", 10, "minutes without progress after which the admin shows a job as stuck")
)
CLEANUP_PARSE_V2_RETENTION_DAYS = env.integer(
    "CLEANUP_PARSE_V2_RETENTION_DAYS",
    30,
    "days for which finished jobs and results are kept; 0 or less: forever",
    minimum=-36500,
    maximum=36500,
)
CLEANUP_PARSE_V2_BATCH_SIZE = env.integer(
    "CLEANUP_PARSE_V2_BATCH_SIZE", 100, "jobs that cleanup selects at once", minimum=1, maximum=10_000
)
AUDIT_LOG_DAYS = env.integer(
    "AUDIT_LOG_DAYS", 365, "days for which entries of the audit log are kept; 0: forever", maximum=36500
)
MAX_STARTS = 3  # starts of a page by itself before it counts as poison
MODE_WITHOUT_PROVIDER = env.choice(
    "MODE_WITHOUT_PROVIDER",
    "fast" if DATABASE_URL.startswith("sqlite:") else "",
    "mode for requests whose own mode has no provider; empty: refuse them",
    values=("fast", ""),
)

UNSUPPORTED_OPTIONS = env.choice(
    "UNSUPPORTED_OPTIONS",
    "refuse",
    "requests with options whose effect outside the result does not exist yet: refuse them, or warn and parse",
    values=("refuse", "warn"),
)

COMPATIBLE_API_TIER = env.choice(
    "COMPATIBLE_API_TIER",
    "fast",
    "tier of documents that come over the APIs of other services and name none",
    values=("fast", "cost_effective", "agentic", "agentic_plus"),
)
SYNC_WAIT_SECONDS = env.integer(
    "SYNC_WAIT_SECONDS",
    80,
    "seconds for which a request over the API of another service waits for the result",
    minimum=1,
    maximum=600,
)

# --- Model providers ------------------------------------------------------------------------------------------------

EXTERNAL_PROVIDERS = env.boolean(
    "EXTERNAL_PROVIDERS", True, "whether pages may be sent to providers outside this installation"
)
PROVIDER_OUTAGE_SECONDS = env.integer(
    "PROVIDER_OUTAGE_WAIT", 120, "seconds a page waits while all providers are down, before it gets its fallback text"
)
PROVIDER_FIRST_BYTE_SECONDS = env.number(
    "PROVIDER_FIRST_BYTE_SECONDS", 120, "seconds until the first byte of a provider's response", minimum=0.1
)
PROVIDER_IDLE_SECONDS = env.number(
    "PROVIDER_IDLE_SECONDS", 20, "seconds between two bytes of a provider's response", minimum=0.1
)
PROVIDER_TOTAL_SECONDS = env.number("PROVIDER_TOTAL_SECONDS", 180, "seconds for one call to a provider", minimum=0.1)
PROVIDER_FLEX_SECONDS = env.number(
    "PROVIDER_FLEX_SECONDS", 900, "seconds for one call of a job that can wait, at half price (flex)", minimum=0.1
)
PROVIDERS_REREAD_SECONDS = env.number(
    "PROVIDERS_REREAD_SECONDS", 5, "seconds until workers notice a change of providers in the admin", minimum=0.1
)
PAGE_CACHE_HOURS = env.integer("PAGE_CACHE_HOURS", 48, "hours for which a model's result for a page is cached")

# --- Queues and workers ----------------------------------------------------------------------------------------------

PARSE_PROCESSES = env.parse_processes()
PDF_JOB_QUEUE_CONCURRENCY = env.integer(
    "PDF_JOB_QUEUE_CONCURRENCY",
    1,
    "documents of more than 16 pages that one worker splits or assembles at once",
    minimum=1,
)
CONVERTER = env.converter()
CONVERTER_SECONDS = env.converter_seconds()
CONVERTER_MEMORY_MB = env.converter_memory_mb()
CONVERT_PROCESSES = env.integer("CONVERT_PROCESSES", 1, "documents that one convert worker converts at once", minimum=1)
OCR_WORKER = env.ocr_processes()
OCR_CONCURRENCY = env.integer("OCR_CONCURRENCY", 8, "OCR requests in flight per document", minimum=1)
OCR_DPI = env.ocr_dpi()
OCR_QUEUE = env.text("OCR_QUEUE", "auto", "ocr_cpu, ocr_gpu or auto: ocr_gpu while it has a worker")
if OCR_QUEUE not in ("auto", "ocr_cpu", "ocr_gpu"):
    raise env.BadVariable("OCR_QUEUE", OCR_QUEUE, "auto, ocr_cpu or ocr_gpu is expected")
OCR_EXCHANGE_URL = env.text(
    "OCR_EXCHANGE_URL", "", "web address as OCR workers reach it; empty: they share the storage folder"
).rstrip("/")
ACCURATE_MODE_LLM_CONCURRENCY = env.integer(
    "ACCURATE_MODE_LLM_CONCURRENCY", 250, "calls in flight per worker, parse_page_with_llm", minimum=1
)
MULTIMODAL_MODEL_CONCURRENCY = env.integer(
    "MULTIMODAL_MODEL_CONCURRENCY", 50, "calls in flight per worker, parse_page_with_lvm", minimum=1
)
PREMIUM_MODE_MODEL_CONCURRENCY = env.integer(
    "PREMIUM_MODE_MODEL_CONCURRENCY", 25, "calls in flight per worker, parse_page_with_agent", minimum=1
)
QUEUES = queue_table(
    parse_processes=PARSE_PROCESSES,
    convert_processes=CONVERT_PROCESSES,
    ocr_processes=OCR_WORKER,
    ocr_per_document=OCR_CONCURRENCY,
    window_per_job=env.integer("WINDOW_PER_JOB", 32, "messages of one job in a queue at once", minimum=1),
    window_per_project=env.integer("WINDOW_PER_PROJECT", 128, "messages of one project in a queue at once", minimum=1),
    model_widths={
        "llm": ACCURATE_MODE_LLM_CONCURRENCY,
        "lvm": MULTIMODAL_MODEL_CONCURRENCY,
        "agent": PREMIUM_MODE_MODEL_CONCURRENCY,
    },
)
MODEL_PROCESSES = env.integer(
    "MODEL_PROCESSES", 1, "processes of make run that share the three limits of model calls", minimum=1
)

CELERY_APP = "parse_project.celery"  # imported at the first publish, because it takes a while
CELERY_BROKER_URL = env.broker_url()
REDIS_URL = env.address(
    "REDIS_URL",
    CELERY_BROKER_URL if CELERY_BROKER_URL.startswith("redis") else env.embedded_broker_url(),
    "Redis or Valkey for chord counters, quotas and events; also needed beside RabbitMQ",
)

# --- API -------------------------------------------------------------------------------------------------------------

PROJECT_OPEN_PAGES = env.integer(
    "PROJECT_OPEN_PAGES", 20_000, "pages that one project may have in jobs that have not ended; 0: no limit"
)
OPEN_PAGES = env.integer(
    "OPEN_PAGES", 100_000, "pages that all projects together may have in jobs that have not ended; 0: no limit"
)
KEY_REQUESTS_PER_MINUTE = env.integer(
    "KEY_REQUESTS_PER_MINUTE",
    60_000,
    "requests a minute that an API key may send, unless its row in the admin says otherwise; 0: no limit",
    maximum=1_000_000,
)
KEY_UPLOADS_AT_ONCE = env.integer(
    "KEY_UPLOADS_AT_ONCE",
    10,
    "uploads that an API key may send at once, unless its row in the admin says otherwise; 0: no limit",
    maximum=10_000,
)
WRONG_KEYS_PER_MINUTE = env.integer(
    "WRONG_KEYS_PER_MINUTE",
    30,
    "wrong API keys a minute after which an address gets 429 for further ones; 0: no limit",
    maximum=1_000_000,
)
TRUSTED_PROXIES = env.integer(
    "TRUSTED_PROXIES",
    0,
    "proxies before the web process that add the client's address to X-Forwarded-For; 0: the header is ignored",
    maximum=10,
)
# Failed logins are counted in the database for a user and an address together: an attacker cannot lock out a user.
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_CLIENT_IP_CALLABLE = "apps.accounts.client_address.login_address"
AXES_LOCKOUT_CALLABLE = "apps.accounts.logins.refuse_login"
AXES_SENSITIVE_PARAMETERS = ["csrfmiddlewaretoken", "next", "otp_token"]
AXES_DISABLE_ACCESS_LOG = True
AXES_VERBOSE = False
ADMIN_SECOND_FACTOR = env.choice(
    "LEAFMILL_ADMIN_SECOND_FACTOR",
    "optional",
    "second factor of logins to the admin: optional (who has enrolled gives a code), required (for all users) or off",
    values=("off", "optional", "required"),
)
OIDC_ISSUER = env.text(
    "OIDC_ISSUER",
    "",
    "provider of OpenID Connect for logins to the admin, such as https://login.example.com; empty: passwords only",
)
OIDC_CLIENT_ID = env.text("OIDC_CLIENT_ID", "", "id of this service at the provider")
OIDC_CLIENT_SECRET = env.secret("OIDC_CLIENT_SECRET", "", "secret of this service at the provider")
OIDC_SCOPES = env.text("OIDC_SCOPES", "openid profile email", "scopes that are requested, with blanks between")
OIDC_STAFF_CLAIM = env.text("OIDC_STAFF_CLAIM", "groups", "claim of the ID token that says who may use the admin")
OIDC_STAFF_VALUES = env.listing(
    "OIDC_STAFF_VALUES", "", "values of that claim, one of which a user must have, separated by commas"
)
OIDC_GROUP = env.text("OIDC_GROUP", "", "group of the admin that such users join; its permissions are theirs")
if OIDC_ISSUER:
    _host = urlsplit(OIDC_ISSUER).hostname
    if not _host or not OIDC_ISSUER.startswith(("https://", "http://127.0.0.1:", "http://localhost:")):
        raise env.BadVariable("OIDC_ISSUER", OIDC_ISSUER, "an address that begins with https:// is expected")
    for _name, _value in (
        ("OIDC_CLIENT_ID", OIDC_CLIENT_ID),
        ("OIDC_CLIENT_SECRET", OIDC_CLIENT_SECRET),
        ("OIDC_STAFF_VALUES", OIDC_STAFF_VALUES),
    ):
        if not _value:
            raise env.BadVariable(_name, "", "logins over OIDC_ISSUER need it")
OTP_TOTP_ISSUER = f"Leafmill {urlsplit(PUBLIC_URL).hostname or ''}".strip()  # shown by apps
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["apps.api.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "apps.api.error_responses.exception_handler",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Leafmill",
    "DESCRIPTION": "Documents in; text, Markdown and JSON with a box for every element out.",
    "VERSION": VERSION,
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SERVE_PUBLIC": True,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "POSTPROCESSING_HOOKS": ["apps.api.schema.complete"],
    "ENABLE_DJANGO_DEPLOY_CHECK": False,  # it warns about numbered operation ids, which are public and stay
}

# --- Requests to addresses that users choose -------------------------------------------------------------------------

OUTBOUND_NETWORKS = env.networks(
    "OUTBOUND_NETWORKS",
    "",
    "private networks that webhooks and source_url may reach, such as 10.1.0.0/16, separated by commas; empty: none",
)

S3_FOLDERS = env.listing(
    "S3_FOLDERS",
    "",
    "folders such as s3://BUCKET/PREFIX/{project}/ for documents and results of LlamaParse's first API; {project}: the "
    "id of the project; empty: none",
)

# --- Monitoring ------------------------------------------------------------------------------------------------------

QUEUE_STATUS_TOKEN = env.secret("QUEUE_STATUS_TOKEN", "", "Bearer token that /api/queue-statusz requires; empty: open")

METRICS_TOKEN = env.secret(
    "METRICS_TOKEN",
    QUEUE_STATUS_TOKEN,
    "Bearer token that /metrics requires; empty: /metrics does not exist",
)
# prometheus_client reads the same variable when it is imported.
PROMETHEUS_MULTIPROC_DIR = env.text(
    "PROMETHEUS_MULTIPROC_DIR",
    "",
    "folder shared by web processes behind one port, so that each reports the requests of all",
)

# --- Traces ----------------------------------------------------------------------------------------------------------

_COLLECTOR = env.text("OTEL_EXPORTER_OTLP_ENDPOINT", "", "OpenTelemetry collector (OTLP over HTTP); empty: no traces")
TRACES_ENDPOINT = env.text(
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    f"{_COLLECTOR.rstrip('/')}/v1/traces" if _COLLECTOR else "",
    "complete URL, if traces go elsewhere; empty: /v1/traces of the collector",
)
if TRACES_ENDPOINT and not TRACES_ENDPOINT.startswith(("http://", "https://")):
    raise env.BadVariable("OTEL_EXPORTER_OTLP_ENDPOINT", "...", "http://HOST:PORT or https://HOST:PORT is expected")
_PROTOCOL = env.text(
    "OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf", "protocol of traces; only http/protobuf is supported"
)
if TRACES_ENDPOINT and _PROTOCOL != "http/protobuf":
    raise env.BadVariable("OTEL_EXPORTER_OTLP_PROTOCOL", _PROTOCOL, "only http/protobuf is supported")
TRACES_SERVICE = env.text("OTEL_SERVICE_NAME", "leafmill", "service name in traces")
_SAMPLER = env.text(
    "OTEL_TRACES_SAMPLER", "always_on", "sampling of jobs for traces: always_on, always_off or traceidratio"
)
_SHARE = env.number("OTEL_TRACES_SAMPLER_ARG", 1.0, "share of jobs that traceidratio traces, 0 to 1")
_SHARES = {"always_on": 1.0, "always_off": 0.0, "traceidratio": _SHARE}
_KIND = _SAMPLER.removeprefix("parentbased_")  # changes nothing, because no caller's span is the parent of ours
if _KIND not in _SHARES:
    raise env.BadVariable("OTEL_TRACES_SAMPLER", _SAMPLER, f"one of {', '.join(_SHARES)} is expected")
if _SHARE > 1:
    raise env.BadVariable("OTEL_TRACES_SAMPLER_ARG", f"{_SHARE:g}", "it must be at most 1")
TRACES_SHARE = _SHARES[_KIND]
if TRACES_ENDPOINT:
    MIDDLEWARE.insert(0, "apps.api.request_traces.TraceRequests")

# --- Logs ------------------------------------------------------------------------------------------------------------

LOG_LEVEL = env.log_level()
LOG_FORMAT = env.text("LOG_FORMAT", "text", "text: readable lines; json: one object per line")
if LOG_FORMAT not in ("text", "json"):
    raise env.BadVariable("LOG_FORMAT", LOG_FORMAT, "text or json is expected")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {"()": "apps.core.logs.LineFormatter", "format": "%(asctime)s %(levelname)s %(name)s %(message)s"},
        "json": {"()": "apps.core.logs.JsonFormatter"},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        "django.server": {"level": "WARNING"},
        "httpx": {"level": "WARNING"},
        "axes": {"level": "ERROR"},  # apps/monitoring/login_counts.py logs failed logins
    },
}
