"""Many documents with one command: those of a folder, or of a ZIP archive. Each gets a result file of its own."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from apps.cli.exit_codes import OK, PARTIAL, REFUSED, SERVER, UNEXPECTED
from apps.cli.options import OUTPUT_FILES, UsageError
from apps.cli.progress import listed, messages_about, write_line
from apps.pages.model.document_facts import MAX_HEADER_OFFSET_BYTES
from apps.pages.model.errors import DocumentError, EmptyFile, NoPictureOfPage, ParseError, UnsupportedDocument

if TYPE_CHECKING:
    from apps.pages.sandbox.client import Reader

# Files with these codes are no documents. Others that cannot be read count as failed.
_NO_DOCUMENT = frozenset({UnsupportedDocument.code, EmptyFile.code})
ParseOne = Callable[[argparse.Namespace, "Reader"], int]
"""Parses one document, writes its result and returns the exit code. Raises ParseError and OSError."""
Found = Iterator[tuple[str, Path | None]]
"""Names of documents with the files that hold them; None for one that cannot be read, which has been reported."""


def parse_many(options: argparse.Namespace, parse_one: ParseOne) -> int:
    """Parse every document below the folder, or in the archive, into the folder ``options.output``.

    Return OK, PARTIAL if some documents or pages failed, or the code of the first document if all failed. Raise
    UsageError, ParseError, and what ends the work on all documents, such as ServerProblem.
    """
    from apps.pages.sandbox.client import Reader

    source, target = _checked(options)
    codes: list[int] = []
    failed: list[str] = []
    with ExitStack() as stack:
        reader = stack.enter_context(Reader())
        if source.is_dir():
            found = _in_folder(source, target)
        else:
            unpacked = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="leafmill-")))
            found = _in_archive(reader, source, unpacked)
        results: set[Path] = set()
        for name, path in found:
            if path is None:
                codes.append(REFUSED)
                failed.append(name)
                continue
            result = _result_path(target, name, options.format)
            if result in results:  # two entries of an archive may have one name
                result = _result_path(target, f"{len(codes) + 1}-{name}", options.format)
            results.add(result)
            each = argparse.Namespace(**{**vars(options), "source": str(path), "output": str(result)})
            with messages_about(name):
                codes.append(_parsed(each, reader, parse_one))
                if codes[-1] not in (OK, PARTIAL):
                    failed.append(name)
                elif not options.quiet:
                    write_line(str(result))
    if not codes:
        raise UsageError("file_empty", "There is no document to parse. Pass a folder or archive with documents.")
    if not options.quiet:
        ending = f"; failed: {listed(failed)}" if failed else ""
        write_line(f"{len(codes) - len(failed)} of {len(codes)} documents parsed{ending}")
    if len(failed) == len(codes):
        return codes[0]
    return OK if not any(codes) else PARTIAL


def _checked(options: argparse.Namespace) -> tuple[Path, Path]:
    """Return the source and the folder of the results. Raise UsageError."""
    if options.estimate:
        raise UsageError("invalid_option", "--estimate takes one document. Pass a file.")
    if not options.output:
        raise UsageError("invalid_option", "A folder or archive has many results. Pass a folder for them: -o FOLDER.")
    source, target = Path(options.source), Path(options.output)
    if source.is_dir() and target.resolve() in (source.resolve(), *source.resolve().parents):
        raise UsageError(
            "invalid_option",
            "The results cannot go into the folder that is parsed. Pass another folder, or one below it: -o FOLDER.",
        )
    return source, target


def _result_path(target: Path, name: str, wanted: str) -> Path:
    return target / f"{name}{''.join(Path(OUTPUT_FILES.get(wanted, 'result.json')).suffixes)}"


def _parsed(options: argparse.Namespace, reader: Reader, parse_one: ParseOne) -> int:
    """Parse one document. Return its exit code, also if it fails, unless the next one would fail in the same way."""
    try:
        Path(options.output).parent.mkdir(parents=True, exist_ok=True)
        return parse_one(options, reader)
    except ParseError as error:
        is_refused = isinstance(error, DocumentError | NoPictureOfPage)
        code = int(getattr(error, "exit_code", REFUSED if is_refused else UNEXPECTED))
        if code == SERVER and not is_refused:  # the server cannot be reached, or refuses the key
            raise
        write_line(f"{error.code}: {error.detail}")
        return code
    except OSError as error:
        write_line(f"file_unreadable: {error}")
        return REFUSED


def _in_folder(folder: Path, target: Path) -> Found:
    """Yield the documents below a folder in order, other than hidden ones and those below ``target``.

    Files that are certainly no documents are named with the reason, as those of an archive are.
    """
    from apps.pages.reading.inspection import may_be_read

    results = target.resolve()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        is_hidden = any(part.startswith(".") for part in name.parts)
        if not path.is_file() or is_hidden or results in path.resolve().parents:
            continue
        try:
            with path.open("rb") as file:
                head = file.read(MAX_HEADER_OFFSET_BYTES + 4)
        except OSError as error:
            write_line(f"{name.as_posix()}: file_unreadable: {error}")
            yield name.as_posix(), None
            continue
        if may_be_read(head):
            yield name.as_posix(), path
        else:
            fault = UnsupportedDocument() if head else EmptyFile()
            write_line(f"{name.as_posix()}: {fault.code}: {fault.detail}")


def _in_archive(reader: Reader, archive: Path, folder: Path) -> Found:
    """Yield the documents of an archive, each written into ``folder``. Other files are named with the reason."""
    for number, (file, content) in enumerate(reader.contained_files(archive)):
        if file.code:
            write_line(f"{file.name}: {file.code}: {file.detail}")
            if file.code not in _NO_DOCUMENT:
                yield file.name, None
            continue
        parts = [part for part in file.name.replace("\\", "/").split("/") if part not in ("", ".", "..")]
        path = folder / f"{number}{Path(parts[-1] if parts else '').suffix}"
        with path.open("wb") as copy:
            shutil.copyfileobj(content, copy)
        yield "/".join(parts) or str(number), path
