"""What can go wrong on the way to a model's answer.

PageError
  ProviderError            a provider, or a rule about providers
    QuotaExhausted         wait_seconds; nothing failed
    ProvidersUnavailable   every deployment is out of order right now; worth another try later
    AllProvidersFailed     every deployment was tried and failed or refused this page; says how
    BudgetExceeded         the job's or the project's money is spent
    ProviderNotAllowed     a rule keeps every deployment from being used; names the rule
    CallFailed             one call; Failure says what kind. Never leaves the gateway.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from apps.pages.model.errors import PageError


class Failure(StrEnum):
    """How one call can fail: the public code of each."""

    RATE_LIMITED = "provider_rate_limited"
    OVERLOADED = "provider_overloaded"
    UNAVAILABLE = "provider_unavailable"
    TIMEOUT = "provider_timeout"
    BAD_RESPONSE = "provider_bad_response"
    TRUNCATED = "output_truncated"
    INCOMPLETE = "output_incomplete"
    ALTERED = "output_altered"
    REFUSED = "provider_refused"
    AUTH = "provider_auth_failed"
    MODEL_NOT_FOUND = "provider_model_not_found"
    NO_MONEY = "provider_quota_exhausted"
    CONTEXT = "provider_context_exceeded"
    BAD_REQUEST = "provider_bad_request"


OUT_OF_ORDER = frozenset({Failure.OVERLOADED, Failure.UNAVAILABLE, Failure.TIMEOUT})
"""Failures that say something about the deployment's health: they count towards its breaker."""
MISCONFIGURED = frozenset({Failure.AUTH, Failure.MODEL_NOT_FOUND, Failure.NO_MONEY})
"""Failures that waiting does not mend: the deployment is out until somebody mends it."""
WORTH_ANOTHER_TRY = frozenset({Failure.BAD_RESPONSE, Failure.TRUNCATED, Failure.INCOMPLETE, Failure.ALTERED})
"""Failures of one answer: the same deployment may do better with the same page once more."""


class ProviderError(PageError):
    """A model provider could not be used for this page."""

    code = "provider_unavailable"


class QuotaExhausted(ProviderError):
    """Every deployment's quota is used up for now; the page waits for its turn."""

    code = "provider_rate_limited"

    def __init__(self, wait_seconds: float) -> None:
        super().__init__()
        self.wait_seconds = wait_seconds


class ProvidersUnavailable(ProviderError):
    """No provider can be reached right now; the page is tried again."""

    def __init__(self, wait_seconds: float, detail: str | None = None) -> None:
        super().__init__(detail)
        self.wait_seconds = wait_seconds


class AllProvidersFailed(ProviderError):
    """Every deployment failed on this page or refused it."""

    code = "all_providers_failed"

    def __init__(self, failures: Sequence[str] = ()) -> None:
        super().__init__("Every deployment failed on this page: " + "; ".join(failures) if failures else None)
        self.failures = tuple(failures)


class BudgetExceeded(ProviderError):
    """The money set for this is spent. Raise max_cost or the project's quota, then retry the pages."""

    code = "budget_exceeded"


class ProviderNotAllowed(ProviderError):
    """A rule keeps every provider of this mode from being used."""

    code = "provider_not_allowed"


@dataclass(frozen=True)
class FailureFacts:
    """What is known of a failed call beside its kind."""

    detail: str
    http_status: int | None = None


class CallFailed(Exception):
    """One call failed. ``sent_at``: when it had been sent (seconds since 1970), None when it never was."""

    def __init__(self, failure: Failure, facts: FailureFacts, *, sent_at: float | None = None) -> None:
        super().__init__(f"{failure}: {facts.detail}")
        self.failure = failure
        self.facts = facts
        self.sent_at = sent_at
