#!/usr/bin/env python
"""Print how readable the tree is, in figures: words, names, functions, folders, imports and commits.

It reads the sources and imports none of them. It is a measurement and no gate: the exit status is always 0.
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import subprocess
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PRODUCT = ("apps", "ocr_worker", "parse_project", "manage.py")
PYTHON = (*PRODUCT, "tests", "bench", "scripts")
DOCS = ("docs", "README.md")

MAX_MODULES_PER_FOLDER = 15
MAX_SUBJECT_LENGTH = 72
FRAMEWORK_CLASSES = {"Command", "Config", "Media", "Meta", "Migration"}

# A sentence starts a passage, a paragraph, a heading or a list item, or follows the end of another sentence.
# Questions are left out.
SENTENCE_START = r"(?:\A|[.!?:]\s+|\n\s*\n|\n\s*[-*#>]+\s)\s*(?:[-*#>]+\s+)?"
DIALECT = {
    "told, tell, says": re.compile(r"\b(?:told|tell|tells|telling|say|says|said)\b", re.IGNORECASE),
    "so many, so long": re.compile(r"\bso (?:many|long)\b", re.IGNORECASE),
    "stands, lies": re.compile(r"\b(?:stand|stands|stood|lie|lies|lying)\b", re.IGNORECASE),
    "nobody, somebody": re.compile(r"\b(?:nobody|somebody)\b", re.IGNORECASE),
    "whoever": re.compile(r"\bwhoever\b", re.IGNORECASE),
    "a sentence that begins with What": re.compile(rf"{SENTENCE_START}(What|Whoever)\b(?![^.!?]*\?)"),
    "road, door, room": re.compile(r"\b(?:road|door|room)s?\b", re.IGNORECASE),
}


@dataclass(frozen=True)
class Passage:
    """A docstring, a block of comments or a page of documentation."""

    path: str
    line: int
    text: str


@dataclass(frozen=True)
class Module:
    path: str  # relative to ROOT, with slashes
    source: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.source)

    @property
    def name(self) -> str:
        """The dotted name; a package is named without ``__init__``."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @property
    def is_package(self) -> bool:
        return self.path.endswith("__init__.py")


@dataclass(frozen=True)
class PrivateFunction:
    path: str
    line: int
    name: str
    length: int  # in lines
    is_method: bool  # or a function inside another one


# Files


