"""Providers (accounts), their deployments (models), quotas, and the ledger of every call."""

from __future__ import annotations

from decimal import Decimal
from functools import cached_property

from django.db import models

from apps.providers.calls.usage import TokenUsage, tier_named
from apps.providers.model_facts.dialects import DIALECTS
from apps.providers.prices import NANOS_PER_DOLLAR, Kind, PriceKey, Prices
from apps.providers.requests.families import FAMILIES


def dollars_in_words(nanos: int | None) -> str:
    """Format billionths of a US dollar for people. None means unknown, which is not 0."""
    return "unknown" if nanos is None else f"${nanos / NANOS_PER_DOLLAR:.6f}"


class PageParserName(models.TextChoices):
    """The name of a page parser, which is also the name of its queue."""

    LLM = "llm", "parse_page_with_llm"
    LVM = "lvm", "parse_page_with_lvm"
    AGENT = "agent", "parse_page_with_agent"


class Provider(models.Model):
    """An account at a provider, or a server of our own with a provider's protocol.

    ``external``: pages that are sent there leave our own network. ``settings`` are the family's parameters except for
    its secrets, which are sealed and never shown. The columns ``trouble_*`` are its fault (deployment_faults.py), for
    example a wrong key: the provider is not called until the fault is cleared.
    """

    name = models.SlugField(max_length=60, unique=True)
    family = models.CharField(max_length=20, choices=[(name, family.label) for name, family in FAMILIES.items()])
    external = models.BooleanField(default=True, help_text="pages are sent outside your own network")
    region = models.CharField(max_length=60, blank=True, help_text="where pages are processed: eu, us-east-1...")
    settings = models.JSONField(default=dict, blank=True, help_text="parameters of the family except its secrets")
    sealed_for_model_workers = frozenset({"secrets_sealed"})
    secrets_sealed = models.TextField(blank=True, editable=False)
    paused = models.BooleanField(default=False, help_text="not called until it is resumed")
    trouble_code = models.CharField(max_length=40, blank=True, editable=False)
    trouble_detail = models.TextField(blank=True, editable=False)
    trouble_at = models.DateTimeField(null=True, blank=True, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return self.name


class Deployment(models.Model):
    """A model at a provider, with the page parsers that it serves, its place in the order, and its prices.

    Prices are US dollars per million tokens. An unknown price is None, never 0. ``listed_prices`` are those of a price
    table (price_table.py), ``prices_from`` names it; they apply where no price was entered. ``learnt`` is what its
    answers taught (learnt.py).
    """

    name = models.SlugField(max_length=60, unique=True)
    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="deployments")
    model = models.CharField(max_length=200, help_text="the model's name at the provider")
    base_model = models.CharField(
        max_length=200,
        blank=True,
        db_default="",
        help_text="the model behind that name, if the name is your own choice: gpt-5-mini",
    )
    serves_llm = models.BooleanField("parse_page_with_llm", default=False)
    serves_lvm = models.BooleanField("parse_page_with_lvm", default=False)
    serves_agent = models.BooleanField("parse_page_with_agent", default=False)
    order = models.PositiveSmallIntegerField(default=1, help_text="deployments with 1 are tried first")
    input_price = models.DecimalField(
        max_digits=10, decimal_places=3, null=True, blank=True, help_text="US dollars for a million input tokens"
    )
    output_price = models.DecimalField(
        max_digits=10, decimal_places=3, null=True, blank=True, help_text="US dollars for a million output tokens"
    )
    cached_input_price = models.DecimalField(
        max_digits=10,
        decimal_places=3,
        null=True,
        blank=True,
        help_text="US dollars for a million input tokens that the provider read from its cache",
    )
    cache_write_price = models.DecimalField(
        max_digits=10,
        decimal_places=3,
        null=True,
        blank=True,
        help_text="US dollars for a million input tokens that the provider wrote to its cache",
    )
    listed_prices = models.JSONField(null=True, blank=True, editable=False)
    prices_from = models.CharField(max_length=200, blank=True, db_default="", default="", editable=False)
    max_output_tokens = models.PositiveIntegerField(
        default=32_000, help_text="upper limit of an answer, in tokens; a thinking model's thinking counts"
    )
    thinking = models.CharField(
        max_length=10,
        blank=True,
        db_default="",
        help_text="off, low, medium, high or a number of tokens; empty: as little as the model can",
    )
    dialect = models.CharField(
        max_length=20,
        blank=True,
        db_default="",
        choices=[(name, dialect.label) for name, dialect in DIALECTS.items() if name],
        help_text="how a document model is asked, and the form of its answer; empty for general models",
    )
    prompt = models.TextField(blank=True, db_default="", help_text="instead of the dialect's own prompt")
    picture_pixels = models.PositiveIntegerField(
        null=True, blank=True, help_text="the longest side of a page's picture; empty: as the model is used to it"
    )
    batch = models.BooleanField(
        default=False,
        db_default=False,
        help_text="pages of jobs with urgency hours go through the provider's batch API, at half price",
    )
    parameters = models.JSONField(default=dict, blank=True, help_text="sent with every request: temperature...")
    learnt = models.JSONField(default=dict, db_default=models.Value({}, models.JSONField()), blank=True, editable=False)
    paused = models.BooleanField(default=False, help_text="not called until it is resumed")
    trouble_code = models.CharField(max_length=40, blank=True, editable=False)
    trouble_detail = models.TextField(blank=True, editable=False)
    trouble_at = models.DateTimeField(null=True, blank=True, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["order", "pk"]

    def __str__(self) -> str:
        return self.name

    @cached_property
    def prices(self) -> Prices | None:
        """The prices that were entered, and for the rest those of the price table; None if they are unknown."""
        typed: dict[Kind, Decimal | None] = {
            "input": self.input_price,
            "output": self.output_price,
            "cached": self.cached_input_price,
            "cache_write": self.cache_write_price,
        }
        return Prices.of(self.listed_prices or {}, typed, typed_tier=tier_named(self.parameters.get("service_tier")))

    def prices_in_words(self) -> str:
        """Describe the prices in use and where they are from."""
        if self.prices is None:
            return "unknown: costs are unknown, no limit of money counts them, and jobs with max_cost are refused"
        kinds: tuple[Kind, ...] = ("input", "cached", "cache_write", "output")
        known = ((kind, self.prices.rates.get(PriceKey(kind))) for kind in kinds)
        each = ", ".join(f"{kind.replace('_', ' ')} {float(price):g}" for kind, price in known if price is not None)
        typed = [price for price in (self.input_price, self.output_price) if price is not None]
        source = self.prices_from if len(typed) < len(("input", "output")) else "entered"
        if typed and self.prices_from and source == "entered":
            source += f"; the others follow from {self.prices_from}"
        return f"{each} US dollars per million tokens ({source})"

    @property
    def page_parsers(self) -> list[str]:
        """Return the names of the page parsers that it serves."""
        return [name for name in PageParserName.values if getattr(self, f"serves_{name}")]

    @property
    def has_price(self) -> bool:
        return self.prices is not None

    def cost_nanos(self, usage: TokenUsage) -> int | None:
        """Return the cost of these tokens in billionths of a US dollar; None if a price is unknown."""
        return None if self.prices is None else self.prices.cost_nanos(usage)

    def max_cost_nanos(self, *, input_tokens: int, output_tokens: int, is_batch: bool = False) -> int | None:
        """Return the most that a call with these tokens can cost, as ``cost_nanos`` does."""
        if self.prices is None:
            return None
        # "auto" leaves the tier to the settings of the account.
        tier = self.parameters.get("service_tier")
        dearest = "batch" if is_batch else "priority" if tier == "auto" else tier_named(tier)
        return self.prices.max_cost_nanos(input_tokens=input_tokens, output_tokens=output_tokens, tier=dearest)


class Quota(models.Model):
    """The limits of a deployment, for all processes together. An empty field is no limit.

    ``counts_max_tokens``: the provider counts the requested maximum of output tokens, not the actual number (Azure).
    """

    deployment = models.OneToOneField(Deployment, on_delete=models.CASCADE, related_name="quota")
    requests_per_window = models.PositiveIntegerField("requests (RPM)", null=True, blank=True)
    tokens_per_window = models.PositiveIntegerField("tokens (TPM)", null=True, blank=True)
    input_tokens_per_window = models.PositiveIntegerField("input tokens (ITPM)", null=True, blank=True)
    output_tokens_per_window = models.PositiveIntegerField("output tokens (OTPM)", null=True, blank=True)
    window_seconds = models.FloatField(default=60.0, help_text="60 for a minute; Azure counts over 1 or 10 s")
    requests_per_day = models.PositiveIntegerField(null=True, blank=True)
    calls_in_flight = models.PositiveIntegerField(null=True, blank=True)
    dollars_per_day = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    counts_max_tokens = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"quota of {self.deployment}"


class CallOutcome(models.TextChoices):
    """The outcome of a call. It stays ``RUNNING`` if the worker was killed."""

    RUNNING = "running"
    ANSWERED = "answered"
    FAILED = "failed"


class Usage(models.Model):
    """The ledger: one row for every call to a provider, written before the call is sent.

    Job and page are stored by id and number, not as foreign keys, so that costs stay on record when a job is deleted.
    ``cost_nanos`` is in billionths of a US dollar; None if the price is unknown. While a call runs, tokens and cost are
    their maximum. Cached tokens and cache writes are parts of the input, thinking is a part of the output.
    """

    project_id = models.UUIDField()
    job_id = models.CharField(max_length=40)
    page_number = models.PositiveIntegerField()
    page_parser = models.CharField(max_length=10, choices=PageParserName)
    deployment = models.ForeignKey(Deployment, null=True, on_delete=models.SET_NULL, related_name="usage")
    provider_name = models.CharField(max_length=60)
    model = models.CharField(max_length=200)
    started_at = models.DateTimeField()
    seconds = models.FloatField(null=True, blank=True)
    outcome = models.CharField(max_length=10, choices=CallOutcome, default=CallOutcome.RUNNING)
    error_code = models.CharField(max_length=40, blank=True)
    http_status = models.PositiveSmallIntegerField(null=True, blank=True)
    input_tokens = models.PositiveIntegerField()
    output_tokens = models.PositiveIntegerField()
    cached_tokens = models.PositiveIntegerField("cached input tokens", default=0, db_default=0)
    cache_write_tokens = models.PositiveIntegerField(default=0, db_default=0)
    reasoning_tokens = models.PositiveIntegerField("thinking tokens", default=0, db_default=0)
    service_tier = models.CharField(max_length=10, blank=True, default="", db_default="")
    cost_nanos = models.PositiveBigIntegerField(null=True, blank=True)
    reservation_id = models.CharField(max_length=16, blank=True, editable=False)
    usage_suspect = models.BooleanField(default=False, help_text="the provider's own count was implausible")

    class Meta:
        verbose_name = "call"
        verbose_name_plural = "usage"
        indexes = [
            models.Index(fields=["job_id", "page_number"], name="usage_of_job"),
            models.Index(fields=["started_at"], name="usage_newest"),
            models.Index(fields=["project_id", "started_at"], name="usage_of_project"),
        ]

    def __str__(self) -> str:
        return f"{self.model} for {self.job_id} page {self.page_number}, {self.outcome}"


class BatchState(models.TextChoices):
    """The states of a batch. ``SENDING``: the provider may have it already, and its id is not known yet."""

    SENDING = "sending"
    SENT = "sent"
    CANCELLING = "cancelling"
    ENDED = "ended"
    FAILED = "failed"


OPEN_BATCHES = (BatchState.SENDING, BatchState.SENT, BatchState.CANCELLING)


class Batch(models.Model):
    """Requests of many pages that went to a deployment's batch API together.

    The row is written before anything is sent. ``key`` goes with the batch, so that it is found again at the provider
    if the process that sent it died before it could store ``provider_batch``, the provider's id.
    """

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="batches")
    key = models.CharField(max_length=32, unique=True)
    state = models.CharField(max_length=10, choices=BatchState, default=BatchState.SENDING)
    provider_batch = models.CharField("the provider's id", max_length=200, blank=True, default="")
    input_file = models.CharField(max_length=200, blank=True, default="")
    requests = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    checks = models.PositiveIntegerField(default=0, help_text="how often the provider was asked for its state")
    check_at = models.DateTimeField(help_text="when the provider is asked next")
    detail = models.TextField(blank=True, default="")

    class Meta:
        verbose_name_plural = "batches"
        indexes = [models.Index(fields=["state", "check_at"], name="batches_due")]

    def __str__(self) -> str:
        return f"batch {self.key} of {self.requests} pages"


