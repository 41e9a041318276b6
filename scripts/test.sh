#!/bin/sh
# The tests in tiers, the quick ones first, so that a simple mistake is told in seconds. Stops at the first tier that fails.
# TESTS=path runs only that path. pytest's closing line of each tier is printed again at the end.
set -u
cd "$(dirname "$0")/.."

if [ -n "${TESTS:-}" ]; then
    case $TESTS in *deployment*) scripts/test_deployment.sh || exit 1 ;; esac
    scripts/test_servers.sh && exec .venv/bin/python -m pytest $TESTS ${ARGS:-}
    exit 1
fi

summary=$(mktemp)
trap 'rm -f "$summary"' EXIT
status=0

run_tier() { # NAME PATH...
    name=$1
    shift
    echo "--- $name"
    log=$(mktemp)
    { .venv/bin/python -m pytest "$@" ${ARGS:-}; echo $? >"$log.status"; } | tee "$log"
    status=$(cat "$log.status")
    tail -n 1 "$log" >>"$summary"
    rm -f "$log" "$log.status"
    return "$status"
}

# Tests of jobs, on both databases, beside those of everything else: each set keeps about one core busy.
run_integration() {
    jobs=$(mktemp)
    {
        run_tier "jobs" tests/integration/jobs &&
            run_tier "jobs on SQLite" --database=sqlite tests/integration/jobs
    } >"$jobs" 2>&1 &
    running=$!
    run_tier "integration" --ignore=tests/integration/jobs tests/integration
    others=$?
    wait "$running"
    of_jobs=$?
    cat "$jobs"
    rm -f "$jobs"
    [ "$others" -eq 0 ] && [ "$of_jobs" -eq 0 ]
}

run_tier "unit" tests/unit &&
    scripts/test_servers.sh &&
    run_integration &&
    scripts/test_deployment.sh &&
    run_tier "deployment" tests/deployment &&
    run_tier "acceptance" -m "not long" tests/acceptance tests/test_documentation.py || status=1

echo "--- all tiers"
cat "$summary"
exit "$status"
