"""``wait``: a request that is answered when the job has ended."""

from __future__ import annotations

import threading
import time

from django.db import connection

from apps.jobs.commands.cancel import cancel_job
from apps.jobs.models import ParseJob
from tests.integration.api.conftest import PARSE, Api, code_of


def test_a_request_that_waits_is_answered_when_the_job_ends(api: Api) -> None:
    job_id = api.parse().json()["id"]

    def cancel() -> None:
        cancel_job(job=ParseJob.objects.get(pk=job_id))
        connection.close()

    soon = threading.Timer(0.3, cancel)
    soon.start()
    began = time.monotonic()
    job = api.get(f"{PARSE}/{job_id}", {"wait": "60"}).json()["job"]
    soon.join()

    assert job["status"] == "CANCELLED"
    assert time.monotonic() - began < 55


def test_a_job_that_does_not_end_is_shown_as_it_is(api: Api) -> None:
    job_id = api.parse().json()["id"]

    assert api.get(f"{PARSE}/{job_id}", {"wait": "1"}).json()["job"]["status"] == "PENDING"
    assert code_of(api.get(f"{PARSE}/{job_id}", {"wait": "soon"}), 422) == "invalid_option"


def test_an_ended_job_is_shown_at_once(api: Api) -> None:
    job_id = api.parse().json()["id"]
    api.post(f"{PARSE}/{job_id}/cancel")

    assert api.get(f"{PARSE}/{job_id}", {"wait": "60"}).json()["job"]["status"] == "CANCELLED"