class BatchRequestState(models.TextChoices):
    """The states of a page's request in a batch. ``USED``: its answer was not usable, so the page is asked again."""

    WAITING = "waiting"
    SENT = "sent"
    ANSWERED = "answered"
    FAILED = "failed"
    USED = "used"


OPEN_BATCH_REQUESTS = (BatchRequestState.WAITING, BatchRequestState.SENT)


class BatchRequest(models.Model):
    """The request for one page, which waits for a batch or is in one; later its answer.

    ``body`` is there until the provider has it, ``answer`` until the job has ended, both compressed. ``until`` is when
    the page must be asked for in another way. ``reservation`` is the one in the quota store.
    """

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="batch_requests")
    batch = models.ForeignKey(Batch, null=True, blank=True, on_delete=models.CASCADE, related_name="pages")
    usage = models.ForeignKey(Usage, on_delete=models.CASCADE, related_name="+")
    job_id = models.CharField(max_length=40)
    page_number = models.PositiveIntegerField()
    page_parser = models.CharField(max_length=10, choices=PageParserName)
    state = models.CharField(max_length=10, choices=BatchRequestState, default=BatchRequestState.WAITING)
    body = models.BinaryField(null=True)
    body_bytes = models.PositiveIntegerField()
    answer = models.BinaryField(null=True)
    limit = models.PositiveIntegerField(help_text="the largest answer that was asked for, in tokens")
    input_tokens = models.PositiveIntegerField()
    reservation = models.JSONField(default=dict)
    detail = models.TextField(blank=True, default="")
    created_at = models.DateTimeField()
    not_before = models.DateTimeField(null=True, blank=True)
    until = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["job_id", "page_number", "page_parser", "deployment"], name="one_batch_request_a_page"
            )
        ]
        indexes = [
            models.Index(
                fields=["deployment", "created_at"],
                condition=models.Q(state="waiting"),
                name="batch_requests_waiting",
            )
        ]

    def __str__(self) -> str:
        return f"page {self.page_number} of {self.job_id}"

    @property
    def custom_id(self) -> str:
        """The name of the request inside its batch."""
        return f"{self.batch.key if self.batch else ''}-{self.pk}"
