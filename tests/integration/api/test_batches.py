"""Batches: jobs for the files of a directory, or for files named one by one."""

from __future__ import annotations

import io
import json
import zipfile
from email.message import EmailMessage
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from llama_cloud.types.batch_get_response import BatchGetResponse
from llama_cloud.types.beta.directories import FileListResponse, FileUploadResponse
from llama_cloud.types.beta.directory_get_response import DirectoryGetResponse

from apps.accounts.models import Project
from apps.documents.models import Directory, DirectoryFile, Document
from apps.jobs.commands import batches as commands
from apps.jobs.commands import unpack
from apps.jobs.models import JobBatch, ParseJob
from tests.documents.long import long_document
from tests.integration.api.conftest import PARSE, Api, Finish, code_of

BATCHES, DIRECTORIES = "/api/v2/batches", "/api/v1/beta/directories"
FAST = {"job": {"type": "parse_v2", "configuration_id": "cfg-PARSE_FAST"}}


def post(api: Api, path: str, **body: Any) -> Any:
    return api.post(path, body, content_type="application/json")


def create(api: Api, **body: Any) -> Any:
    return post(api, BATCHES, **{"config": FAST, **body})


@pytest.fixture
def directory(api: Api) -> str:
    """A directory with two documents and one file that is none."""
    directory_id = str(post(api, DIRECTORIES, name="Letters").json()["id"])
    for name, content in (("a.pdf", long_document(1)), ("b.pdf", long_document(2)), ("c.pdf", b"no\0document")):
        file = SimpleUploadedFile(name, content)
        response = api.post(f"{DIRECTORIES}/{directory_id}/files/upload", {"upload_file": file})
        assert response.status_code == 200, response.content
        assert FileUploadResponse.model_validate(response.json(), strict=False).display_name == name
    return directory_id


def test_a_batch_parses_each_file_of_a_directory(api: Api, finish: Finish, directory: str) -> None:
    created = create(api, source_directory_id=directory)
    assert created.status_code == 200, created.content
    batch_id = created.json()["id"]
    assert (created.json()["status"], created.json()["jobs"]) == ("PENDING", {"PENDING": 3})
    jobs = list(ParseJob.objects.order_by("created_at").values_list("pk", flat=True))
    finish(jobs[0])
    assert api.get(f"{BATCHES}/{batch_id}").json()["status"] == "RUNNING"
    for job in jobs[1:]:
        finish(job)

    body = api.get(f"{BATCHES}/{batch_id}", {"expand": "results"}).json()
    batch = BatchGetResponse.model_validate(body)
    assert (batch.status, batch.source_directory_id, batch.config.job.type) == ("COMPLETED", directory, "parse_v2")
    assert body["jobs"] == {"COMPLETED": 2, "FAILED": 1}
    assert batch.results is not None
    listed = {each["id"]: each for each in api.get(f"{DIRECTORIES}/{directory}/files").json()["items"]}
    found = {}
    for result in batch.results:
        assert result.job_reference is not None
        name = listed[result.source_directory_file_id]["display_name"]
        found[name] = api.get(f"{PARSE}/{result.job_reference.id}").json()["job"]
        assert result.error_message == found[name]["error_message"]
    assert {name: job["status"] for name, job in found.items()} == {
        "a.pdf": "COMPLETED",
        "b.pdf": "COMPLETED",
        "c.pdf": "FAILED",
    }
    assert found["b.pdf"]["pages"]["total"] == 2
    assert found["a.pdf"]["tier"] == "fast"
    assert code_of(api.post(f"{BATCHES}/{batch_id}/cancel"), 400) == "job_not_cancellable"


