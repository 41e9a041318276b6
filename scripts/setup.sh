#!/bin/sh
# Bring .venv up to date with the lock: `setup.sh run` for the service, `setup.sh development` for tests and checks too.
# Progress goes to stderr, nothing to stdout. Without a change it only compares hashes.
set -eu
cd "$(dirname "$0")/.."
exec >&2

kind=${1:-run}
case $kind in
    run) lock=requirements.txt ;;
    development) lock=requirements-dev.txt ;;
    *) echo "setup.sh: unknown set-up '$kind'; use 'run' or 'development'."; exit 2 ;;
esac
stamp=.venv/.leafmill-$kind

fingerprint() {
    if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d' ' -f1
}

is_current() { # STAMP LOCK
    [ -x .venv/bin/python ] && [ -f "$1" ] && [ "$(cat "$1")" = "$(fingerprint "$2")" ]
}

find_python() {
    for candidate in "${PYTHON:-python3.11}" python3.12 python3.13 python3; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

make_venv() {
    python=$(find_python) || {
        echo "Leafmill needs Python 3.11, 3.12 or 3.13, and none was found."
        echo "Install one (Debian, Ubuntu: apt-get install python3 python3-venv) or pass its path: make PYTHON=/path/to/python3.11 ..."
        exit 2
    }
    if command -v uv >/dev/null; then
        uv venv -q --allow-existing --python "$python" .venv
    else
        "$python" -m venv .venv || {
            echo "$python could not create a virtual environment. On Debian and Ubuntu: apt-get install python3-venv"
            exit 2
        }
    fi
}

find_uv() {
    command -v uv && return
    [ -x .venv/bin/uv ] || .venv/bin/python -m pip install -q --require-hashes -r requirements-setup.txt >/dev/null || return 1
    echo .venv/bin/uv
}

install() { # uv takes seconds, pip a minute; only pip reads the indexes in pip.conf
    if uv=$(find_uv) && "$uv" pip install -q --python .venv/bin/python --require-hashes -r "$1"; then
        return
    fi
    echo "Falling back to pip."
    [ -x .venv/bin/pip ] || .venv/bin/python -m ensurepip >/dev/null
    .venv/bin/python -m pip install -q --require-hashes -r "$1"
}

if is_current "$stamp" "$lock"; then exit 0; fi

# When two makes start at once, the second waits here and finds the work done.
if [ -z "${LEAFMILL_SETUP_LOCKED:-}" ] && command -v flock >/dev/null; then
    LEAFMILL_SETUP_LOCKED=1 exec flock scripts sh scripts/setup.sh "$kind"
fi

echo "Setting up .venv from $lock (this happens once per change of the lock) ..."
[ -x .venv/bin/python ] || make_venv
install "$lock"
scripts/pth_files.sh .venv
fingerprint "$lock" >"$stamp"
# The development lock contains every package of requirements.txt at the same version.
if [ "$kind" = development ]; then fingerprint requirements.txt >.venv/.leafmill-run; fi
echo "Set-up is complete."
