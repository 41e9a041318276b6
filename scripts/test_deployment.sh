#!/bin/sh
# Install what renders and checks the manifests: kubectl (in Debian's kubernetes-client), Node.js and the packages of
# tests/deployment/package-lock.json.
set -eu
cd "$(dirname "$0")/.."

missing=
command -v kubectl >/dev/null || missing="$missing kubernetes-client"
command -v node >/dev/null || missing="$missing nodejs"
command -v npm >/dev/null || missing="$missing npm"
if [ -n "$missing" ]; then
    if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
        echo "The deployment tests need these programs:$missing. Install them (Debian, Ubuntu: sudo apt-get install$missing) and run make test again." >&2
        exit 1
    fi
    echo "Installing for the deployment tests:$missing" >&2
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq >&2
    # shellcheck disable=SC2086
    apt-get install -y -qq --no-install-recommends $missing >&2
fi

cd tests/deployment
if ! cmp -s package-lock.json node_modules/.leafmill-lock; then
    npm ci --no-fund --no-audit --loglevel=error >&2
    cp package-lock.json node_modules/.leafmill-lock
fi
