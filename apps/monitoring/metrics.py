"""What Prometheus reads at /metrics. Names are LlamaParse's where its dashboard has one, ours begin with ``leafmill_``.

Everything but the web process's own requests comes from the rows at the moment it is asked for, so it is true of the
whole installation and the same whichever process tells it (docs/decisions/metrics.md).
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

from apps.jobs import queries, workflow
from apps.jobs.errors import BrokerUnavailable
from apps.jobs.models import ParseJob
from apps.jobs.scheduling import pauses, queue_status
from apps.jobs.scheduling.queue_status import QueueStatus
from apps.jobs.states import ENDED_JOBS, OPEN_JOBS, JobState
from apps.monitoring import request_counts, running_totals
from apps.providers.calls.shared_gateway import shared_store
from apps.providers.catalog import MICROS_PER_DOLLAR, deployment_quota_key
from apps.providers.models import Deployment
from apps.providers.quota.store import QuotaState, QuotaStoreUnavailable

logger = logging.getLogger(__name__)
NANOS_PER_DOLLAR = 1_000_000_000
Totals = Mapping[tuple[str, ...], float]


def exposition() -> bytes:
    """Every metric in Prometheus's text format. A part that does not answer is told as ``leafmill_up`` 0."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Installation())
    return request_counts.exposition() + generate_latest(registry)


class Installation(Collector):
    """What is true of the whole installation."""

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("leafmill_up", "Whether a part answers: database, broker, quota_store", labels=["part"])
        found: list[Metric] = []
        for part, read in (("database", _from_rows), ("broker", _from_broker), ("quota_store", _from_quota_store)):
            up.add_metric([part], 1 if _answers(part, read, found) else 0)
        yield up
        yield from found


def _answers(part: str, read: Callable[[], list[Metric]], found: list[Metric]) -> bool:
    try:
        found += read()
    except (DatabaseError, InterfaceError, BrokerUnavailable, QuotaStoreUnavailable) as error:
        logger.warning("Metrics are told without the %s (%s)", part, type(error).__name__)
        return False
    return True


# --- Queues ---

_OF_QUEUES: tuple[tuple[str, str, Callable[[QueueStatus], float | None]], ...] = (
    ("waiting_messages", "Messages of open work that nobody has begun", lambda queue: queue.waiting),
    ("in_flight_messages", "Messages of open work that a worker is at", lambda queue: queue.in_flight),
    ("open_pages", "Pages in the messages of open work", lambda queue: queue.open_pages),
    ("oldest_age_seconds", "Age of the oldest message, 0 without any", lambda queue: queue.oldest_age_seconds or 0.0),
    ("work_seconds", "What one process needs for the open work", lambda queue: queue.work_seconds),
    ("consumers", "Workers that take from the queue", lambda queue: queue.consumers),
    ("width", "How much these workers do at once, all together", lambda queue: queue.width),
)


def _of_queues(queues: list[QueueStatus]) -> Iterator[Metric]:
    for name, meaning, value_of in _OF_QUEUES:
        values = {queue.name: value_of(queue) for queue in queues}
        yield _by_queue(name, meaning, values)


def _of_pauses() -> Iterator[Metric]:
    family = GaugeMetricFamily("leafmill_paused", "1 while a queue or the intake stands still", labels=["what"])
    paused = pauses.paused_names()
    for name in pauses.pausable():
        family.add_metric([name], 1 if name in paused else 0)
    yield family


def _from_broker() -> list[Metric]:
    told = workflow.broker_queues(settings.QUEUES)
    messages = {name: queue.messages for name, queue in told.items()}
    return [_by_queue("broker_messages", "Messages that wait in the broker", messages)]


def _by_queue(name: str, meaning: str, values: Mapping[str, float | None]) -> Metric:
    family = GaugeMetricFamily(f"leafmill_queue_{name}", meaning, labels=["queue"])
    for queue, value in values.items():
        if value is not None:
            family.add_metric([queue], value)
    return family


# --- Jobs, pages, attempts, calls ---


def _from_rows() -> list[Metric]:
    try:
        running_totals.count_news()
    except DatabaseError:
        logger.exception("The totals of metrics were not counted; the next look counts what this one did not")
    totals = running_totals.totals()
    return [
        *_of_queues(queue_status.queue_status_of_rows()),
        *_of_pauses(),
        *_of_open_jobs(),
        *_of_ended_jobs(totals),
        *_of_retention(),
        *_of_attempts(totals),
        *_of_calls(totals),
    ]


def _of_open_jobs() -> Iterator[Metric]:
    rows = ParseJob.objects.filter(state__in=OPEN_JOBS).order_by().values_list("state").annotate(Count("pk"))
    by_state = dict(rows)
    yield GaugeMetricFamily(
        "llamaparse_job_being_processed_total", "Jobs that are running", value=by_state.get(JobState.RUNNING, 0)
    )
    yield GaugeMetricFamily("leafmill_jobs_pending", "Jobs nobody has begun", value=by_state.get(JobState.PENDING, 0))


def _of_ended_jobs(totals: Totals) -> Iterator[Metric]:
    done = CounterMetricFamily("llamaparse_done", "Jobs that have ended", labels=["status"])
    for state in sorted(ENDED_JOBS):
        done.add_metric([state], totals.get(("jobs", state), 0))
    yield done
    yield _histogram("llamaparse_pipeline", "From the upload to the end of a job", totals, [("job_seconds",)])
    yield _counter("leafmill_job_errors", "Jobs that ended with an error", totals, "job_errors", ["code"])
    yield _counter("leafmill_pages", "Pages of ended jobs", totals, "pages", ["mode", "state", "fallback"])
    yield _counter("leafmill_page_errors", "Pages of ended jobs with an error", totals, "page_errors", ["code"])


