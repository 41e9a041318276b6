#!/bin/sh
# Run the tests in tiers, quick ones first, and begin no tier after one that failed. The last line of each tier is printed
# again at the end. TESTS="PATH ..." runs only these paths; servers are installed only if a path is outside tests/unit.
set -u
cd "$(dirname "$0")/.."
# Tests start hundreds of processes, each of which would compile its imports again.
unset PYTHONDONTWRITEBYTECODE

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

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

run_tier() { # NAME PATH...
    name=$1
    shift
    echo "--- $name"
    log=$(mktemp "$work/log.XXXXXX")
    { .venv/bin/python -m pytest "$@" ${ARGS:-}; echo $? >"$log.status"; } | tee "$log"
    tail -n 1 "$log" >>"$work/summary"
    return "$(cat "$log.status")"
}

# Run tiers in three lanes, because a tier mostly waits or uses one core. A lane that is free begins the first tier that no
# lane has begun; a tier's output is printed when it ends.
run_in_lanes() { # TIER...
    lane "$@" &
    lane "$@" &
    lane "$@"
    wait
    [ ! -e "$work/failed" ]
}

lane() { # TIER...
    for tier in "$@"; do
        [ ! -e "$work/failed" ] || break
        mkdir "$work/$tier" 2>/dev/null || continue
        case $tier in
            set_up | unit_*) ;;
            *) until [ -e "$work/set_up/ended" ]; do sleep 1; done ;;
        esac
        [ ! -e "$work/failed" ] || break
        "$tier" >"$work/$tier/output" 2>&1 || touch "$work/failed"
        touch "$work/$tier/ended"
        cat "$work/$tier/output"
    done
}

set_up() {
    scripts/test_servers.sh && scripts/test_deployment.sh && scripts/test_clients.sh
}

unit_pages() {
    run_tier "unit, pages" tests/unit/pages
}

unit_others() {
    run_tier "unit, others" --ignore=tests/unit/pages tests/unit
}

jobs_on_postgres() {
    run_tier "jobs" --ignore=tests/integration/jobs/test_state_machine.py tests/integration/jobs
}

# These tests prove what becomes of pages, answers and options, which depends on no database.
OF_CONTENT=$(printf 'tests/integration/jobs/test_%s.py ' annotations answer_check budget_waits conversion crop_box dialects \
    estimates hidden_text model_stage obedient_models ocr_stage pictures_read printing second_look small_model \
    table_options traces)
LONG_ON_SQLITE=tests/integration/jobs/test_removal.py::test_a_process_killed_during_clean_up_leaves_nothing_behind

jobs_on_sqlite() {
    run_tier "jobs on SQLite" --database=sqlite $(printf -- '--ignore=%s ' $OF_CONTENT) --deselect "$LONG_ON_SQLITE" \
        tests/integration/jobs
}

api() {
    run_tier "API" tests/integration/api
}

integration() {
    run_tier "integration" --ignore=tests/integration/api --ignore=tests/integration/jobs tests/integration
}

deployment() {
    run_tier "deployment" tests/deployment
}

OTHERS=$(printf 'tests/acceptance/test_%s.py ' make_run demo doctor backup flower logs traces clients)

other_programs() {
    run_tier "acceptance, other programs" $OTHERS
}

faults() {
    run_tier "faults" tests/chaos
}

documentation() {
    run_tier "documentation" tests/test_documentation.py
}

embedded() {
    run_tier "acceptance, embedded backends" -k embedded $(printf -- '--ignore=%s ' $OTHERS) tests/acceptance
}

# What these tests prove does not depend on the broker; they run on the embedded backends. Quotas are in Valkey on all.
ON_ONE_BACKEND=$(printf 'tests/acceptance/%s.py ' test_command_line test_retention models/test_quotas models/test_safety \
    models/test_unavailable_providers)

rabbitmq() {
    run_tier "acceptance, other backends" -k "not embedded" $(printf -- '--ignore=%s ' $OTHERS $ON_ONE_BACKEND) \
        tests/acceptance
}

# After the unit tests the longest tiers first, so that the lanes end at about the same time.
run_in_lanes set_up unit_pages unit_others \
    integration api other_programs jobs_on_postgres embedded rabbitmq jobs_on_sqlite faults deployment documentation
status=$?

echo "--- all tiers"
cat "$work/summary"
exit "$status"
