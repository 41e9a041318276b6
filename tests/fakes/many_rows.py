"""Fill a PostgreSQL database as after a million parsed pages, with a few statements."""

from __future__ import annotations

from django.db import connection

PAGES_OF_LONG = 2000
SHORT_JOBS = 40_000
RUNNING_JOBS, WAITING_JOBS = 50, 5000
WORKERS = 3000
LONGEST_JOB = "pjb-00000000-0000-4000-8000-000000000001"

_JOB_ID = "'pjb-00000000-0000-4000-8000-' || lpad(i::text, 12, '0')"


def _statements(long_jobs: int, pages_of_short: int) -> str:
    waiting = f"i > {long_jobs} AND i <= {long_jobs + WAITING_JOBS}"
    # The replica role disables the triggers that check foreign keys row by row: they take longer than the inserts.
    return f"""
SET session_replication_role = replica;

INSERT INTO jobs_parsejob (id, project_id, api_key_id, document_name, media_type, mode, tier, version, target_pages,
    options, user_metadata, password_sealed, state, stage, document_pages, page_count, warnings, error_code,
    error_detail, result_folder, result_facts, uses_models, windows_sent, windows_closed, created_at, updated_at,
    started_at, finished_at, deadline_at)
SELECT {_JOB_ID}, p.id, k.id, 'report ' || i || '.pdf', 'application/pdf',
    (ARRAY['fast', 'balanced', 'multimodal', 'agentic'])[1 + i % 4], 'fast', '2026-06-15', '', '{{}}', '{{}}', '',
    CASE WHEN i <= {RUNNING_JOBS} THEN 'running' WHEN {waiting} THEN 'pending'
        WHEN i % 50 = 0 THEN 'failed' WHEN i % 20 = 0 THEN 'partial'
        ELSE 'succeeded' END,
    CASE WHEN i <= {RUNNING_JOBS} THEN 'model' WHEN {waiting} THEN 'split' ELSE 'done' END,
    pages, pages, '[]', CASE WHEN i > {RUNNING_JOBS} AND i % 50 = 0 THEN 'document_corrupt' ELSE '' END, '', '', '{{}}',
    i % 4 > 0, 1, 1, made, made + interval '1 minute', made + interval '2 s',
    CASE WHEN i > {RUNNING_JOBS} AND NOT ({waiting}) THEN made + interval '1 minute' END, now() + interval '1 hour'
FROM (SELECT i, now() - i * interval '1 s' AS made,
        CASE WHEN i <= {long_jobs} THEN {PAGES_OF_LONG} ELSE {pages_of_short} END AS pages
    FROM generate_series(1, {long_jobs + SHORT_JOBS}) AS i) AS jobs,
    (SELECT id FROM accounts_project LIMIT 1) AS p, (SELECT id FROM accounts_apikey LIMIT 1) AS k;

UPDATE jobs_parsejob SET result_facts = jsonb_build_object('good_pages', page_count - page_count / 97,
    'failed_pages', page_count / 97, 'usage',
    jsonb_build_object('requests', page_count, 'cost_usd', 0.0025 * page_count))
WHERE state IN ('succeeded', 'partial');

UPDATE jobs_parsejob SET expires_at = now() + (right(id, 12)::bigint % 60 - 10) * interval '1 day', retention_days = 30
WHERE finished_at IS NOT NULL;

INSERT INTO jobs_jobpage (job_id, number, state, attempts, needs_ocr, content, mode, mode_reason, fallback, facts,
    error_code, error_detail)
SELECT job.id, n, CASE WHEN n % 97 = 0 THEN 'failed' WHEN job.state = 'running' AND n > 500 THEN 'pending'
        ELSE 'succeeded' END,
    1, '', '', job.mode, '', CASE WHEN n % 53 = 0 THEN 'output_altered' ELSE '' END, '{{}}',
    CASE WHEN n % 97 = 0 THEN 'page_timeout' ELSE '' END, ''
FROM jobs_parsejob AS job, generate_series(1, job.page_count) AS n;

INSERT INTO jobs_step (job_id, project_id, stage, queue, first_page, last_page, state, fence, starts, sent_at,
    "window", begun_at, lease_expires_at, image)
SELECT job.id, job.project_id, 'model', (ARRAY['llm', 'lvm', 'agent'])[1 + n % 3], n, n,
    CASE WHEN n > 510 THEN 'pending' WHEN n > 500 THEN 'running' ELSE 'succeeded' END, 1, 1,
    CASE WHEN n <= 520 THEN now() END, '', CASE WHEN n <= 510 THEN now() END,
    CASE WHEN n BETWEEN 501 AND 510 THEN now() + interval '30 s' END, ''
FROM jobs_parsejob AS job, generate_series(1, job.page_count) AS n WHERE job.state = 'running';

INSERT INTO jobs_step (job_id, project_id, stage, queue, first_page, last_page, state, fence, starts, "window", image)
SELECT id, project_id, 'split', 'parse_raw_file_job', 0, 0, 'pending', 0, 0, '', '' FROM jobs_parsejob
WHERE state = 'pending';

INSERT INTO jobs_pageattempt (job_id, stage, step_id, fence, first_page, last_page, worker, started_at, ended_at,
    outcome, error_code, detail)
SELECT job_id, stage, id, 1, first_page, last_page, 'host:1', now() - (id % 3600) * interval '1 s',
    CASE WHEN state = 'succeeded' THEN now() - (id % 3600) * interval '1 s' + interval '4 s' END,
    CASE WHEN state = 'running' THEN 'running' WHEN id % 31 = 0 THEN 'failed' ELSE 'accepted' END,
    CASE WHEN id % 31 = 0 THEN 'provider_timeout' ELSE '' END, ''
FROM jobs_step WHERE state <> 'pending';

INSERT INTO jobs_pageattempt (job_id, stage, step_id, fence, first_page, last_page, worker, started_at, ended_at,
    outcome, error_code, detail)
SELECT id, 'extract', 10000000 + row_number() OVER (), 1, 1, page_count, 'host:1', started_at, finished_at,
    'accepted', '', '' FROM jobs_parsejob WHERE finished_at IS NOT NULL;

INSERT INTO providers_usage (project_id, job_id, page_number, page_parser, provider_name, model, started_at, seconds,
    outcome, error_code, input_tokens, output_tokens, cost_nanos, reservation_id, usage_suspect)
SELECT job.project_id, job.id, n, 'llm', 'provider', 'model', job.created_at, 4, 'answered',
    CASE WHEN n % 53 = 0 THEN 'output_altered' ELSE '' END, 1000, 1500, 2500000, '', false
FROM jobs_parsejob AS job, generate_series(1, job.page_count) AS n
WHERE job.uses_models AND job.page_count = {PAGES_OF_LONG};

INSERT INTO documents_document (id, project_id, name, sha256, size_bytes, purpose, external_file_id, created_at)
SELECT 'dfl-00000000-0000-4000-8000-' || lpad(i::text, 12, '0'), p.id, 'report ' || i || '.pdf', '', 1000, 'parse', '',
    now() - i * interval '1 s'
FROM generate_series(1, {long_jobs + SHORT_JOBS}) AS i, (SELECT id FROM accounts_project LIMIT 1) AS p;
INSERT INTO jobs_worker (id, name, host, pid, queues, width, version, started_at, seen_at, stopped_at)
SELECT 'worker ' || i, 'parse_raw_file_job@pod-' || i, 'pod-' || i, 7,
    '{{"parse_raw_file_job": 2, "parse_raw_file_job_pages": 2}}', 2, '1.0', now() - i * interval '1 s',
    now() - CASE WHEN i % 3 = 0 THEN i + 60 ELSE 0 END * interval '1 s',
    CASE WHEN i % 6 = 0 THEN now() - i * interval '1 s' END
FROM generate_series(1, {WORKERS}) AS i;

SET session_replication_role = DEFAULT;
ANALYZE jobs_worker;
ANALYZE jobs_parsejob; ANALYZE jobs_jobpage; ANALYZE jobs_step; ANALYZE jobs_pageattempt; ANALYZE providers_usage;
ANALYZE documents_document;
"""


def make_many_rows(*, long_jobs: int = 300, pages_of_short: int = 10) -> None:
    """Insert pages of one project, with steps, attempts and calls, and a document per job; by default a million pages.

    ``long_jobs`` jobs have 2,000 pages each, 40,000 others have few. 50 of the long ones are running, with 75,000 open
    steps; 5,000 jobs are pending. One in six of the finished jobs is past its retention. 3,000 workers registered
    within the last hour, and a third of them no longer reports.
    """
    with connection.cursor() as cursor:
        for statement in _statements(long_jobs, pages_of_short).split(";"):
            if statement.strip():
                cursor.execute(statement)


def remove_many_rows() -> None:
    tables = (
        "jobs_parsejob, jobs_jobpage, jobs_step, jobs_pageattempt, jobs_worker, providers_usage, documents_document"
    )
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {tables}, accounts_project, accounts_apikey CASCADE")
