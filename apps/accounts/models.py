"""Projects, their API keys, the keys by which clients repeat requests, users of OpenID Connect, and the audit log."""

from __future__ import annotations

import hashlib
import uuid
from ipaddress import IPv4Address, IPv6Address, ip_network

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class Project(models.Model):
    """The owner of documents, jobs and keys; a project cannot see those of another.

    ``retention_days``: how long finished jobs are kept; None: as long as the service keeps them; 0: forever.
    ``deletion_requested_at``: since then its keys are refused, and housekeeping deletes the project with all its data.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200, unique=True)
    retention_days = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MaxValueValidator(36500)],
        help_text="days that ended jobs and their results are kept; empty: as the service does, 0: for ever",
    )
    llama_cloud_ids = models.TextField(
        blank=True,
        default="",
        db_default="",
        verbose_name="LlamaCloud ids",
        help_text="ids of LlamaCloud projects that this one replaces, with commas between them; clients may go on "
        "sending them as project_id",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    deletion_requested_at = models.DateTimeField(null=True, blank=True, editable=False)

    def __str__(self) -> str:
        return self.name

    def is_called(self, project_id: str) -> bool:
        """Return whether clients may call the project by this id."""
        replaced = {each.strip().lower() for each in self.llama_cloud_ids.split(",")}
        return bool(project_id) and project_id.lower() in {str(self.pk), *replaced}


class ProjectQuota(models.Model):
    """Limits of a project; an empty field is no limit. A project without a row has no limits.

    ``modes`` and ``providers`` are lists of names, empty for all. A project cannot allow what the installation forbids.
    """

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="quota")
    pages_per_day = models.PositiveIntegerField(null=True, blank=True)
    concurrent_jobs = models.PositiveIntegerField(null=True, blank=True, help_text="further jobs wait")
    dollars_per_day = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    modes = models.JSONField(default=list, blank=True, help_text='["fast", "balanced"]; empty: all')
    allow_external = models.BooleanField(default=True, help_text="pages may be sent to external providers")
    providers = models.JSONField(default=list, blank=True, help_text="names of providers; empty: all")

    def __str__(self) -> str:
        return f"quota of {self.project}"


class Scope(models.TextChoices):
    """What an API key may do."""

    READ = "read", "read files, jobs and results"
    PARSE = "parse", "upload, parse, cancel and delete"
    ADMIN = "admin", "manage the project and its keys"


ALL_SCOPES = " ".join(Scope.values)


def validate_scopes(value: str) -> None:
    unknown = sorted(set(value.split()) - set(Scope.values))
    if unknown or not value.split():
        wrong = f"{unknown[0]!r} is not a scope. " if unknown else ""
        raise ValidationError(f"{wrong}Scopes are {', '.join(Scope.values)}, with blanks between: 'read parse'.")


def validate_networks(value: str) -> None:
    for each in filter(None, (part.strip() for part in value.split(","))):
        try:
            ip_network(each, strict=False)
        except ValueError:
            raise ValidationError(f"{each!r} is no address or network such as 203.0.113.7 or 10.1.0.0/16.") from None


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def valid(self) -> ApiKeyQuerySet:
        """Return the keys that are accepted now, by the database's clock."""
        accepted = self.filter(Q(expires_at=None) | Q(expires_at__gt=Now()), revoked_at=None)
        return accepted.filter(project__deletion_requested_at=None)


class ApiKey(models.Model):
    """An API key: its SHA-256 and its first characters; the key itself is not stored.

    A key has 256 random bits and cannot be guessed, so a plain hash is enough.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=200)
    beginning = models.CharField(max_length=12, help_text="the first characters, to tell keys apart")
    sha256 = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    scopes = models.CharField(
        max_length=50,
        default=ALL_SCOPES,
        db_default=ALL_SCOPES,
        validators=[validate_scopes],
        help_text="what the key may do, with blanks between: read, parse, admin",
    )
    allowed_addresses = models.TextField(
        blank=True,
        default="",
        db_default="",
        validators=[validate_networks],
        help_text="addresses or networks that may use the key, with commas between; empty: all",
    )
    requests_per_minute = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MaxValueValidator(1_000_000)],
        help_text="empty: the setting KEY_REQUESTS_PER_MINUTE, 0: no limit",
    )
    uploads_at_once = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MaxValueValidator(10_000)],
        help_text="empty: the setting KEY_UPLOADS_AT_ONCE, 0: no limit",
    )

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.name} ({self.beginning}...)"

    def has_scope(self, scope: Scope) -> bool:
        return scope in self.scopes.split()

    def allows(self, address: IPv4Address | IPv6Address | None) -> bool:
        """Return whether requests from this address may use the key. Without a list all may."""
        networks = [
            ip_network(each.strip(), strict=False) for each in self.allowed_addresses.split(",") if each.strip()
        ]
        return not networks or any(address in network for network in networks if address is not None)


class IdempotencyKey(models.Model):
    """A key that a client sent with a request, and the first response to that request.

    ``status`` None: the request is being processed, under the lease, or its process stopped. ``fingerprint``: SHA-256
    of the request's address and body.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    body = models.TextField(blank=True)
    fence = models.PositiveIntegerField(default=1)
    lease_expires_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "key"], name="idempotency_key_of_project")]

    def __str__(self) -> str:
        return self.key


class AuditEntry(models.Model):
    """Something that a person, a key or a command did. It names them as they were called then, and refers to no row."""

    class Kind(models.TextChoices):
        PERSON = "person", "person"
        KEY = "key", "API key"
        COMMAND = "command", "command"

    at = models.DateTimeField(auto_now_add=True, db_index=True)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    actor = models.CharField(max_length=200)
    action = models.CharField(max_length=200)
    target = models.CharField(max_length=500, blank=True)
    address = models.GenericIPAddressField(null=True, blank=True)
    request_id = models.CharField(max_length=64, blank=True)

    class Meta:
        verbose_name_plural = "audit log"

    def __str__(self) -> str:
        return f"{self.actor}: {self.action} {self.target}".strip()


class AuditRetention(models.Model):
    """Allows the deletion of older entries, for the transaction that has this row. The database refuses all others."""

    before = models.DateTimeField()

    def __str__(self) -> str:
        return f"before {self.before}"


class OidcIdentity(models.Model):
    """A user of a provider of OpenID Connect, by the id that never changes there (``sub``), and the user here."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    issuer = models.CharField(max_length=500)
    subject = models.CharField(max_length=255)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["issuer", "subject"], name="oidc_identity_of_provider")]

    def __str__(self) -> str:
        return f"{self.subject} of {self.issuer}"

    @property
    def key(self) -> str:
        """Twelve digits that tell users apart who have the same name, also from users with a password."""
        return hashlib.sha256(f"{self.issuer}\n{self.subject}".encode()).hexdigest()[:12]
