"""Documents and results in S3: only in the folders that the operator allows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from apps.accounts.models import Project
from apps.documents import s3_folders, storage
from apps.documents.models import Document
from apps.jobs.models import ParseJob
from apps.jobs.states import Stage
from apps.pages.output.assembly import OUTPUTS
from tests.documents.long import heading_of, long_document
from tests.fakes.s3 import FakeS3
from tests.integration.api.conftest import Api, Finish, code_of
from tests.integration.jobs.conftest import run_to

UPLOAD = "/api/v1/parsing/upload"


@pytest.fixture
def s3(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeS3]:
    """An S3 service, of which each project may use a folder of its own."""
    settings.S3_FOLDERS = ["s3://papers/{project}/"]
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with FakeS3() as service:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", service.url)
        s3_folders.client.cache_clear()  # it has the address of another test's service
        yield service


def send(api: Api, **fields: str) -> Any:
    form = {"parse_mode": "parse_page_without_llm", **fields}
    return api.post(UPLOAD, urlencode(form), content_type="application/x-www-form-urlencoded")


@pytest.fixture
def folder(api: Api) -> str:
    return f"papers/{Project.objects.get().pk}"


def test_a_document_is_read_from_s3_and_its_result_written_there(
    api: Api, finish: Finish, s3: FakeS3, folder: str
) -> None:
    s3.objects[f"{folder}/in/may report.pdf"] = long_document(2)
    path, prefix = f"s3://{folder}/in/may report.pdf", f"s3://{folder}/out"

    created = send(
        api,
        input_s3_path=path,
        input_s3_region="eu-west-1",
        output_s3_path_prefix=prefix,
        output_s3_exports="chunks, searchable_pdf, csv",
    )

    assert created.status_code == 200, created.content
    job = finish(created.json()["id"])
    assert (job.document_name, job.warnings) == ("may report.pdf", [])
    written = {name.removeprefix(f"{folder}/out/{job.pk}/") for name in s3.objects if "/out/" in name}
    assert written == {*OUTPUTS, "chunks.jsonl", "searchable.pdf"}
    assert heading_of(1) in s3.objects[f"{folder}/out/{job.pk}/chunks.jsonl"].decode()
    assert s3.objects[f"{folder}/out/{job.pk}/searchable.pdf"].startswith(b"%PDF-")
    assert heading_of(1) in s3.objects[f"{folder}/out/{job.pk}/markdown.md"].decode()


def test_an_export_that_does_not_exist_is_refused_and_one_that_cannot_be_made_is_a_warning(
    api: Api, finish: Finish, s3: FakeS3, folder: str
) -> None:
    s3.objects[f"{folder}/a.txt"] = b"Coal for every harbour."
    places = {"input_s3_path": f"s3://{folder}/a.txt", "output_s3_path_prefix": f"s3://{folder}/out"}
    assert code_of(send(api, **places, output_s3_exports="html,epub"), 422) == "invalid_option"
    job = finish(send(api, **places, output_s3_exports="html,archive_pdf").json()["id"])
    assert f"{folder}/out/{job.pk}/document.html" in s3.objects
    assert [warning["code"] for warning in job.warnings] == ["s3_not_written"]


def test_a_result_that_s3_refuses_is_kept_with_a_warning(api: Api, finish: Finish, s3: FakeS3, folder: str) -> None:
    s3.objects[f"{folder}/a.pdf"] = long_document(1)
    created = send(api, input_s3_path=f"s3://{folder}/a.pdf", output_s3_path_prefix=f"s3://{folder}/out/")
    s3.refuses = "AccessDenied"

    job = finish(created.json()["id"])

    assert (job.state, [warning["code"] for warning in job.warnings]) == ("succeeded", ["s3_not_written"])
    assert api.get(f"/api/v1/parsing/job/{job.pk}/result/raw/text").status_code == 200


def test_an_export_whose_document_is_gone_is_a_warning_and_the_rest_is_written(
    api: Api, finish: Finish, s3: FakeS3, folder: str, settings: Any
) -> None:
    settings.SHORT_ROAD_PAGES = 0  # assembly is a step of its own
    s3.objects[f"{folder}/a.pdf"] = long_document(1)
    places = {"input_s3_path": f"s3://{folder}/a.pdf", "output_s3_path_prefix": f"s3://{folder}/out"}
    created = send(api, **places, output_s3_exports="searchable_pdf,chunks")
    job = run_to(ParseJob.objects.get(pk=created.json()["id"]), Stage.ASSEMBLE)
    storage.delete(storage.original(str(job.document_id)))

    job = finish(job.pk)

    assert (job.state, [warning["code"] for warning in job.warnings]) == ("succeeded", ["s3_not_written"])
    assert heading_of(1) in s3.objects[f"{folder}/out/{job.pk}/chunks.jsonl"].decode()
    assert f"{folder}/out/{job.pk}/searchable.pdf" not in s3.objects


@pytest.mark.parametrize("path", ["s3://papers/other/a.pdf", "s3://papers/a.pdf", "papers/a.pdf", "s3://x/../papers/a"])
def test_paths_outside_of_the_folders_are_refused(api: Api, s3: FakeS3, path: str) -> None:
    assert code_of(send(api, input_s3_path=path), 422) == "url_not_allowed"
    s3.objects["papers/a.pdf"] = long_document(1)
    response = send(api, input_url="https://example.org/", output_s3_path_prefix=path)
    assert code_of(response, 422) == "invalid_option"
    assert response.json()["errors"][0]["field"] == "output_s3_path_prefix"
    assert not Document.objects.exists()


def test_what_cannot_be_read_from_s3_has_a_code(api: Api, s3: FakeS3, folder: str, settings: Any) -> None:
    missing = send(api, input_s3_path=f"s3://{folder}/none.pdf")
    assert code_of(missing, 422) == "fetch_failed"
    assert "NoSuchKey" in missing.json()["detail"]
    s3.objects[f"{folder}/a.pdf"] = b"MZ\x90\0" + bytes(20)
    assert code_of(send(api, input_s3_path=f"s3://{folder}/a.pdf"), 415) == "unsupported_file_type"
    settings.MAX_UPLOAD_BYTES = 10
    assert code_of(send(api, input_s3_path=f"s3://{folder}/a.pdf"), 413) == "file_too_large"
    s3.refuses = "AccessDenied"
    assert "AccessDenied" in send(api, input_s3_path=f"s3://{folder}/a.pdf").json()["detail"]


def test_without_folders_s3_is_refused(api: Api) -> None:
    for name in ("input_s3_path", "output_s3_path_prefix"):
        response = send(api, **{"input_url": "https://example.org/", name: "s3://papers/a.pdf"})
        assert code_of(response, 422) == "invalid_option"
        assert response.json()["errors"][0]["field"] == name
