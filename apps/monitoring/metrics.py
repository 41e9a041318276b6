"""The metrics for Prometheus. Those on LlamaParse's dashboard have its names; all others begin with ``leafmill_``.

All except the web process's own requests are read from rows at the time of the scrape, so they cover the whole
installation and are the same in every process (docs/decisions/metrics.md).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping

from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django.db.models import Count
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from apps.accounts import second_factor
from apps.jobs import queries, workflow
from apps.jobs.errors import BrokerUnavailable
from apps.jobs.models import ParseJob
from apps.jobs.scheduling import pauses, queue_status
from apps.jobs.scheduling.queue_status import QueueStatus
from apps.jobs.states import ENDED_JOBS, OPEN_JOBS, JobState
from apps.monitoring import messages_put_aside, request_counts, running_totals
from apps.providers.batches import polling
from apps.providers.calls.process_gateway import configured_quota_store
from apps.providers.catalog import MICROS_PER_DOLLAR, deployment_quota_key
from apps.providers.models import Deployment
from apps.providers.quota.store import QuotaState, QuotaStoreUnavailable
from apps.webhooks import services as webhooks

logger = logging.getLogger(__name__)
NANOS_PER_DOLLAR = 1_000_000_000
Totals = Mapping[tuple[str, ...], float]
"""Each total by its kind and labels, as ``running_totals`` counts them, for example by
``("attempts", queue, stage, outcome)`` or ``("attempt_seconds", queue, stage, "bucket", number)``."""


def exposition() -> bytes:
    """Return all metrics in Prometheus's text format. A part that does not respond has ``leafmill_up`` 0."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Installation())
    return request_counts.exposition() + generate_latest(registry)


class Installation(Collector):
    """The metrics of the whole installation."""

    def collect(self) -> Iterator[Metric]:
        """Yield ``leafmill_up`` and the metrics of the parts that respond."""
        up = GaugeMetricFamily("leafmill_up", "1 while database, broker, quota_store respond", labels=["part"])
        found: list[Metric] = []
        parts: dict[str, Callable[[], list[Metric]]] = {
            "database": database_metrics,
            "broker": broker_metrics,
            "quota_store": quota_store_metrics,
        }
        for part, read in parts.items():
            try:
                found += read()
            except (DatabaseError, InterfaceError, BrokerUnavailable, QuotaStoreUnavailable) as error:
                logger.warning("Metrics of the %s are missing: it does not respond (%s)", part, type(error).__name__)
                up.add_metric([part], 0)
            else:
                up.add_metric([part], 1)
        yield up
        yield from found


def database_metrics() -> list[Metric]:
    """Return the metrics from rows: queues, jobs, webhooks, attempts, calls, people."""
    try:
        running_totals.update()
    except DatabaseError:
        logger.exception("The totals of the metrics were not updated; the next scrape counts these rows")
    totals = running_totals.totals()
    jobs = [*queue_metrics(), *job_metrics(totals), *webhook_metrics()]
    return [*jobs, *attempt_metrics(totals), *call_metrics(totals), people_metric()]


def people_metric() -> Metric:
    return GaugeMetricFamily(
        "leafmill_users_without_second_factor",
        "People who may log in to the admin and have no second factor",
        value=second_factor.users_without(),
    )


def broker_metrics() -> list[Metric]:
    """Return the number of messages in the broker by queue."""
    messages = {name: queue.messages for name, queue in workflow.broker_queues(settings.QUEUES).items()}
    return [_by_queue("broker_messages", "Messages in the broker", messages)]


_QUEUE_GAUGES: tuple[tuple[str, str, Callable[[QueueStatus], float | None]], ...] = (
    ("waiting_messages", "Unclaimed messages of open work", lambda queue: queue.waiting),
    ("in_flight_messages", "Messages of open work that are being processed", lambda queue: queue.in_flight),
    ("open_pages", "Pages in the messages of open work", lambda queue: queue.open_pages),
    ("oldest_age_seconds", "Age of the oldest message, 0 without any", lambda queue: queue.oldest_age_seconds or 0.0),
    ("work_seconds", "Time that one process needs for the open work", lambda queue: queue.work_seconds),
    ("consumers", "Workers that consume from the queue", lambda queue: queue.consumers),
    ("width", "Total concurrency of these workers", lambda queue: queue.width),
)


