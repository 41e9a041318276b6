"""Every address with an id, for every pair of projects: an id of the other project is an id that does not exist."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.generators import SchemaGenerator

from apps.jobs.models import JobKind, ParseJob, new_job_id
from apps.parsing.annotations.tasks import AnnotationTask
from tests.documents.scans import text_beside_a_picture
from tests.integration.api.conftest import PARSE, Api, Finish, code_of

JSON = "application/json"
HANDLERS = {"head": "get"}
# Whoever has a signed link has what it leads to.
SIGNED = {"token"}
# Without a key, and the same for everybody.
OPEN = {"api/schemas/<str:name>"}
# Parameters that name something inside of what an id names, with a value that exists.
INSIDE = {"page_index": "0", "figure_name": "page_1_picture_1.jpg", "page_number": "1"}
OPTIONS = {"product_type": "parse_v2", "tier": "fast", "version": "latest"}
# Bodies that a request needs before its id is looked up.
UPLOAD = "api/v1/beta/directories/<str:directory_id>/files/upload"
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("post", "api/v1/beta/directories/<str:directory_id>/files"): {"file_id": "dfl-1"},
    ("put", "api/v1/beta/webhook-configs/<str:webhook_id>"): {"webhook_url": "https://8.8.8.8/"},
    ("put", "api/v1/beta/configurations/<str:configuration_id>"): {"name": "changed"},
}
# The job of the owner has no tables, and asked for no structured output.
WITHOUT_RESULT = ("result/structured", "result/raw/structured", "result/xlsx", "result/raw/xlsx")

Route = tuple[str, str]  # method, address
Ids = dict[str, str]  # by parameter; jobs by their kind


def routes() -> list[Route]:
    """Return every method of every address that has an id in it."""

    def patterns(resolver: URLResolver) -> Iterator[URLPattern]:
        for each in resolver.url_patterns:
            if isinstance(each, URLPattern):
                yield each
            elif not str(each.pattern):
                yield from patterns(each)

    found = []
    for pattern in patterns(get_resolver()):
        view = getattr(pattern.callback, "view_class", None)
        names = set(pattern.pattern.converters)
        if view is not None and names - SIGNED and str(pattern.pattern) not in OPEN:
            methods = [method for method in view.http_method_names if hasattr(view, HANDLERS.get(method, method))]
            found += [(method, str(pattern.pattern)) for method in methods if method != "options"]
    return found


def filled(address: str, ids: Ids) -> str:
    is_file = "/read/" in address or address.endswith("/result/<str:name>")
    path = address.replace("<str:name>", "text.json" if is_file else "page_1.jpg")
    kind = next((kind for kind in ("extract", "classify", "split") if f"/{kind}" in address), "parse")
    for name, value in {**INSIDE, **ids, "job_id": ids[kind], "task_id": ids["parse"]}.items():
        for converter in ("str", "int"):
            path = path.replace(f"<{converter}:{name}>", value)
    assert "<" not in path, f"Add an object for the id in {address} to objects_of"
    return f"/{path}"


def objects_of(api: Api, finish: Finish) -> Ids:
    """Create one object of each kind that has an id, and return the ids."""

    def create(address: str, **body: Any) -> str:
        response = api.post(address, body, content_type=JSON)
        assert response.status_code in (200, 201), response.content
        return str(response.json()["id"])

    file_id = str(api.upload(text_beside_a_picture("Figure below")).json()["id"])
    parsed = api.parse_file(file_id, processing_options={"ocr_parameters": {"disable_ocr": True}}).json()["id"]
    finish(parsed)
    directory = create("/api/v1/beta/directories", name="Letters")
    configuration = create("/api/v1/beta/configurations", name="mine", parameters=OPTIONS)
    upload = {"upload_file": SimpleUploadedFile("a.pdf", b"%PDF-1.7")}
    entry = api.post(f"/api/v1/beta/directories/{directory}/files/upload", upload).json()["id"]
    batch = create(
        "/api/v2/batches",
        file_ids=[file_id],
        config={"job": {"type": "parse_v2", "configuration_id": configuration}},
    )
    return {
        "file_id": file_id,
        "directory_id": directory,
        "directory_file_id": str(entry),
        "configuration_id": configuration,
        "webhook_id": create("/api/v1/beta/webhook-configs", webhook_url="https://8.8.8.8/"),
        "batch_id": batch,
        "key_id": create("/api/v1/api-keys", name="second"),
        "project_id": str(api.get("/api/v1/projects").json()[0]["id"]),
        "parse": parsed,
        **{kind.value: annotated_copy(parsed, kind) for kind in JobKind if kind is not JobKind.PARSE},
    }


def annotated_copy(job_id: str, kind: JobKind) -> str:
    """Create a job of another kind as if it had been sent about the same document."""
    job = ParseJob.objects.get(pk=job_id)
    job.pk, job.kind = new_job_id(kind), kind
    task = AnnotationTask.model_validate({"kind": kind, "schema": {}, "request": {"configuration": {"categories": []}}})
    job.annotation = task.stored()
    job.save(force_insert=True)
    return job.pk


def unknown(ids: Ids) -> Ids:
    """Return ids of the same form that never existed."""
    return {name: value[:-8] + "00000000" for name, value in ids.items()}


def ask(api: Api, route: Route, path: str) -> Any:
    method, address = route
    headers = {"x-request-id": "same-for-all-of-them"}
    if address == UPLOAD:
        return api.post(path, {"upload_file": SimpleUploadedFile("a.pdf", b"%PDF-1.7")}, headers=headers)
    body = BODIES.get(route, {})
    return getattr(api, method)(path, body if method == "get" else body or "", content_type=JSON, headers=headers)


@pytest.fixture
def objects(api: Api, stranger: Api, finish: Finish) -> dict[Api, Ids]:
    return {api: objects_of(api, finish), stranger: objects_of(stranger, finish)}


@pytest.fixture
def pairs(api: Api, stranger: Api) -> list[tuple[Api, Api]]:
    """Who asks, and whose objects it asks for. Both are projects like any other, so one direction shows it."""
    return [(stranger, api)]


def test_an_id_of_another_project_is_unknown_at_every_address(
    objects: dict[Api, Ids], pairs: list[tuple[Api, Api]]
) -> None:
    asked = routes()
    assert len(asked) > 80
    for caller, owner in pairs:
        for route in asked:
            theirs = ask(caller, route, filled(route[1], objects[owner]))
            nobodys = ask(caller, route, filled(route[1], unknown(objects[owner])))
            assert (theirs.status_code, route) == (404, route), theirs.content
            assert theirs.content == nobodys.content, route
            assert headers_of(theirs) == headers_of(nobodys), route
            if route[0] != "head":
                assert code_of(theirs, 404) == "not_found", route
        # The owner finds all of them, so that the ids were right and nothing was changed.
        missing = [
            address
            for method, address in asked
            if method == "get" and ask(owner, (method, address), filled(address, objects[owner])).status_code != 200
        ]
        assert [address for address in missing if not address.endswith(WITHOUT_RESULT)] == []
        # An own directory gives no access to a file in a directory of another project.
        mixed = objects[caller] | {"directory_file_id": objects[owner]["directory_file_id"]}
        for method in ("get", "delete"):
            address = "api/v1/beta/directories/<str:directory_id>/files/<str:directory_file_id>"
            assert code_of(ask(caller, (method, address), filled(address, mixed)), 404) == "not_found"


def headers_of(response: Any) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if not name.startswith("X-RateLimit")}


# Fields of bodies that name an object by its id: the address, the field, the rest of a body, the kind of object.
# "the id" in a body is the id that is asked for, "own KIND" an id of the caller's project.
THIS, OWN_FILE, OWN_CONFIGURATION, OWN_DIRECTORY = "the id", "own file_id", "own configuration_id", "own directory_id"
FAST = {"tier": "fast", "version": "latest"}
CONFIGURED = {"tier": "configured", "version": "configured"}
HOOKS, CONFIGURATION = "webhook_configuration_ids", "configuration_id"
ESTIMATE, BATCHES, SAVED = f"{PARSE}/estimate", "/api/v2/batches", "/api/v1/beta/configurations"
FILES_OF_DIRECTORY = "/api/v1/beta/directories/{directory_id}/files"
OF_BATCH = {"config": {"job": {"type": "parse_v2", CONFIGURATION: OWN_CONFIGURATION}}}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
CATEGORIES = {"categories": [{"name": "a", "description": "b"}]}
RULES = {"rules": [{"type": "a", "description": "b"}]}
ANNOTATIONS: dict[str, dict[str, Any]] = {
    "/api/v2/extract": {"data_schema": SCHEMA},
    "/api/v2/classify": RULES,
    "/api/v1/split/jobs": CATEGORIES,
    "/api/v1/beta/split/jobs": CATEGORIES,
}
REFERENCES: list[tuple[str, str, dict[str, Any], str]] = [
    (PARSE, "file_id", FAST, "file_id"),
    (PARSE, CONFIGURATION, CONFIGURED | {"file_id": OWN_FILE}, CONFIGURATION),
    (PARSE, HOOKS, FAST | {"file_id": OWN_FILE}, "webhook_id"),
    (ESTIMATE, "file_id", FAST, "file_id"),
    (ESTIMATE, CONFIGURATION, CONFIGURED | {"file_id": OWN_FILE}, CONFIGURATION),
    (BATCHES, "file_ids", OF_BATCH, "file_id"),
    (BATCHES, "source_directory_id", OF_BATCH, "directory_id"),
    (BATCHES, "source_file_id", OF_BATCH, "file_id"),
    (BATCHES, HOOKS, OF_BATCH | {"file_ids": [OWN_FILE]}, "webhook_id"),
    (BATCHES, CONFIGURATION, {"config": {"job": {"type": "parse_v2", CONFIGURATION: THIS}}, "file_ids": [OWN_FILE]},
     CONFIGURATION),
    (FILES_OF_DIRECTORY, "file_id", {}, "file_id"),
    ("/api/v2/classify", "file_id", {"configuration": RULES}, "file_id"),
    ("/api/v2/classify", "parse_job_id", {"configuration": RULES}, "parse"),
]  # fmt: skip
for _path, _what in ANNOTATIONS.items():
    REFERENCES += [
        (_path, "file_input", {"configuration": _what}, "file_id"),
        (_path, "file_input", {"configuration": _what}, "parse"),
        (_path, HOOKS, {"configuration": _what, "file_input": OWN_FILE}, "webhook_id"),
    ]
    if "classify" not in _path:
        with_configuration = {"configuration": _what | {"parse_config_id": THIS}, "file_input": OWN_FILE}
        REFERENCES.append((_path, "parse_config_id", with_configuration, CONFIGURATION))
# What names no object of ours, and what is refused whatever it names or checked when it is used.
NO_REFERENCES = {
    "unique_id",
    "external_file_id",
    "transaction_id",
    "unique_element_ids",
    "data_source_id",
    "project_id",
}
UNUSED = {(path, CONFIGURATION) for path in ANNOTATIONS} | {(SAVED, CONFIGURATION), (SAVED, HOOKS), (ESTIMATE, HOOKS)}
# A filter: test_keys_and_projects.py has a test of what it finds.
UNUSED.add(("/api/v1/beta/files/query", "file_ids"))


def references_of_the_description() -> set[tuple[str, str]]:
    """Return the address and the field of every id in a JSON body of POST, from the API's description."""
    description = SchemaGenerator().get_schema(request=None, public=True)

    def fields(node: Any, seen: frozenset[str]) -> Iterator[str]:
        if isinstance(node, list):
            for each in node:
                yield from fields(each, seen)
        if not isinstance(node, dict):
            return
        name = str(node.get("$ref", "")).rpartition("/")[2]
        if name and name not in seen:
            yield from fields(description["components"]["schemas"][name], seen | {name})
        for field, content in (node.get("properties") or {}).items():
            if field.endswith(("_id", "_ids")) or field == "file_input":
                yield field
            yield from fields(content, seen)
        for keyword in ("anyOf", "oneOf", "allOf", "items"):
            yield from fields(node.get(keyword), seen)

    found = set()
    for path, methods in description["paths"].items():
        content = methods.get("post", {}).get("requestBody", {}).get("content", {}).get("application/json", {})
        found |= {(path, field) for field in fields(content.get("schema"), frozenset())}
    return {(path, field) for path, field in found - UNUSED if field not in NO_REFERENCES}


