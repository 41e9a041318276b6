#!/usr/bin/env python
"""Print how readable the tree is, in figures: words, names, functions, folders, imports and commits.

It reads the sources and imports none of them. It only measures and checks nothing: the exit status is always 0.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from readability_measures import (
    MAX_MODULES_PER_FOLDER,
    ROOT,
    commits,
    constants,
    count_functions,
    count_module_level_functions,
    count_words,
    crowded_folders,
    dialect_uses,
    import_circles,
    is_in,
    markdown_files,
    passages,
    private_functions_used_once,
    python_files,
    repeated_classes,
)

PRODUCT = ("apps", "ocr_worker", "parse_project", "manage.py")
PYTHON = (*PRODUCT, "tests", "bench", "scripts")
DOCS = ("docs", "README.md")
MAX_SUBJECT_LENGTH = 72


@dataclass(frozen=True)
class Row:
    figure: str
    code: str
    docs: str = ""
    target: str = ""


class Survey:
    """All findings for some folders. Classes and imports are compared over the whole product."""

    def __init__(self, folders: list[str], since: str | None) -> None:
        product = python_files(PRODUCT)
        chosen = [module for module in python_files(PYTHON) if not folders or is_in(module.path, folders)]
        self.product = [module for module in chosen if is_in(module.path, PRODUCT)]
        self.code_texts = [passage for module in chosen for passage in passages(module)]
        self.doc_texts = [page for page in markdown_files(DOCS) if not folders or is_in(page.path, folders)]
        self.code_uses = dialect_uses(self.code_texts)
        self.doc_uses = dialect_uses(self.doc_texts)

        self.old_constants = self._constants({"MOST", "LEAST", "LONGEST", "SHORTEST"})
        self.new_constants = self._constants({"MAX", "MIN"})
        self.functions = sum(count_functions(module) for module in self.product)
        self.used_once = [found for module in self.product for found in private_functions_used_once(module)]
        self.module_level_functions = sum(count_module_level_functions(module) for module in chosen)
        self.module_level_used_once = sum(
            not found.is_method for module in chosen for found in private_functions_used_once(module)
        )
        self.crowded = crowded_folders(self.product)
        paths = {module.path for module in self.product}
        names = {module.name for module in self.product}
        self.classes = {name: homes for name, homes in repeated_classes(product).items() if paths & set(homes)}
        self.circles = [circle for circle in import_circles(product) if names & set(circle)]

        self.since = since
        self.commits = commits(since, folders) if since else []
        self.without_body = [f"{commit} {subject}" for commit, subject, body in self.commits if not body]
        self.long_subjects = [
            f"{commit} {subject}" for commit, subject, _ in self.commits if len(subject) > MAX_SUBJECT_LENGTH
        ]

    def _constants(self, words: set[str]) -> list[str]:
        return [constant for module in self.product for constant in constants(module, words)]

    def rows(self) -> Iterator[Row]:
        code_words, doc_words = count_words(self.code_texts), count_words(self.doc_texts)
        yield Row("words in comments and docstrings; in docs", str(code_words), str(doc_words))
        for group, uses in self.code_uses.items():
            docs = _per_thousand(len(self.doc_uses[group]), doc_words)
            yield Row(f"{group}, per 1,000 words", _per_thousand(len(uses), code_words), docs, "0.5")
        yield Row("constants MOST_, LEAST_, LONGEST_, SHORTEST_", str(len(self.old_constants)), target="0")
        yield Row("constants MAX_, MIN_", str(len(self.new_constants)))
        share = _share(self.module_level_used_once, self.module_level_functions)
        yield Row("private functions used once, of all at module level, with tests", share, target="8 %")
        share = _share(len(self.used_once), self.functions)
        yield Row("the same with methods, without tests", share)
        yield Row(f"folders above {MAX_MODULES_PER_FOLDER} modules", str(len(self.crowded)), target="0")
        yield Row("class names in two or more modules", str(len(self.classes)), target="0")
        yield Row("import circles", str(len(self.circles)), target="0")
        if self.since:
            total = len(self.commits)
            yield Row(f"commits since {self.since}", str(total))
            yield Row("commits without a body", str(len(self.without_body)), target="0")
            yield Row(f"subjects over {MAX_SUBJECT_LENGTH} characters", str(len(self.long_subjects)), target="0")

    def short_lists(self) -> Iterator[tuple[str, list[str]]]:
        """Yield titles and entries that are always printed below the table."""
        crowded = [f"{folder}: {size}" for folder, size in self.crowded.items()]
        yield f"folders above {MAX_MODULES_PER_FOLDER} modules", crowded
        classes = [f"{name}: {', '.join(homes)}" for name, homes in self.classes.items()]
        yield "class names in two or more modules", classes
        yield "import circles", [" <-> ".join(circle) for circle in self.circles]

    def long_lists(self) -> Iterator[tuple[str, list[str]]]:
        """Yield titles and entries that ``--list`` adds."""
        yield "constants MOST_, LEAST_, LONGEST_, SHORTEST_", self.old_constants
        in_tests = set(re.findall(r"\b_\w+", "\n".join(module.source for module in python_files(["tests"]))))
        yield (
            "private functions used once",
            [
                f"{found.path}:{found.line}: {found.name}, {found.length} lines"
                f"{', named in tests' if found.name in in_tests else ''}"
                for found in self.used_once
            ],
        )
        yield "commits without a body", self.without_body
        yield f"subjects over {MAX_SUBJECT_LENGTH} characters", self.long_subjects

    def word_lists(self) -> Iterator[tuple[str, list[str]]]:
        """Yield titles and entries that ``--words`` adds."""
        for group, uses in self.code_uses.items():
            yield group, uses + self.doc_uses[group]


def _per_thousand(count: int, words: int) -> str:
    return f"{1000 * count / words:.2f}" if words else "-"


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole}, {100 * part / whole:.1f} %" if whole else "-"


def print_table(rows: Iterable[Row]) -> None:
    table = [Row("figure", "code", "docs", "target"), *rows]
    columns = [[row.figure for row in table], [row.code for row in table], [row.docs for row in table]]
    widths = [max(len(cell) for cell in column) for column in columns]
    for row in table:
        line = f"{row.figure:<{widths[0]}}  {row.code:>{widths[1]}}  {row.docs:>{widths[2]}}  {row.target}"
        print(line.rstrip())


def print_lists(lists: Iterable[tuple[str, list[str]]]) -> None:
    for title, entries in lists:
        if entries:
            print(f"\n{title} ({len(entries)})")
            for entry in entries:
                print(f"  {entry}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Print figures on how readable the tree is.")
    parser.add_argument(
        "folders", nargs="*", metavar="FOLDER", help="only these folders or files, like apps/pages docs"
    )
    parser.add_argument("--list", action="store_true", help="list the functions, constants and commits that count")
    parser.add_argument("--words", action="store_true", help="list where the words of the dialect are used")
    parser.add_argument("--since", metavar="REVISION", help="judge the commits after this revision too")
    arguments = parser.parse_args()

    folders = [(Path.cwd() / folder).resolve().relative_to(ROOT).as_posix() for folder in arguments.folders]
    survey = Survey([folder for folder in folders if folder != "."], arguments.since)
    print_table(survey.rows())
    print_lists(survey.short_lists())
    if arguments.list:
        print_lists(survey.long_lists())
    if arguments.words:
        print_lists(survey.word_lists())


if __name__ == "__main__":
    main()