def python_files(roots: Iterable[str]) -> list[Module]:
    found = [path for root in roots for path in _files(root, ".py") if "migrations" not in path.parts]
    return [Module(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")) for path in found]


def markdown_files(roots: Iterable[str]) -> list[Passage]:
    found = [path for root in roots for path in _files(root, ".md")]
    return [Passage(path.relative_to(ROOT).as_posix(), 1, path.read_text(encoding="utf-8")) for path in found]


def _files(root: str, suffix: str) -> list[Path]:
    path = ROOT / root
    return sorted(path.rglob(f"*{suffix}")) if path.is_dir() else [path] if path.suffix == suffix else []


def is_in(path: str, folders: Iterable[str]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


# Words


def passages(module: Module) -> Iterator[Passage]:
    """Yield the module's docstrings and its comments; comments on consecutive lines are one passage."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = ast.get_docstring(node, clean=False)
            if docstring is not None:
                yield Passage(module.path, node.body[0].lineno, docstring)
    tokens = tokenize.generate_tokens(io.StringIO(module.source).readline)
    comments = {token.start[0]: token.string.lstrip("#! ") for token in tokens if token.type == tokenize.COMMENT}
    for line in comments:
        if line - 1 not in comments:
            end = line
            while end in comments:
                end += 1
            yield Passage(module.path, line, "\n".join(comments[number] for number in range(line, end)))


def dialect_uses(texts: Iterable[Passage]) -> dict[str, list[str]]:
    """Return for each group of words where it is used, as ``path:line: the words of that line``."""
    uses: dict[str, list[str]] = {group: [] for group in DIALECT}
    for passage in texts:
        lines = passage.text.split("\n")
        for group, pattern in DIALECT.items():
            for match in pattern.finditer(passage.text):
                start = match.start(1) if match.groups() else match.start()
                number = passage.text.count("\n", 0, start)
                uses[group].append(f"{passage.path}:{passage.line + number}: {lines[number].strip()}")
    return uses


def count_words(texts: Iterable[Passage]) -> int:
    return sum(len(passage.text.split()) for passage in texts)


# Names


def constants(module: Module, words: set[str]) -> list[str]:
    """Return the constants of the module and of its classes that have one of these words in their name."""
    bodies = [module.tree.body, *(node.body for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef))]
    found = []
    for statement in (statement for body in bodies for statement in body):
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AnnAssign):
            targets = [statement.target]
        else:
            continue
        for target in targets:
            if isinstance(target, ast.Name) and target.id.isupper() and words & set(target.id.split("_")[:-1]):
                found.append(f"{module.path}:{statement.lineno}: {target.id}")
    return found


def repeated_classes(modules: Iterable[Module]) -> dict[str, list[str]]:
    """Return the names of classes that two or more modules define, with the modules."""
    homes: dict[str, list[str]] = defaultdict(list)
    for module in modules:
        for node in module.tree.body:
            if isinstance(node, ast.ClassDef) and node.name not in FRAMEWORK_CLASSES:
                homes[node.name].append(module.path)
    return {name: paths for name, paths in sorted(homes.items()) if len(paths) > 1}


# Functions


def count_functions(module: Module) -> int:
    return sum(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in ast.walk(module.tree))


def count_module_level_functions(module: Module) -> int:
    return sum(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in module.tree.body)


def private_functions_used_once(module: Module) -> list[PrivateFunction]:
    """Return the functions and methods with a leading underscore that the module mentions once beside the definition.

    A name in quotes is a mention too, because the admin names its columns so. A name that several classes of the
    module define belongs to an interface and is left out.
    """
    defined: dict[str, list[PrivateFunction]] = defaultdict(list)
    mentions: Counter[str] = Counter()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if node.name.startswith("_") and not node.name.endswith("__"):
                first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
                length = (node.end_lineno or first) - first + 1
                is_method = node not in module.tree.body
                defined[node.name].append(PrivateFunction(module.path, node.lineno, node.name, length, is_method))
        elif isinstance(node, ast.Name):
            mentions[node.id] += 1
        elif isinstance(node, ast.Attribute):
            mentions[node.attr] += 1
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            mentions[node.value] += 1
    return [found[0] for name, found in defined.items() if len(found) == 1 and mentions[name] == 1]


# Folders and imports


def crowded_folders(modules: Iterable[Module]) -> dict[str, int]:
    """Return the folders with too many modules, and how many they have; ``__init__`` is not counted."""
    sizes = Counter(str(Path(module.path).parent) for module in modules if not module.is_package)
    return {folder: size for folder, size in sorted(sizes.items()) if size > MAX_MODULES_PER_FOLDER}


def import_circles(modules: Iterable[Module]) -> list[list[str]]:
    """Return the groups of modules that import each other directly or through others."""
    by_name = {module.name: module for module in modules}
    imports = {name: _imported_by(module, set(by_name)) - {name} for name, module in by_name.items()}
    reached = {name: _reachable(name, imports) for name in imports}
    groups = {tuple(sorted(other for other in reached[name] if name in reached[other])) for name in reached}
    return [list(group) for group in sorted(groups) if len(group) > 1]


def _imported_by(module: Module, known: set[str]) -> set[str]:
    """Return the known modules that this one imports, anywhere: at the top, in a function or for types only."""
    package = module.name if module.is_package else module.name.rpartition(".")[0]
    imported = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            levels_up = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            source = ".".join([*levels_up, *([node.module] if node.module else [])])
            for alias in node.names:
                submodule = f"{source}.{alias.name}"
                imported.add(submodule if submodule in known else source)
    return imported & known


def _reachable(name: str, imports: dict[str, set[str]]) -> set[str]:
    reached: set[str] = set()
    waiting = [name]
    while waiting:
        for imported in imports[waiting.pop()] - reached:
            reached.add(imported)
            waiting.append(imported)
    return reached


# Commits


def commits(since: str, folders: Iterable[str]) -> list[tuple[str, str, str]]:
    """Return hash, subject and body of the commits after ``since`` that touch these folders, merges left out."""
    command = ["git", "log", "--no-merges", "--format=%h%x1f%s%x1f%b%x1e", f"{since}..HEAD", "--", *folders]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    if done.returncode:
        print(f"commits are not counted: {done.stderr.strip()}")
        return []
    records = [record.strip("\n").split("\x1f") for record in done.stdout.split("\x1e") if record.strip()]
    return [(commit, subject, body.strip()) for commit, subject, body in records]


# The table


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
    parser = argparse.ArgumentParser(description="Print figures on how readable the tree is. No gate.")
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
