"""Collect the public names of this tree, one function for each list.

``python -m tests.public_names.collect`` prints the lists as JSON; with ``--write`` it replaces the lists in this
folder, which is right only when a name was removed on purpose. The functions need Django, a migrated database and a
broker: ``main`` starts a Redis server and uses a database in a temporary folder.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(__file__).resolve().parent

# The only modules that are named here; change them when they move.
ENVIRONMENT_MODULE, DECLARED_VARIABLES = "parse_project.env", "DECLARED"
SECRET_READERS = {"secret", "address"}  # functions of that module which also read NAME_FILE
WARNINGS_MODULE, WARNING_SENTENCES = "apps.pages.model.warnings", "_SENTENCES"
OCR_TASKS_MODULE = "ocr_worker.tasks"

PRODUCT = ("apps", "ocr_worker", "parse_project")
DOCUMENTATION = ("README.md", "docs", "deploy")
METRICS_TOKEN = "collect"
PROBLEM = "application/problem+json"


def environment_variables() -> Iterable[str]:
    """Return the declared variables, and the documented names that the product reads from a mapping or a function."""
    declared = set(getattr(import_module(ENVIRONMENT_MODULE), DECLARED_VARIABLES))
    places = [ROOT / name for name in DOCUMENTATION]
    pages = [page for place in places for page in (place.rglob("*.md") if place.is_dir() else [place])]
    words = (re.findall(r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]*[A-Z0-9]\b", page.read_text(encoding="utf-8")) for page in pages)
    documented = {word for words_of_page in words for word in words_of_page}
    yield from declared
    for node in (node for tree in _product_trees() for node in ast.walk(tree)):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name, reader = node.args[0].value, getattr(node.func, "attr", getattr(node.func, "id", ""))
        elif (
            isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load) and isinstance(node.slice, ast.Constant)
        ):
            name, reader = node.slice.value, ""
        else:
            continue
        if not isinstance(name, str):
            continue
        if name in documented:
            yield name
        if name in declared and reader in SECRET_READERS:
            yield f"{name}_FILE"


def error_codes() -> Iterable[str]:
    """Return the table at /errors as "code status word of LlamaParse", and codes that only error classes have."""
    rows = re.findall(r"<code>(\w+)</code></td><td>(\d+)</td>.*?<td>(\w+)</td></tr>", _get("/errors"))
    yield from (" ".join(row) for row in rows)
    in_table = {code for code, _, _ in rows}
    for node in (node for tree in _product_trees() for node in ast.walk(tree)):
        if isinstance(node, ast.ClassDef):
            codes = {assigned_text(statement, "code") for statement in node.body} - {None, ""}
            yield from (f"{code} (of a class)" for code in codes - in_table)


def api_schema() -> Iterable[str]:
    """Return operations, parameters, fields and values of the OpenAPI description.

    The names of component schemas are left out: a field is named by its path from the operation that has it.
    """
    schema = json.loads(_get("/api/schema?format=json"))
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            name = f"{method.upper()} {path}"
            yield name
            for parameter in operation.get("parameters", []):
                yield from _fields(schema, parameter["schema"], f"{name} {parameter['in']} {parameter['name']}")
            for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
                yield from _fields(schema, content.get("schema", {}), f"{name} request {media_type}")
            for status, response in operation["responses"].items():
                yield f"{name} -> {status}"
                for media_type, content in response.get("content", {}).items():
                    is_error = media_type == PROBLEM  # the same for all operations
                    part = PROBLEM if is_error else f"{name} -> {status} {media_type}"
                    yield from _fields(schema, content.get("schema", {}), part)


def _fields(schema: dict[str, Any], part: Any, path: str, above: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the path of this part of the schema, its values and the paths of its fields.

    ``above`` names the components that the part is in, so that a component within itself ends.
    """
    yield path
    if not isinstance(part, dict):
        return
    if "$ref" in part:
        name = part["$ref"].rpartition("/")[2]
        if name not in above:
            yield from _fields(schema, schema["components"]["schemas"][name], path, (*above, name))
    yield from (f"{path} = {value}" for value in [*part.get("enum", []), *([part["const"]] if "const" in part else [])])
    for name, field in part.get("properties", {}).items():
        yield from _fields(schema, field, f"{path} .{name}", above)
    for kind in ("allOf", "anyOf", "oneOf", "prefixItems"):
        for alternative in part.get(kind, []):
            yield from _fields(schema, alternative, path, above)
    for kind in ("items", "additionalProperties"):
        if kind in part:
            yield from _fields(schema, part[kind], f"{path} []", above)


def url_patterns() -> Iterable[str]:
    """Return every route with the name by which templates reach it."""
    from django.urls import URLResolver, get_resolver

    def routes(patterns: Iterable[Any], prefix: str, namespace: str) -> Iterator[str]:
        for entry in patterns:
            route = prefix + str(entry.pattern)
            if isinstance(entry, URLResolver):
                inner = f"{namespace}{entry.namespace}:" if entry.namespace else namespace
                yield from routes(entry.url_patterns, route, inner)
            else:
                route = re.sub(r"\(\?P<app_label>[^)]*\)", "<app_label>", route)  # the labels of all apps
                yield f"{route} {namespace}{entry.name}" if entry.name else route

    return routes(get_resolver().url_patterns, "/", "")


