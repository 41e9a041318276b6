"""Every write to jobs. From outside: ``from apps.jobs import services``, then ``services.submit_job(...)``.

orders      what people ask for: submit, cancel, retry, parse in another mode, prefer
retention   how long ended jobs are kept
cleaning    those whose time is over are removed
removing    the one way in which jobs and documents go, with all their bytes
admission   whether they may have it
estimating  what it would come to
sending     rows that are due become messages
claims      a step is taken with a lease and a fence, and settled once
leases      the thread that renews what this process holds
splitting, reading, planning, recognizing, modelling, assembling    the stages of a job
routing, answers, money, alarm    what modelling stands on
advancing   a stage that is settled moves the job on
moving      of many pages that end at once, not each asks for that
pausing     queues and the intake stand still, and go on
workers     which are there, and the OCR queue that is chosen by it
queue_status    what each queue has to do
traces      what of a job is told to OpenTelemetry
rescue      makes good what a broker or a worker lost
"""

from apps.jobs.services.admission import Admission, admit
from apps.jobs.services.advancing import close_window, move_on
from apps.jobs.services.assembling import assemble_document, how_parsed, usage_of
from apps.jobs.services.claims import lose_worker
from apps.jobs.services.cleaning import Overdue, ask_for_clean_up, clean_up, clean_up_all, overdue
from apps.jobs.services.estimating import Estimate, ModeEstimate, Range, estimate_parse
from apps.jobs.services.modelling import parse_page
from apps.jobs.services.orders import (
    JobRequest,
    cancel_job,
    parse_in_mode,
    retry_pages,
    set_priority,
    submit_job,
)
from apps.jobs.services.pausing import pausable, pause, resume, stands_still
from apps.jobs.services.planning import plan_pages, route_pages
from apps.jobs.services.queue_status import QueueStatus, queue_status, queue_status_of_rows
from apps.jobs.services.reading import extract_pages
from apps.jobs.services.recognizing import accept_ocr, keep_ocr_alive, render_page
from apps.jobs.services.removing import delete_document, delete_job
from apps.jobs.services.rescue import Rescued, rescue_jobs
from apps.jobs.services.retention import keep_jobs, reckon
from apps.jobs.services.sending import send_due
from apps.jobs.services.splitting import split_document
from apps.jobs.services.workers import WorkerFacts, note_worker, note_worker_gone, ocr_queue

__all__ = [
    "Admission",
    "Estimate",
    "JobRequest",
    "ModeEstimate",
    "Overdue",
    "QueueStatus",
    "Range",
    "Rescued",
    "WorkerFacts",
    "accept_ocr",
    "admit",
    "ask_for_clean_up",
    "assemble_document",
    "cancel_job",
    "clean_up",
    "clean_up_all",
    "close_window",
    "delete_document",
    "delete_job",
    "estimate_parse",
    "extract_pages",
    "how_parsed",
    "keep_jobs",
    "keep_ocr_alive",
    "lose_worker",
    "move_on",
    "note_worker",
    "note_worker_gone",
    "ocr_queue",
    "overdue",
    "parse_in_mode",
    "parse_page",
    "pausable",
    "pause",
    "plan_pages",
    "queue_status",
    "queue_status_of_rows",
    "reckon",
    "render_page",
    "rescue_jobs",
    "resume",
    "retry_pages",
    "route_pages",
    "send_due",
    "set_priority",
    "split_document",
    "stands_still",
    "submit_job",
    "usage_of",
]