def test_an_id_of_another_project_in_a_body_is_unknown(objects: dict[Api, Ids], pairs: list[tuple[Api, Api]]) -> None:
    assert {(path, field) for path, field, *_ in REFERENCES} == references_of_the_description()
    for caller, owner in pairs:
        for path, field, body, kind in REFERENCES:
            theirs, nobodys, own = (
                response_to(caller, objects[caller], path, field, body, ids[kind])
                for ids in (objects[owner], unknown(objects[owner]), objects[caller])
            )
            assert theirs[0] in (404, 422), (path, field, theirs)
            assert theirs == nobodys, (path, field)
            assert own != theirs, (path, field, own)


def response_to(api: Api, own: Ids, path: str, field: str, body: dict[str, Any], sent: str) -> tuple[int, bytes]:
    """Send a body with an id, and return the status and the response without the id."""

    def filled_in(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: filled_in(each) for name, each in value.items()}
        if isinstance(value, list):
            return [filled_in(each) for each in value]
        if isinstance(value, str) and value.startswith("own "):
            return own[value.removeprefix("own ")]
        return sent if value == THIS else value

    of_field = {} if THIS in str(body) else {field: [THIS] if field.endswith("s") else THIS}
    path = path.replace("{directory_id}", own["directory_id"])
    headers = {"x-request-id": "same-for-all-of-them"}
    response = api.post(path, filled_in(body | of_field), content_type=JSON, headers=headers)
    return response.status_code, response.content.replace(sent.encode(), b"ID")