def queue_metrics() -> Iterator[Metric]:
    """Yield the open work of the queues, and whether they are paused."""
    queues = queue_status.queue_status_of_rows()
    for name, meaning, value_of in _QUEUE_GAUGES:
        yield _by_queue(name, meaning, {queue.name: value_of(queue) for queue in queues})
    family = GaugeMetricFamily("leafmill_paused", "1 while a queue or the intake is paused", labels=["what"])
    paused = pauses.paused_names()
    for name in pauses.pausable():
        family.add_metric([name], 1 if name in paused else 0)
    yield family
    yield GaugeMetricFamily(
        "leafmill_workers_not_confined",
        "Live workers whose readers a document could leave",
        value=queries.workers_not_confined(),
    )


def job_metrics(totals: Totals) -> Iterator[Metric]:
    """Yield the numbers of open, ended and removed jobs."""
    rows = ParseJob.objects.filter(state__in=OPEN_JOBS).order_by().values_list("state").annotate(Count("pk"))
    by_state = dict(rows)
    running, pending = by_state.get(JobState.RUNNING, 0), by_state.get(JobState.PENDING, 0)
    yield GaugeMetricFamily("llamaparse_job_being_processed_total", "Running jobs", value=running)
    yield GaugeMetricFamily("leafmill_jobs_pending", "Jobs that have not started", value=pending)
    done = CounterMetricFamily("llamaparse_done", "Jobs that have ended", labels=["status"])
    for state in sorted(ENDED_JOBS):
        done.add_metric([state], totals.get(("jobs", state), 0))
    yield done
    yield _histogram("llamaparse_pipeline", "From the upload to the end of a job", totals, [("job_seconds",)])
    yield _counter("leafmill_job_errors", "Jobs that ended with an error", totals, "job_errors", ["code"])
    yield _counter("leafmill_pages", "Pages of ended jobs", totals, "pages", ["mode", "state", "fallback"])
    yield _counter("leafmill_page_errors", "Pages of ended jobs with an error", totals, "page_errors", ["code"])
    removed = CounterMetricFamily("leafmill_jobs_removed", "Jobs that were removed", labels=["why"])
    for why, jobs in sorted(queries.removed_jobs().items()):
        removed.add_metric([why], jobs)
    yield removed
    yield GaugeMetricFamily(
        "leafmill_retention_behind_seconds", "Delay of the most overdue removal", value=queries.overdue_seconds()
    )


def webhook_metrics() -> Iterator[Metric]:
    """Yield the numbers of deliveries in the log, and the delay of the most overdue one."""
    family = GaugeMetricFamily("leafmill_webhook_deliveries", "Deliveries in the log", labels=["state"])
    for state, count in webhooks.deliveries_by_state().items():
        family.add_metric([state], count)
    yield family
    yield GaugeMetricFamily(
        "leafmill_webhooks_behind_seconds", "Delay of the most overdue delivery", value=webhooks.overdue_seconds()
    )


def attempt_metrics(totals: Totals) -> Iterator[Metric]:
    """Yield the numbers, errors and durations of attempts."""
    begun = sum(value for name, value in totals.items() if name[0] == "attempts" and name[2] == "split")
    yield CounterMetricFamily("llamaparse_job_consumed", "Jobs whose document a worker has opened", value=begun)
    yield _counter("leafmill_attempts", "Attempts at steps", totals, "attempts", ["queue", "stage", "outcome"])
    yield _counter(
        "leafmill_attempt_errors", "Attempts that ended with an error", totals, "attempt_errors", ["queue", "code"]
    )
    lost = sum(value for name, value in totals.items() if name[0] == "attempts" and name[3] == "lease_lost")
    yield CounterMetricFamily("leafmill_leases_lost", "Attempts whose worker was lost", value=lost)
    for name, meaning, belongs in (
        (
            "preprocessing",
            "Opening a document, reading a range of pages",
            lambda queue, stage: stage in ("split", "extract"),
        ),
        ("ocr", "OCR of a page", lambda queue, stage: stage == "recognize"),
        ("llm", "A page with a language model", lambda queue, stage: queue == "llm" and stage == "model"),
        ("multimodal", "A page with a vision model or an agent", lambda queue, stage: queue in ("lvm", "agent")),
    ):
        found = {key[:3] for key in totals if key[0] == "attempt_seconds" and belongs(key[1], key[2])}
        yield _histogram(f"llamaparse_{name}", meaning, totals, sorted(found))


