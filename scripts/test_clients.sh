#!/bin/sh
# Install the clients of other projects that tests/acceptance/test_clients.py runs, each set in an environment of its own
# beside its lock. An environment whose lock has not changed is kept.
set -eu
cd "$(dirname "$0")/.."

fingerprint() {
    if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d' ' -f1
}

is_current() { # STAMP LOCK
    [ -f "$1" ] && [ "$(cat "$1")" = "$(fingerprint "$2")" ]
}

for lock in tests/clients/*/requirements.txt; do
    environment=${lock%/*}/.venv
    stamp=$environment/.leafmill-lock
    if is_current "$stamp" "$lock"; then continue; fi
    echo "Installing $lock" >&2
    uv=$(command -v uv || echo .venv/bin/uv)
    "$uv" venv -q --clear --python .venv/bin/python "$environment"
    "$uv" pip install -q --python "$environment/bin/python" --require-hashes -r "$lock"
    fingerprint "$lock" >"$stamp"
done

lock=tests/clients/typescript/package-lock.json
stamp=${lock%/*}/node_modules/.leafmill-lock
if ! is_current "$stamp" "$lock"; then
    echo "Installing $lock" >&2
    (cd "${lock%/*}" && npm ci --no-fund --no-audit --loglevel=error >&2)
    fingerprint "$lock" >"$stamp"
fi
