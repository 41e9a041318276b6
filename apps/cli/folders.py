"""Many documents with one command: those of a folder, or of a ZIP archive. Each gets a result file of its own."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from apps.cli.options import UsageError
from apps.cli.progress import write_line
from apps.pages.model.errors import EmptyFile, ParseError, UnsupportedDocument
from apps.pages.output.exports.options import FILE_NAMES

if TYPE_CHECKING:
    from apps.pages.sandbox.client import Reader

_ENDS = {"markdown": ".md", "text": ".txt", "json": ".json"}
OK, REFUSED, PARTIAL = 0, 3, 4
_HEAD_BYTES = 1 << 17
ParseOne = Callable[[argparse.Namespace, "Reader"], int]
"""Parses one document, writes its result and returns the exit code. Raises ParseError and OSError."""


def is_many(source: str) -> bool:
    """Return whether the source is a folder or an archive: a file whose name ends in .zip."""
    path = Path(source)
    return path.is_dir() or (path.suffix.lower() == ".zip" and path.is_file())


def parse_many(options: argparse.Namespace, parse_one: ParseOne) -> int:
    """Parse every document below the folder, or in the archive, into the folder ``options.output``.

    Return OK, PARTIAL if some documents or pages failed, or REFUSED if all documents did. Raise UsageError, ParseError.
    """
    from apps.pages.sandbox.client import Reader

    if options.estimate:
        raise UsageError("invalid_option", "--estimate takes one document. Pass a file.")
    if not options.output:
        raise UsageError("invalid_option", "A folder or archive has many results. Pass a folder for them: -o FOLDER.")
    source, target = Path(options.source), Path(options.output)
    codes: list[int] = []
    with ExitStack() as stack:
        reader = stack.enter_context(Reader())
        if source.is_dir():
            found = _in_folder(source, target)
        else:
            unpacked = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="leafmill-")))
            found = _in_archive(reader, source, unpacked)
        for name, path in found:
            result = target / f"{name}{_ENDS.get(options.format) or ''.join(Path(FILE_NAMES[options.format]).suffixes)}"
            result.parent.mkdir(parents=True, exist_ok=True)
            each = argparse.Namespace(**{**vars(options), "source": str(path), "output": str(result)})
            codes.append(_parsed(name, each, reader, parse_one))
            if not options.quiet:
                write_line(f"{name}: {result}" if codes[-1] != REFUSED else f"{name}: no result")
    if not codes:
        raise UsageError("file_empty", "There is no document to parse. Pass a folder or archive with documents.")
    if all(code == REFUSED for code in codes):
        return REFUSED
    return OK if not any(codes) else PARTIAL


def _parsed(name: str, options: argparse.Namespace, reader: Reader, parse_one: ParseOne) -> int:
    try:
        return parse_one(options, reader)
    except (ParseError, OSError) as error:
        fault = f"{error.code}: {error.detail}" if isinstance(error, ParseError) else f"file_unreadable: {error}"
        write_line(f"{name}: {fault}")
        return REFUSED


def _in_folder(folder: Path, target: Path) -> Iterator[tuple[str, Path]]:
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
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
        if may_be_read(head):
            yield name.as_posix(), path
        else:
            error = UnsupportedDocument() if head else EmptyFile()
            write_line(f"{name.as_posix()}: {error.code}: {error.detail}")


def _in_archive(reader: Reader, archive: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the documents of an archive, each written into ``folder``. Other files are named with the reason."""
    for number, (file, content) in enumerate(reader.contained_files(archive)):
        if file.code:
            write_line(f"{file.name}: {file.code}: {file.detail}")
            continue
        parts = [part for part in file.name.replace("\\", "/").split("/") if part not in ("", ".", "..")]
        path = folder / f"{number}{Path(parts[-1] if parts else '').suffix}"
        with path.open("wb") as copy:
            shutil.copyfileobj(content, copy)
        yield "/".join(parts) or str(number), path