def _of_retention() -> Iterator[Metric]:
    removed = CounterMetricFamily("leafmill_jobs_removed", "Jobs that were removed", labels=["why"])
    for why, jobs in sorted(queries.removed_jobs().items()):
        removed.add_metric([why], jobs)
    yield removed
    behind = queries.overdue_seconds()
    yield GaugeMetricFamily("leafmill_retention_behind_seconds", "What is over waits to be removed so long", behind)


def _of_attempts(totals: Totals) -> Iterator[Metric]:
    begun = sum(value for name, value in totals.items() if name[0] == "attempts" and name[2] == "split")
    yield CounterMetricFamily("llamaparse_job_consumed", "Jobs that a worker has opened", value=begun)
    yield _counter("leafmill_attempts", "Tries at a step", totals, "attempts", ["queue", "stage", "outcome"])
    yield _counter(
        "leafmill_attempt_errors", "Tries that ended with an error", totals, "attempt_errors", ["queue", "code"]
    )
    lost = sum(value for name, value in totals.items() if name[0] == "attempts" and name[3] == "lease_lost")
    yield CounterMetricFamily("leafmill_leases_lost", "Tries whose worker was lost", value=lost)
    for name, meaning, belongs in (
        (
            "preprocessing",
            "Opening a document, reading a range of pages",
            lambda queue, stage: stage in ("split", "extract"),
        ),
        ("ocr", "Recognising a page", lambda queue, stage: stage == "recognize"),
        ("llm", "A page with a language model", lambda queue, stage: queue == "llm"),
        ("multimodal", "A page with a vision model or an agent", lambda queue, stage: queue in ("lvm", "agent")),
    ):
        found = {key[:3] for key in totals if key[0] == "attempt_seconds" and belongs(key[1], key[2])}
        yield _histogram(f"llamaparse_{name}", meaning, totals, sorted(found))


def _of_calls(totals: Totals) -> Iterator[Metric]:
    labels = ["provider", "page_parser", "outcome", "code"]
    yield _counter("leafmill_provider_calls", "Calls to providers", totals, "calls", labels)
    yield _counter("leafmill_provider_tokens", "Tokens of calls", totals, "tokens", ["provider", "direction"])
    spent = CounterMetricFamily("leafmill_provider_spend_dollars", "Spent, where prices are known", labels=["provider"])
    for name, nanos in totals.items():
        if name[0] == "cost_nanos":
            spent.add_metric([name[1]], nanos / NANOS_PER_DOLLAR)
    yield spent
    for what, meaning, parsers in (
        ("llm_calls", "A call for parse_page_with_llm", ("llm",)),
        ("multimodal_llm_calls", "A call for parse_page_with_lvm or _agent", ("lvm", "agent")),
    ):
        yield _histogram(f"llamaparse_{what}", meaning, totals, [("call_seconds", parser) for parser in parsers])


def _counter(metric: str, meaning: str, totals: Totals, kind: str, labels: list[str]) -> Metric:
    family = CounterMetricFamily(metric, meaning, labels=labels)
    for name, value in sorted(totals.items()):
        if name[0] == kind:
            family.add_metric(list(name[1:]), value)
    return family


def _histogram(metric: str, meaning: str, totals: Totals, names: list[tuple[str, ...]]) -> Metric:
    """The sum of some histograms in the totals, cumulated as Prometheus wants it."""
    family = HistogramMetricFamily(f"{metric}_duration_seconds", meaning)
    counts = [
        sum(totals.get((*name, "bucket", str(number)), 0) for name in names)
        for number in range(len(running_totals.BUCKETS) + 1)
    ]
    bounds = [*(f"{bound:g}" for bound in running_totals.BUCKETS), "+Inf"]
    cumulated = [sum(counts[: number + 1]) for number in range(len(counts))]
    seconds = sum(totals.get((*name, "sum"), 0) for name in names)
    family.add_metric([], list(zip(bounds, cumulated, strict=True)), sum_value=seconds)
    return family


# --- Quotas ---

_USED: dict[str, Callable[[QuotaState], float]] = {
    "requests_per_window": lambda state: state.requests,
    "tokens_per_window": lambda state: state.tokens,
    "input_tokens_per_window": lambda state: state.input_tokens,
    "output_tokens_per_window": lambda state: state.output_tokens,
    "calls_in_flight": lambda state: state.in_flight,
    "requests_per_day": lambda state: state.requests_today,
    "dollars_per_day": lambda state: state.money_today / MICROS_PER_DOLLAR,
}


def _from_quota_store() -> list[Metric]:
    rows = list(Deployment.objects.select_related("quota", "provider"))
    store = shared_store()
    store.ping()  # without a deployment nothing else would be asked of it
    states = store.state([deployment_quota_key(row.pk) for row in rows])
    labels = ["provider", "deployment", "limit"]
    used = GaugeMetricFamily("leafmill_quota_used", "What a deployment has used of its limits now", labels=labels)
    most = GaugeMetricFamily("leafmill_quota_limit", "A deployment's limits; only those that are set", labels=labels)
    can = GaugeMetricFamily(
        "leafmill_deployment_available",
        "Whether a deployment is called: not paused, not in trouble, its breaker not open",
        labels=labels[:2],
    )
    for row, state in zip(rows, states, strict=True):
        of_row = [row.provider.name, row.name]
        is_stopped = row.paused or row.provider.paused or row.trouble_code or row.provider.trouble_code
        can.add_metric(of_row, 0 if is_stopped or state.breaker == "open" else 1)
        for limit, value_of in _USED.items():
            used.add_metric([*of_row, limit], value_of(state))
            set_to = getattr(getattr(row, "quota", None), limit, None)
            if set_to is not None:
                most.add_metric([*of_row, limit], float(set_to))
    return [used, most, can]
