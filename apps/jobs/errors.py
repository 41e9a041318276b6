"""The errors of commands on jobs.

JobError (a ParseError)
  JobNotFound, JobNotFinished, BatchNotFound, ConfigurationNotFound, ModeNotAllowed, IntakePaused,
  QueueFull, ResultMissing, TooSlowToEstimate
  IllegalMove       NotCancellable
  InvalidOption     ModeNotAvailable
BrokerUnavailable (a ParseError)
QuotaExceeded, SourceGone (DocumentErrors: the job ends with them)
"""

from __future__ import annotations

from apps.pages.model.errors import DocumentError, ParseError


class JobError(ParseError):
    """The job cannot do this."""

    code = "conflict"


class JobNotFound(JobError):
    """No such job. It may have been deleted, or the id belongs to another project."""

    code = "not_found"


class BatchNotFound(JobError):
    """No such batch. It may have been removed with its jobs, or the id belongs to another project."""

    code = "not_found"


class ConfigurationNotFound(JobError):
    """This saved configuration does not exist. Send the id of one of GET /api/v1/beta/configurations, or a tier."""

    code = "not_found"


class IllegalMove(JobError):
    """The state of the job does not allow this. Check the state: GET /api/v2/parse/{job_id}."""

    code = "conflict"


class NotCancellable(IllegalMove):
    """The job has already ended, so there is nothing to cancel."""

    code = "job_not_cancellable"


class InvalidOption(JobError):
    """An option has a value that cannot be used.

    ``location`` is the option's path, ``("page_ranges", "target_pages")``; ``value`` is what was sent.
    """

    code = "invalid_option"

    def __init__(self, detail: str, *, location: tuple[str | int, ...], value: object = None) -> None:
        super().__init__(detail)
        self.location = location
        self.value = value


class ModeNotAllowed(JobError):
    """The project does not allow this mode. Send another tier, or ask for the mode to be allowed."""

    code = "mode_not_allowed"


class IntakePaused(JobError):
    """The service accepts no new jobs at the moment. Send the request again later."""

    code = "intake_paused"
    retryable = True
    wait_seconds = 60


class QueueFull(JobError):
    """Too many pages wait to be parsed. Send the request again later."""

    code = "queue_full"
    retryable = True
    wait_seconds = 30


class QuotaExceeded(DocumentError):
    """The project's quota is used up. Wait, or ask for a higher quota."""

    code = "quota_exceeded"


class SourceGone(DocumentError):
    """The parsed job that this one reads was deleted. Parse the document again."""

    code = "not_found"


class JobNotFinished(JobError):
    """The job has not finished, or has no result. Wait until its status is COMPLETED, then send the request again."""

    code = "job_not_finished"
    retryable = True


class ResultMissing(JobError):
    """The files of the result are missing from storage. Assemble it again: POST /api/v2/parse/{job_id}/retry."""

    code = "result_missing"


class ModeNotAvailable(InvalidOption):
    """No provider serves this mode. Send another tier, or load a provider for the mode."""

    code = "mode_not_available"


class TooSlowToEstimate(JobError):
    """The document's pages could not be sampled within half a minute. Parse it without an estimate."""

    code = "page_timeout"


class BrokerUnavailable(ParseError):
    """The message broker does not respond. Open work stays in the database and is sent when the broker is back."""

    code = "broker_unavailable"
    retryable = True
