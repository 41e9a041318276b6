"""Every write to jobs. From outside: ``from apps.jobs import services``, then ``services.submit_job(...)``.

orders      what people ask for: submit, cancel, retry, delete
sending     rows that are due become messages
claims      a step is taken with a lease and a fence, and settled once
leases      the thread that renews what this process holds
splitting, reading, assembling    the stages of a job; a settled stage moves it on
rescue      makes good what a broker or a worker lost
"""

from apps.jobs.services.assembling import assemble_document
from apps.jobs.services.claims import lose_worker
from apps.jobs.services.orders import (
    JobRequest,
    cancel_job,
    delete_document,
    delete_job,
    retry_pages,
    submit_job,
)
from apps.jobs.services.reading import close_window, extract_pages, move_on, plan_pages
from apps.jobs.services.rescue import Rescued, rescue_jobs
from apps.jobs.services.sending import send_due
from apps.jobs.services.splitting import split_document

__all__ = [
    "JobRequest",
    "Rescued",
    "assemble_document",
    "cancel_job",
    "close_window",
    "delete_document",
    "delete_job",
    "extract_pages",
    "lose_worker",
    "move_on",
    "plan_pages",
    "rescue_jobs",
    "retry_pages",
    "send_due",
    "split_document",
    "submit_job",
]
