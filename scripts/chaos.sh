#!/bin/sh
# Run the property tests with new examples, then the kill, flush and long tests, TIMES times; among the long ones are more
# than 5,000 requests of Schemathesis. Then read PDFs with changed bytes, run the storms, and write the figures of
# docs/reliability.md. Stop at the first failure.
set -eu
cd "$(dirname "$0")/.."
scripts/test_servers.sh
scripts/test_clients.sh
round=1
while [ "$round" -le "${TIMES:-10}" ]; do
    echo "--- round $round of ${TIMES:-10}"
    HYPOTHESIS_PROFILE=new .venv/bin/python -m pytest -m "long or not long" tests/unit
    HYPOTHESIS_PROFILE=new .venv/bin/python -m pytest --database=sqlite -m long tests/integration/jobs tests/integration/test_hostile.py \
        tests/integration/api/test_webhook_faults.py
    .venv/bin/python -m pytest -m "chaos or long" tests/acceptance tests/chaos
    round=$((round + 1))
done
.venv/bin/python -m tests.chaos.byte_flips
.venv/bin/python -m tests.chaos.storm embedded postgres+redis postgres+rabbitmq
.venv/bin/python -m tests.chaos.table