def metrics() -> Iterable[str]:
    """Return "name type" of every metric at /metrics, and the labels of those that have samples without any job."""
    from prometheus_client.parser import text_string_to_metric_families

    for family in text_string_to_metric_families(_get("/metrics", HTTP_AUTHORIZATION=f"Bearer {METRICS_TOKEN}")):
        yield f"{family.name} {family.type}"
        for sample in family.samples:
            yield f"{sample.name}{{{', '.join(sample.labels)}}}"


def celery_tasks() -> Iterable[str]:
    """Return every task with the names of its arguments."""
    from django.conf import settings

    app = import_module(settings.CELERY_APP).app
    app.loader.import_default_modules()
    import_module(OCR_TASKS_MODULE)
    for name, task in app.tasks.items():
        if not name.startswith("celery."):
            yield name
            yield from (f"{name} {argument}" for argument in inspect.signature(task.run).parameters)


def queues() -> Iterable[str]:
    from django.conf import settings

    return list(settings.QUEUES)


def commands() -> Iterable[str]:
    """Return our management commands with their options, arguments and choices."""
    from django.core.management import BaseCommand, get_commands, load_command_class

    of_django = {action.dest for action in BaseCommand().create_parser("manage.py", "")._actions}
    for name, app in get_commands().items():
        if isinstance(app, str) and app.startswith("apps."):
            yield name
            actions = load_command_class(app, name).create_parser("manage.py", name)._actions
            for number, action in enumerate((action for action in actions if action.dest not in of_django), start=1):
                names = action.option_strings or [f"argument {number}"]
                yield from (f"{name} {option}" for option in names)
                yield from (f"{name} {names[-1]} = {choice}" for choice in action.choices or ())


def exit_codes() -> Iterable[str]:
    """Return the exit codes that ``manage.py parse --help`` lists."""
    command = [sys.executable, "manage.py", "parse", "--help"]
    help_text = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return re.findall(r"^ +(\d+)  ", help_text.partition("exit codes:")[2], re.MULTILINE)


def warning_codes() -> Iterable[str]:
    return list(getattr(import_module(WARNINGS_MODULE), WARNING_SENTENCES))


def database_columns() -> Iterable[str]:
    """Return "table.column" for our models and for the tables that Django makes between them."""
    from django.apps import apps

    for model in apps.get_models(include_auto_created=True):
        if model.__module__.startswith("apps."):
            yield from (f"{model._meta.db_table}.{field.column}" for field in model._meta.local_fields)


LISTS: dict[str, Callable[[], Iterable[str]]] = {
    function.__name__: function
    for function in (
        environment_variables,
        error_codes,
        api_schema,
        url_patterns,
        metrics,
        celery_tasks,
        queues,
        commands,
        exit_codes,
        warning_codes,
        database_columns,
    )
}


@cache
def _product_trees() -> list[ast.Module]:
    paths = [path for folder in PRODUCT for path in sorted((ROOT / folder).rglob("*.py"))]
    return [ast.parse(path.read_text(encoding="utf-8")) for path in paths if "migrations" not in path.parts]


def assigned_text(statement: ast.stmt, name: str) -> str | None:
    """Return the string that a statement ``name = "..."`` assigns."""
    if not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.Constant):
        return None
    names = {target.id for target in statement.targets if isinstance(target, ast.Name)}
    return str(statement.value.value) if name in names else None


def _get(address: str, **headers: str) -> str:
    from django.test import Client

    response = Client(SERVER_NAME="localhost").get(address, **headers)  # type: ignore[arg-type]
    assert response.status_code == 200, f"{address} answered {response.status_code}"
    return response.content.decode()


def read_list(name: str) -> list[str]:
    return (FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()


def collect_all() -> dict[str, list[str]]:
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    return {name: sorted(set(function())) for name, function in LISTS.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description="Print the public names of this tree as JSON.")
    parser.add_argument("--write", action="store_true", help="replace the lists in tests/public_names instead")
    write = parser.parse_args().write

    from tests import services

    with tempfile.TemporaryDirectory(prefix="leafmill-names-") as folder:
        redis = services.start_redis(Path(folder))
        try:
            os.environ |= {
                "DJANGO_SETTINGS_MODULE": "parse_project.settings",
                "LEAFMILL_DATA": folder,
                "CELERY_BROKER_URL": redis.url,
                "METRICS_TOKEN": METRICS_TOKEN,
                "LOG_LEVEL": "WARNING",
            }
            found = collect_all()
        finally:
            redis.close()
    if write:
        for name, names in found.items():
            (FOLDER / f"{name}.txt").write_text("".join(f"{entry}\n" for entry in names), encoding="utf-8")
    else:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
