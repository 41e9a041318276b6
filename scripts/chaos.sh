#!/bin/sh
# New examples for the property tests and the kill and flush scenarios, TIMES in a row; stops at the first that fails.
set -eu
cd "$(dirname "$0")/.."
scripts/test_servers.sh
round=1
while [ "$round" -le "${TIMES:-10}" ]; do
    echo "--- round $round of ${TIMES:-10}"
    HYPOTHESIS_PROFILE=new .venv/bin/python -m pytest tests/unit
    .venv/bin/python -m pytest -m "chaos or long" tests/acceptance
    round=$((round + 1))
done
