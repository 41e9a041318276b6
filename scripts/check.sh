#!/bin/sh
# Check lint, format, types, import contracts, settings, migrations and the supply chain. Run all checks
# even when one fails, then list the failed.
set -u
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"
failed=

check() { # NAME COMMAND...
    name=$1
    shift
    echo "--- $name"
    "$@" || failed="$failed $name"
}

check lint ruff check .
check format ruff format --check .
check types mypy
check imports lint-imports
check settings env PUBLIC_URL=https://parse.example.com python manage.py check --deploy --fail-level WARNING
check migrations python manage.py makemigrations --check --dry-run
check supply-chain scripts/supply_chain.sh

if [ -n "$failed" ]; then
    echo "make check failed in:$failed" >&2
    exit 1
fi
echo "make check: all clean"
