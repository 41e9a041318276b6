#!/bin/sh
# Fail if .pth files of a folder run code other than that of setuptools and virtualenv: pth_files.sh .venv
# Python runs their lines with "import" at every start, so malicious packages hide there. This script starts no Python.
set -eu

known="import os; var = 'SETUPTOOLS_USE_DISTUTILS'; enabled = os.environ.get(var, 'local') == 'local'; enabled and __import__('_distutils_hack').add_shim();
import _virtualenv"

unknown=$(
    find "$1" -name '*.pth' | while read -r file; do
        tr '\r' '\n' <"$file" | grep '^import[[:space:]]' | sed 's/[[:space:]]*$//' | grep -qvxF "$known" && echo "  $file"
    done || true
)
[ -n "$unknown" ] || exit 0
cat >&2 <<END
These files would run code at every start of Python, and no known package installs them:
$unknown
Find the package that installed each (grep its name in the RECORD files beside it) and remove the package. Then change all
secrets that Python processes of this environment could read. If the code is harmless, add it to scripts/pth_files.sh.
END
exit 1