def call_metrics(totals: Totals) -> Iterator[Metric]:
    """Yield the numbers, tokens, costs and durations of provider calls."""
    labels = ["provider", "page_parser", "outcome", "code"]
    yield _counter("leafmill_provider_calls", "Calls to providers", totals, "calls", labels)
    yield _counter("leafmill_provider_tokens", "Tokens of calls", totals, "tokens", ["provider", "direction"])
    spent = CounterMetricFamily("leafmill_provider_spend_dollars", "Spent, where prices are known", labels=["provider"])
    for name, nanos in totals.items():
        if name[0] == "cost_nanos":
            spent.add_metric([name[1]], nanos / NANOS_PER_DOLLAR)
    yield spent
    yield GaugeMetricFamily("leafmill_batches", "Batches under way at providers", value=polling.open_batches())
    pages = GaugeMetricFamily("leafmill_batch_pages", "Pages that wait for a batch or are in one", labels=["state"])
    for state, count in polling.counts().items():
        pages.add_metric([state], count)
    yield pages
    for what, meaning, parsers in (
        ("llm_calls", "A call for parse_page_with_llm", ("llm",)),
        ("multimodal_llm_calls", "A call for parse_page_with_lvm or _agent", ("lvm", "agent")),
    ):
        yield _histogram(f"llamaparse_{what}", meaning, totals, [("call_seconds", parser) for parser in parsers])


_USE_OF_LIMIT: dict[str, Callable[[QuotaState], float]] = {
    "requests_per_window": lambda state: state.requests,
    "tokens_per_window": lambda state: state.tokens,
    "input_tokens_per_window": lambda state: state.input_tokens,
    "output_tokens_per_window": lambda state: state.output_tokens,
    "calls_in_flight": lambda state: state.in_flight,
    "requests_per_day": lambda state: state.requests_today,
    "dollars_per_day": lambda state: state.money_today / MICROS_PER_DOLLAR,
}


def quota_store_metrics() -> list[Metric]:
    """Return what is in Redis: use and limits of quotas, whether deployments are available, messages put aside."""
    rows = list(Deployment.objects.select_related("quota", "provider"))
    store = configured_quota_store()
    store.ping()  # without deployments no other request would show that the store is down
    states = store.state([deployment_quota_key(row.pk) for row in rows])
    labels = ["provider", "deployment", "limit"]
    used = GaugeMetricFamily("leafmill_quota_used", "Current use of a deployment's limits", labels=labels)
    limits = GaugeMetricFamily("leafmill_quota_limit", "The configured limits of a deployment", labels=labels)
    available = GaugeMetricFamily(
        "leafmill_deployment_available",
        "1 while a deployment may be called: not paused, no fault, circuit breaker not open",
        labels=labels[:2],
    )
    for row, state in zip(rows, states, strict=True):
        row_labels = [row.provider.name, row.name]
        is_stopped = row.paused or row.provider.paused or row.trouble_code or row.provider.trouble_code
        available.add_metric(row_labels, 0 if is_stopped or state.breaker == "open" else 1)
        for limit, value_of in _USE_OF_LIMIT.items():
            used.add_metric([*row_labels, limit], value_of(state))
            configured = getattr(getattr(row, "quota", None), limit, None)
            if configured is not None:
                limits.add_metric([*row_labels, limit], float(configured))
    aside = CounterMetricFamily(
        "leafmill_messages_put_aside", "Messages that no worker could process", labels=["reason"]
    )
    for reason, messages in messages_put_aside.counts().items():
        aside.add_metric([reason], messages)
    return [used, limits, available, aside]


def _by_queue(name: str, meaning: str, values: Mapping[str, float | None]) -> Metric:
    family = GaugeMetricFamily(f"leafmill_queue_{name}", meaning, labels=["queue"])
    for queue, value in values.items():
        if value is not None:
            family.add_metric([queue], value)
    return family


def _counter(metric: str, meaning: str, totals: Totals, kind: str, labels: list[str]) -> Metric:
    family = CounterMetricFamily(metric, meaning, labels=labels)
    for name, value in sorted(totals.items()):
        if name[0] == kind:
            family.add_metric(list(name[1:]), value)
    return family


def _histogram(metric: str, meaning: str, totals: Totals, names: list[tuple[str, ...]]) -> Metric:
    """Return the sum of the named histograms in the totals, with cumulative buckets as Prometheus expects."""
    family = HistogramMetricFamily(f"{metric}_duration_seconds", meaning)
    counts = [
        sum(totals.get((*name, "bucket", str(number)), 0) for name in names)
        for number in range(len(running_totals.BUCKETS) + 1)
    ]
    bounds = [*(f"{bound:g}" for bound in running_totals.BUCKETS), "+Inf"]
    cumulative = [sum(counts[: number + 1]) for number in range(len(counts))]
    seconds = sum(totals.get((*name, "sum"), 0) for name in names)
    family.add_metric([], list(zip(bounds, cumulative, strict=True)), sum_value=seconds)
    return family
