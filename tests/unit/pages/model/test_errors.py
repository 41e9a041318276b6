"""The docstring of ``errors.py`` lists the same errors as the code."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from apps.pages.model import errors

APPS = Path(errors.__file__).parents[2]


def documented() -> dict[str, str]:
    """Return each class of the docstring's tree with its base class."""
    bases: dict[str, str] = {}
    parents: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"( *)([A-Z]\w+(?:, [A-Z]\w+)*,?)(?: {2,}|$)", line)
        if found is None:
            continue
        indent, names = len(found[1]), re.findall(r"\w+", found[2])
        while parents and parents[-1][0] >= indent:
            parents.pop()
        for name in names:
            bases[name] = parents[-1][1] if parents else "Exception"
        if len(names) == 1:
            parents.append((indent, names[0]))
    return bases


def defined() -> dict[str, str]:
    """Return each subclass of ParseError in ``apps`` with its base class. Reads the sources and imports none."""
    classes = {
        node.name: ast.unparse(node.bases[0]).rpartition(".")[2]
        for path in APPS.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef) and node.bases
    }
    found = {"ParseError": "Exception"}
    while more := {name: base for name, base in classes.items() if base in found and name not in found}:
        found |= more
    return found


def test_the_docstring_lists_the_same_errors_as_the_code() -> None:
    assert documented() == defined()
