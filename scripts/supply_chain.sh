#!/bin/sh
# Check what comes from others: supply_chain.sh [check|sbom|release]
#   check    .pth files, and known vulnerabilities of the locked packages if the advisory service can be reached
#   sbom     write a bill of materials (CycloneDX) per image to out/sbom
#   release  both; vulnerabilities must have been checked, and base images must be named by digest
# AUDIT_ARGS is for pip-audit: "-s osv" asks OSV instead of PyPI, "--ignore-vuln ID" accepts one vulnerability.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"
NOT_CHECKED=3

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

audit() {
    # pip-audit passes packages that the service does not know, so ask first for one with known vulnerabilities.
    echo "django==1.11.0" >"$work/vulnerable.txt"
    # shellcheck disable=SC2086
    pip-audit ${AUDIT_ARGS:-} --timeout 5 --progress-spinner off --no-deps --disable-pip -f json \
        -r "$work/vulnerable.txt" >"$work/known.json" 2>"$work/errors" || true
    if ! grep -q '"vulns": \[{' "$work/known.json"; then
        echo "Known vulnerabilities were NOT checked: the advisory service did not respond, or it knows no vulnerability of Django 1.11.0."
        return $NOT_CHECKED
    fi
    # shellcheck disable=SC2086
    pip-audit ${AUDIT_ARGS:-} --timeout 30 --progress-spinner off --disable-pip --require-hashes \
        -r requirements-dev.txt -r ocr_worker/requirements-gpu.txt # between them they contain all packages
}

check() {
    scripts/pth_files.sh .venv
    audited=0
    audit || audited=$?
    [ "$audited" -eq 0 ] || [ "$audited" -eq $NOT_CHECKED ] || exit "$audited"
}

sbom() { # The locks are for every platform; an image has Linux and Python 3.11.
    mkdir -p out/sbom
    for image in service ocr ocr-gpu; do
        case $image in
            service) lock=requirements.txt ;;
            ocr) lock=ocr_worker/requirements.txt ;;
            ocr-gpu) lock=ocr_worker/requirements-gpu.txt ;;
        esac
        version=$(sed -n 's/^VERSION = "\(.*\)"$/\1/p' apps/__init__.py)
        printf '[project]\nname = "leafmill-%s"\nversion = "%s"\n' "$image" "$version" >"$work/pyproject.toml"
        python scripts/lock_of_image.py "$lock" |
            cyclonedx-py requirements --no-validate --output-reproducible --pyproject "$work/pyproject.toml" -o "out/sbom/$image.cdx.json" -
        echo "out/sbom/$image.cdx.json"
    done
}

base_images() {
    digests=0
    for file in deploy/images/*.Containerfile; do
        grep -Eq '^ARG BASE=[^ ]+@sha256:[0-9a-f]{64}$' "$file" && continue
        echo "$file: name BASE by digest, so that every build starts from the same bytes (docs/production.md, Supply chain)." >&2
        digests=1
    done
    return $digests
}

case ${1:-check} in
    check) check ;;
    sbom) sbom ;;
    release)
        base_images
        check
        if [ "$audited" -ne 0 ]; then exit "$audited"; fi
        sbom
        ;;
    *) echo "supply_chain.sh: use check, sbom or release." >&2; exit 2 ;;
esac
