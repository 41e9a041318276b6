#!/bin/sh
# Run the tests in tiers, quick ones first, and stop at the first tier that fails. The last line of each tier is printed
# again at the end. TESTS="PATH ..." runs only these paths; servers are installed only if a path is outside tests/unit.
set -u
cd "$(dirname "$0")/.."

if [ -n "${TESTS:-}" ]; then
    for path in $TESTS; do
        case $path in
            tests/unit*) ;;
            tests/acceptance | tests/acceptance/ | tests/acceptance/test_clients*)
                scripts/test_servers.sh && scripts/test_deployment.sh && scripts/test_clients.sh || exit 1
                ;;
            tests/deployment*) scripts/test_deployment.sh && scripts/test_servers.sh || exit 1 ;;
            *) scripts/test_servers.sh || exit 1 ;;
        esac
    done
    exec .venv/bin/python -m pytest $TESTS ${ARGS:-}
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

# Run two sets of tiers at the same time: each mostly waits, or uses one core. The second is printed after the first.
run_beside() { # SET SET
    second=$(mktemp)
    "$2" >"$second" 2>&1 &
    running=$!
    "$1"
    of_first=$?
    wait "$running"
    of_second=$?
    cat "$second"
    rm -f "$second"
    [ "$of_first" -eq 0 ] && [ "$of_second" -eq 0 ]
}

unit_pages() {
    run_tier "unit, pages" tests/unit/pages
}

unit_others() {
    run_tier "unit, others" --ignore=tests/unit/pages tests/unit
}

# Readings of pictures take minutes and depend on no database.
jobs_on_each_database() {
    run_tier "jobs" tests/integration/jobs &&
        run_tier "jobs on SQLite" --database=sqlite --ignore=tests/integration/jobs/test_pictures_read.py \
            --ignore=tests/integration/jobs/test_second_look.py tests/integration/jobs
}

other_integration_and_deployment() {
    run_tier "integration" --ignore=tests/integration/jobs tests/integration &&
        scripts/test_deployment.sh &&
        scripts/test_clients.sh &&
        run_tier "deployment" tests/deployment
}

OTHERS=$(printf 'tests/acceptance/test_%s.py ' make_run demo doctor backup flower logs traces pause ocr command_line clients)

acceptance_others() {
    run_tier "acceptance, other programs" $OTHERS tests/test_documentation.py
}

acceptance_on_parts() {
    run_tier "acceptance, on each set of backends" $(printf -- '--ignore=%s ' $OTHERS) tests/acceptance
}

run_beside unit_pages unit_others &&
    scripts/test_servers.sh &&
    run_beside other_integration_and_deployment jobs_on_each_database &&
    run_beside acceptance_on_parts acceptance_others || status=1

echo "--- all tiers"
cat "$summary"
exit "$status"