def test_a_batch_of_named_files_uses_a_saved_configuration(api: Api) -> None:
    files = [api.upload().json()["id"] for _ in range(2)]
    parameters = {"product_type": "parse_v2", "tier": "fast", "page_ranges": {"target_pages": "1"}}
    saved = post(api, "/api/v1/beta/configurations", name="First page", parameters=parameters).json()["id"]
    job = {"type": "parse_v2", "configuration_id": saved}

    batch = create(api, config={"job": job}, file_ids=[*files, files[0]]).json()

    assert (batch["source_directory_id"], batch["config"]["job"]) == ("", job)
    results = api.get(f"{BATCHES}/{batch['id']}", {"expand": "results"}).json()["results"]
    assert [result["source_directory_file_id"] for result in results] == files
    assert {job.target_pages for job in ParseJob.objects.all()} == {"1"}


def test_open_jobs_of_a_batch_are_cancelled_and_the_others_keep_their_results(
    api: Api, finish: Finish, directory: str
) -> None:
    batch_id = create(api, source_directory_id=directory).json()["id"]
    finish(ParseJob.objects.order_by("created_at").values_list("pk", flat=True)[0])

    cancelled = api.post(f"{BATCHES}/{batch_id}/cancel").json()

    assert (cancelled["status"], cancelled["jobs"]) == ("CANCELLED", {"CANCELLED": 2, "COMPLETED": 1})
    assert api.get(f"{BATCHES}/{batch_id}").json()["status"] == "CANCELLED"


def test_batches_are_listed_by_status_and_directory(api: Api, finish: Finish, directory: str) -> None:
    file_id = api.upload().json()["id"]
    first, second, third = (create(api, file_ids=[file_id]).json()["id"] for _ in range(3))
    of_directory = create(api, source_directory_id=directory).json()["id"]
    api.post(f"{BATCHES}/{second}/cancel")
    finish(api.get(f"{BATCHES}/{third}?expand=results").json()["results"][0]["job_reference"]["id"])

    def ids(**filters: str) -> list[str]:
        return [each["id"] for each in api.get(BATCHES, filters).json()["items"]]

    assert ids() == [of_directory, third, second, first]
    assert ids(status="PENDING") == [of_directory, first]
    assert (ids(status="CANCELLED"), ids(status="completed"), ids(status="RUNNING")) == ([second], [third], [])
    assert ids(source_directory_id=directory) == [of_directory]
    assert ids(created_at_on_or_after="2999-01-01") == []
    page = api.get(BATCHES, {"page_size": 3}).json()
    assert (len(page["items"]), page["total_size"]) == (3, 4)
    assert [each["id"] for each in api.get(BATCHES, {"page_token": page["next_page_token"]}).json()["items"]] == [first]
    assert code_of(api.get(BATCHES, {"status": "LOST"}), 422) == "invalid_option"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body"),
        ({"source_directory_id": "dir-1", "file_ids": ["dfl-1"]}, "body"),
        ({"file_ids": []}, "file_ids"),
        ({"config": {"job": {"type": "extract_v2", "configuration_id": "cfg-1"}}}, "config.job.type"),
        (
            {"config": {"job": {"type": "parse_v2", "configuration_id": "cfg-1"}}, "file_ids": ["own"]},
            "config.job.configuration_id",
        ),
        (
            {
                "file_ids": ["own"],
                "webhook_configurations": [{"webhook_url": "https://8.8.8.8/", "webhook_events": ["batch.success"]}],
            },
            "webhook_configurations.0.webhook_events.0",
        ),
    ],
)
def test_what_a_batch_cannot_do_is_refused_with_the_name_of_its_field(
    api: Api, body: dict[str, Any], field: str
) -> None:
    if body.get("file_ids") == ["own"]:
        body = {**body, "file_ids": [api.upload().json()["id"]]}
    response = create(api, **body)
    assert code_of(response, 422) == "invalid_option"
    assert response.json()["errors"][0]["field"] == field
    assert not JobBatch.objects.exists()


