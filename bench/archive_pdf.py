"""Whether Apache PDFBox Preflight, a validator of PDF/A-1b, accepts archive.pdf of documents of the corpus.

python -m bench.archive_pdf [DOCUMENT...]

It is a package of Debian: apt-get install default-jre-headless libpdfbox2-java libactivation-java libjaxb-api-java.
archive.pdf is PDF/A-2b, whose rules for what is written there are those of PDF/A-1b, except for two: see ``ALLOWED``.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from apps.cli.exit_codes import OK, PARTIAL
from bench.figures import CORPUS, ROOT, Figure, report

JARS = Path("/usr/share/java")
NAMES = ("preflight", "pdfbox2", "xmpbox", "fontbox2", "commons-logging", "commons-io", "javax.activation", "jaxb-api")
PACKAGES = "default-jre-headless libpdfbox2-java libactivation-java libjaxb-api-java"
VALIDATOR = "org.apache.pdfbox.preflight.Validator_A1b"
ALLOWED = frozenset(
    {
        "7.11.2 : Error on MetaData, part must be 1",  # it is 2
        "2.1.6 : Invalid graphics object, Invalid version of the ICCProfile",  # 4, which PDF 1.4 does not know
    }
)
PAGES = "1-2"
EACH = 3
_KINDS = (
    *(("scans", "jpg"), ("tables", "pdf"), ("text", "pdf"), ("markdown", "pdf")),
    *(("office", "docx"), ("office", "pptx"), ("office", "xlsx")),
)
_FINDING = re.compile(r"^\d[\d.]* : .*$", re.MULTILINE)


def main(arguments: Sequence[str]) -> None:
    missing = [name for name in NAMES if not (JARS / f"{name}.jar").exists()]
    if missing:
        sys.exit(f"Preflight is missing ({', '.join(missing)}). Install it: apt-get install {PACKAGES}")
    documents = [Path(name) for name in arguments] or [each for kind in _KINDS for each in _sample(*kind)]
    if not documents:
        sys.exit("This benchmark reads ../shared/corpus, which is missing. Pass the documents to read instead.")
    checked = refused = 0
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "archive.pdf"
        for document in documents:
            command = [sys.executable, "manage.py", "parse", document, "--format", "archive_pdf", "-o", archive, "-q"]
            made = subprocess.run([*map(str, command), "--pages", PAGES], cwd=ROOT, capture_output=True, text=True)
            if made.returncode not in (OK, PARTIAL):
                print(f"{document.name}: no archive.pdf: {made.stderr}", file=sys.stderr)
                continue
            found = findings(archive)
            checked += 1
            refused += bool(found)
            for line in sorted(found):
                print(f"{document.name}: {line}", file=sys.stderr)
    figures = [Figure("documents with archive.pdf", checked, ""), Figure("with findings of Preflight", refused, "", 0)]
    report("archive_pdf", figures)


def findings(path: Path) -> set[str]:
    """Return what Preflight finds, other than what is allowed. Raise CalledProcessError if it cannot read the file."""
    jars = ":".join(str(JARS / f"{name}.jar") for name in NAMES)
    done = subprocess.run(["java", "-cp", jars, VALIDATOR, str(path)], capture_output=True, text=True, timeout=300)
    found = set(_FINDING.findall(done.stdout))
    if not found:  # it finds at least that this is not PDF/A-1
        raise subprocess.CalledProcessError(done.returncode, VALIDATOR, done.stdout, done.stderr)
    return found - ALLOWED


def _sample(folder: str, suffix: str) -> list[Path]:
    """Return documents of a kind from all over the corpus."""
    found = sorted((CORPUS / folder).glob(f"*.{suffix}"))
    return found[:: max(1, len(found) // EACH)][:EACH]


if __name__ == "__main__":
    main(sys.argv[1:])
