"""Measure how readable Python sources, documentation and commits are; readability.py prints the figures."""

from __future__ import annotations

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
MAX_MODULES_PER_FOLDER = 15
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
    """Return the files below a root, or the root itself; without those of environments that tests install."""
    path = ROOT / root
    if not path.is_dir():
        return [path] if path.suffix == suffix else []
    return sorted(found for found in path.rglob(f"*{suffix}") if not {".venv", "node_modules"} & {*found.parts})


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
    imports = {name: imported_modules(module, set(by_name)) - {name} for name, module in by_name.items()}
    reached = {name: reachable_modules(name, imports) for name in imports}
    groups = {tuple(sorted(other for other in reached[name] if name in reached[other])) for name in reached}
    return [list(group) for group in sorted(groups) if len(group) > 1]


def imported_modules(module: Module, known: set[str]) -> set[str]:
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


def reachable_modules(name: str, imports: dict[str, set[str]]) -> set[str]:
    """Return the modules that this one imports, directly or through others."""
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