def test_a_batch_needs_files_and_has_a_limit(api: Api) -> None:
    directory_id = post(api, DIRECTORIES, name="Empty").json()["id"]
    assert code_of(create(api, source_directory_id=directory_id), 422) == "invalid_option"

    project = Project.objects.get()
    directory = Directory.objects.get()
    documents = Document.objects.bulk_create(
        Document(project=project, name=f"{number}.pdf", sha256="", size_bytes=1)
        for number in range(commands.MAX_BATCH_FILES + 1)
    )
    DirectoryFile.objects.bulk_create(
        DirectoryFile(directory=directory, document=document, display_name=document.name, unique_id=document.pk)
        for document in documents
    )
    response = create(api, source_directory_id=directory_id)
    assert "1 to 1,000 files" in response.json()["detail"][0]["msg"]
    too_many = [document.pk for document in documents]
    assert code_of(create(api, file_ids=too_many), 422) == "invalid_option"


def test_a_request_that_is_sent_again_creates_one_batch(api: Api) -> None:
    body = json.dumps({"config": FAST, "file_ids": [api.upload().json()["id"]]})
    headers = {"Idempotency-Key": "once"}
    first, second = (api.post(BATCHES, body, content_type="application/json", headers=headers) for _ in range(2))
    assert first.json()["id"] == second.json()["id"]
    assert ParseJob.objects.count() == 1


def test_batches_and_directories_of_another_project_are_not_found(api: Api, stranger: Api, directory: str) -> None:
    file_id = api.get(f"{DIRECTORIES}/{directory}/files").json()["items"][0]["id"]
    batch_id = create(api, source_directory_id=directory).json()["id"]
    for path in (f"{BATCHES}/{batch_id}", f"{DIRECTORIES}/{directory}", f"{DIRECTORIES}/{directory}/files"):
        assert code_of(stranger.get(path), 404) == "not_found"
    assert code_of(stranger.post(f"{BATCHES}/{batch_id}/cancel"), 404) == "not_found"
    assert code_of(create(stranger, source_directory_id=directory), 404) == "not_found"
    assert code_of(stranger.delete(f"{DIRECTORIES}/{directory}/files/{file_id}"), 404) == "not_found"
    assert code_of(create(stranger, file_ids=[Document.objects.all()[0].pk]), 404) == "not_found"
    assert stranger.get(BATCHES).json()["items"] == stranger.get(DIRECTORIES).json()["items"] == []


def test_files_are_added_to_and_removed_from_a_directory(api: Api) -> None:
    created = post(api, DIRECTORIES, name="Letters", description="of May").json()
    assert DirectoryGetResponse.model_validate(created).description == "of May"
    files = f"{DIRECTORIES}/{created['id']}/files"
    file_id = api.upload(name="may.pdf").json()["id"]

    added = post(api, files, file_id=file_id, metadata={"month": 5}).json()
    again = post(api, files, file_id=file_id).json()
    assert (added["unique_id"], again["unique_id"]) == ("may.pdf", file_id)
    assert code_of(post(api, files, file_id=file_id, unique_id="may.pdf"), 400) == "conflict"
    (found,) = api.get(files, {"unique_id": "may.pdf"}).json()["items"]
    assert FileListResponse.model_validate(found).metadata == {"month": 5}
    assert api.get(f"{files}/{added['id']}").json() == added

    assert api.delete(f"{files}/{added['id']}").status_code == 204
    assert api.delete(f"/api/v1/beta/files/{file_id}").status_code == 204
    assert api.get(files).json()["items"] == []
    assert api.delete(f"{DIRECTORIES}/{created['id']}").status_code == 204
    assert code_of(api.get(files), 404) == "not_found"
    assert code_of(post(api, DIRECTORIES, name="x", type="ephemeral"), 422) == "invalid_option"


