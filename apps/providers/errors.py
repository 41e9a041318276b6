"""The errors of calls to model providers.

PageError
  ProviderError            a provider, or a rule about providers
    QuotaExhausted         wait_seconds; nothing failed
      AnswersLater         the page's request is in a batch
      BudgetReserved       micros: the money that the next call needs, in millionths of a US dollar
    ProvidersUnavailable   every deployment is out of order now; wait_seconds
    AllProvidersFailed     every deployment failed on this page or refused it; lists the failures
    BudgetExceeded         the job's or the project's money is spent
    ProviderNotAllowed     a rule excludes every deployment; names the rule
CallFailed                 one call failed; its Failure is the kind. Never leaves the gateway.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from apps.pages.model.errors import PageError
from apps.providers.calls.usage import TokenUsage


class Failure(StrEnum):
    """The kinds of failure of one call, by their public codes."""

    RATE_LIMITED = "provider_rate_limited"
    OVERLOADED = "provider_overloaded"
    UNAVAILABLE = "provider_unavailable"
    TIMEOUT = "provider_timeout"
    BAD_RESPONSE = "provider_bad_response"
    TRUNCATED = "output_truncated"
    INCOMPLETE = "output_incomplete"
    ALTERED = "output_altered"
    INVALID = "output_invalid"
    REFUSED = "provider_refused"
    AUTH = "provider_auth_failed"
    MODEL_NOT_FOUND = "provider_model_not_found"
    NO_MONEY = "provider_quota_exhausted"
    CONTEXT = "provider_context_exceeded"
    BAD_REQUEST = "provider_bad_request"
    PARAMETER_REFUSED = "provider_parameter_refused"
    MISCONFIGURED = "provider_misconfigured"


BREAKER_FAILURES = frozenset({Failure.OVERLOADED, Failure.UNAVAILABLE, Failure.TIMEOUT})
"""Failures of the deployment's health: they count towards its circuit breaker."""
FAULT_FAILURES = frozenset({Failure.AUTH, Failure.MODEL_NOT_FOUND, Failure.NO_MONEY, Failure.MISCONFIGURED})
"""Failures that waiting does not fix: they are stored as a fault of the deployment (deployment_faults.py)."""
RETRYABLE_FAILURES = frozenset(
    {Failure.BAD_RESPONSE, Failure.TRUNCATED, Failure.INCOMPLETE, Failure.ALTERED, Failure.INVALID}
)
"""Failures of one response: a retry at the same deployment can succeed."""


NO_TOKEN = "no access token"  # noqa: S105 (words, no token)
"""How the detail of a failure begins if the provider was not asked because no token could be fetched."""


class ProviderError(PageError):
    """A model provider could not be used for this page."""

    code = "provider_unavailable"


class QuotaExhausted(ProviderError):
    """The quota of every deployment is used up for now; the page is tried again."""

    code = "provider_rate_limited"

    def __init__(self, wait_seconds: float) -> None:
        super().__init__()
        self.wait_seconds = wait_seconds


class AnswersLater(QuotaExhausted):
    """The request is in a batch; the page is tried again as soon as the answer is there."""


class BudgetReserved(QuotaExhausted):
    """Calls in flight have reserved the rest of the budget; the page waits until one of them gives some back."""

    def __init__(self, wait_seconds: float, micros: int) -> None:
        super().__init__(wait_seconds)
        self.micros = micros


class ProvidersUnavailable(ProviderError):
    """No provider is available now; the page is tried again."""

    def __init__(self, wait_seconds: float, detail: str | None = None) -> None:
        super().__init__(detail)
        self.wait_seconds = wait_seconds


class AllProvidersFailed(ProviderError):
    """Every deployment failed on this page or refused it. Retry the page later, or add another provider."""

    code = "all_providers_failed"

    def __init__(self, failures: Sequence[str] = ()) -> None:
        super().__init__("Every deployment failed on this page: " + "; ".join(failures) if failures else None)
        self.failures = tuple(failures)


class BudgetExceeded(ProviderError):
    """The budget is spent. Raise max_cost or the project's quota, then retry the pages."""

    code = "budget_exceeded"


class ProviderNotAllowed(ProviderError):
    """A rule excludes every provider of this mode. Change the rule, or choose another mode."""

    code = "provider_not_allowed"


@dataclass(frozen=True)
class FailureFacts:
    """Details of a failed call. ``detail`` is a line for people, without secrets; ``body``: the provider's response."""

    detail: str
    http_status: int | None = None
    body: str = field(default="", repr=False)


class CallFailed(Exception):
    """One call failed.

    ``sent_at``: when it had been sent (epoch seconds); None if it never was. ``usage``: the tokens that the provider
    counted all the same; None if it counted none.
    """

    def __init__(
        self,
        failure: Failure,
        facts: FailureFacts,
        *,
        sent_at: float | None = None,
        usage: TokenUsage | None = None,
    ) -> None:
        super().__init__(f"{failure}: {facts.detail}")
        self.failure = failure
        self.facts = facts
        self.sent_at = sent_at
        self.usage = usage
