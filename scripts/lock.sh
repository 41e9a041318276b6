#!/bin/sh
# Resolve requirements*.in into locks with hashes. Existing pins stay unless they no longer fit; scripts/lock.sh --upgrade
# takes the newest version of everything.
set -eu
cd "$(dirname "$0")/.."
uv=$(command -v uv || echo .venv/bin/uv)

# No addresses in a lock: it must install from whatever index a site uses. --no-config and the empty variables keep
# a machine's own indexes and wheel folders out of it.
compile() {
    UV_INDEX='' UV_EXTRA_INDEX_URL='' UV_FIND_LINKS='' "$uv" pip compile --no-config --universal --python-version 3.11 \
        --generate-hashes --no-header --no-emit-index-url --no-emit-find-links -q "$@"
}

compile requirements.in -o requirements.txt "$@"
compile -c requirements.txt requirements-dev.in -o requirements-dev.txt "$@"
compile -c requirements.txt ocr_worker/requirements.in -o ocr_worker/requirements.txt "$@"
compile -c requirements.txt ocr_worker/requirements-gpu.in -o ocr_worker/requirements-gpu.txt "$@"
compile requirements-setup.in -o requirements-setup.txt "$@"
compile tests/clients/first_api/requirements.in -o tests/clients/first_api/requirements.txt "$@"
compile tests/clients/second_api/requirements.in -o tests/clients/second_api/requirements.txt "$@"
compile tests/clients/compatible/requirements.in -o tests/clients/compatible/requirements.txt "$@"
compile tests/clients/openapi/requirements.in -o tests/clients/openapi/requirements.txt "$@"