def test_a_batch_outlives_its_directory_and_goes_with_its_jobs(api: Api, finish: Finish, directory: str) -> None:
    batch_id = create(api, source_directory_id=directory).json()["id"]
    assert api.delete(f"{DIRECTORIES}/{directory}").status_code == 204
    jobs = list(ParseJob.objects.values_list("pk", flat=True))
    for job in jobs:
        finish(job)
    assert api.delete(f"{PARSE}/{jobs[0]}").status_code == 200
    results = api.get(f"{BATCHES}/{batch_id}", {"expand": ["results"]}).json()["results"]
    assert [result["error_message"] for result in results if not result["job_reference"]] == ["The job was removed."]

    JobBatch.objects.update(created_at="2020-01-01T00:00:00Z")
    assert commands.purge_empty() == 0
    for job in jobs[1:]:
        api.delete(f"{PARSE}/{job}")
    assert commands.purge_empty() == 1
    assert code_of(api.get(f"{BATCHES}/{batch_id}"), 404) == "not_found"


def zipped(**files: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, file in files.items():
            archive.writestr(name, file)
    return content.getvalue()


def test_a_batch_parses_each_document_of_an_archive(api: Api, finish: Finish) -> None:
    files = {"may/a.pdf": long_document(1), "may/b.txt": b"Hello", "__MACOSX/._a.pdf": b"x", "c.zip": zipped(d=b"x")}
    file_id = api.upload(zipped(**files)).json()["id"]

    created = create(api, source_file_id=file_id)
    assert created.status_code == 200, created.content
    for job in ParseJob.objects.all():
        finish(job.pk)

    batch = api.get(f"{BATCHES}/{created.json()['id']}", {"expand": "results"}).json()
    assert (batch["status"], batch["source_file_id"], batch["jobs"]) == ("COMPLETED", file_id, {"COMPLETED": 2})
    assert [result["name"] for result in batch["results"]] == ["may/a.pdf", "may/b.txt"]
    assert [(file["name"], file["code"]) for file in batch["skipped"]] == [
        ("__MACOSX/._a.pdf", "unsupported_file_type"),
        ("c.zip", "unsupported_file_type"),
    ]
    text = batch["results"][1]
    job = api.get(f"{PARSE}/{text['job_reference']['id']}", {"expand": "markdown_full"}).json()
    assert job["markdown_full"].strip() == "Hello"
    assert Document.objects.get(pk=text["source_directory_file_id"]).name == "b.txt"


def test_a_batch_parses_the_files_attached_to_a_message(api: Api) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"], mail["Date"] = "a@example.org", "b@example.org", "Invoice", "x"
    mail.set_content("See the file.")
    mail.add_attachment(long_document(1), maintype="application", subtype="pdf", filename="invoice.pdf")
    file_id = api.upload(mail.as_bytes()).json()["id"]

    batch_id = create(api, source_file_id=file_id).json()["id"]

    results = api.get(f"{BATCHES}/{batch_id}", {"expand": "results"}).json()["results"]
    assert [result["name"] for result in results] == ["invoice.pdf"]
    content = api.get(f"/api/v1/beta/files/{results[0]['source_directory_file_id']}/content").json()["url"]
    assert content


def test_files_without_documents_inside_are_refused(api: Api) -> None:
    for content in (zipped(), zipped(**{"a.zip": zipped()}), b"plain text"):
        file_id = api.upload(content).json()["id"]
        assert code_of(create(api, source_file_id=file_id), 415) == "unsupported_file_type"
    file_id = api.upload(b"PK\x03\x04 damaged").json()["id"]
    assert code_of(create(api, source_file_id=file_id), 422) == "document_corrupt"
    assert code_of(create(api, source_file_id="dfl-unknown"), 404) == "not_found"
    assert not JobBatch.objects.exists()


def test_an_archive_of_too_many_documents_is_refused(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "MAX_BATCH_FILES", 2)
    file_id = api.upload(zipped(**{f"{number}.txt": b"text" for number in range(3)})).json()["id"]

    assert code_of(create(api, source_file_id=file_id), 422) == "invalid_option"
    assert not ParseJob.objects.exists()
