"""Jobs in the API: submitted with options, polled, read, cancelled, retried, listed, deleted."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pikepdf
import pytest

from apps.api.v2.results import MAX_UNSTREAMED_BYTES
from apps.jobs.models import JobPage, ParseJob
from apps.jobs.states import Stage
from apps.pages.sandbox.preload import assembled_pdf
from tests.documents.e_invoices import cii_invoice
from tests.documents.long import heading_of, long_document
from tests.integration.api.conftest import PARSE, Api, Finish, body_of, code_of
from tests.integration.jobs.conftest import run_to

EVERYTHING = ["text", "text_full", "markdown", "markdown_full", "items", "metadata", "job_metadata", "usage"]
JSON = "application/json"


def test_an_upload_is_parsed_and_all_sections_are_returned(api: Api, finish: Finish) -> None:
    created = api.parse(long_document(3), name="mill.pdf", user_metadata={"order": "7"}).json()
    assert created["id"].startswith("pjb-")
    assert (created["status"], created["name"], created["tier"]) == ("PENDING", "mill.pdf", "fast")
    assert created["user_metadata"] == {"order": "7"}
    assert created["usage"] == {"credits": None}

    assert body_of(api.job(created["id"], *EVERYTHING)).keys() == {"job", "job_metadata"}
    finish(created["id"])
    result = body_of(api.job(created["id"], *EVERYTHING, "debug_logs", "nonsense"))

    assert result["job"]["status"] == "COMPLETED"
    assert result["job"]["pages"] == {"total": 3, "succeeded": 3, "failed": 0, "needing_ocr": 0}
    assert [page["page_number"] for page in result["markdown"]["pages"]] == [1, 2, 3]
    assert heading_of(2) in result["text"]["pages"][1]["text"]
    assert heading_of(3) in result["markdown_full"]
    assert result["text_full"].endswith("\n")
    assert all(page["success"] and page["items"] for page in result["items"]["pages"])
    assert result["metadata"]["pages"][0]["page_number"] == 1
    assert result["job_metadata"]["version"] == "2026-06-15"
    assert result["job_metadata"]["words"] > 100


def test_attached_files_are_listed(api: Api, finish: Finish, tmp_path: Path) -> None:
    path = tmp_path / "invoice.pdf"
    with pikepdf.open(io.BytesIO(long_document(1))) as pdf:
        pdf.attachments["factur-x.xml"] = pikepdf.AttachedFileSpec(
            pdf,
            cii_invoice(),
            filename="factur-x.xml",
            description="",
            mime_type="text/xml",
            creation_date="",
            mod_date="",
        )
        pdf.save(path)
    job_id = api.parse(path.read_bytes()).json()["id"]
    finish(job_id)

    metadata = body_of(api.job(job_id, "job_metadata"))["job_metadata"]

    assert [(each["media_type"], each["size_bytes"]) for each in metadata["attachments"]] == [
        ("text/xml", len(cii_invoice()))
    ]
    assert metadata["invoice"]["invoice"]["number"] == "F-8"


def test_pages_have_their_labels_and_the_printed_numbers_on_request(api: Api, finish: Finish, tmp_path: Path) -> None:
    path = tmp_path / "preface.pdf"
    with pikepdf.open(io.BytesIO(long_document(2))) as pdf:
        style = pikepdf.Dictionary(S=pikepdf.Name.r, St=4)
        pdf.Root.PageLabels = pikepdf.Dictionary(Nums=pikepdf.Array([0, style]))
        pdf.save(path)
    job_id = api.parse(path.read_bytes(), output_options={"extract_printed_page_number": True}).json()["id"]
    finish(job_id)

    pages = body_of(api.job(job_id, "metadata"))["metadata"]["pages"]

    assert [page["page_label"] for page in pages] == ["iv", "v"]
    assert all(page["printed_page_number"] for page in pages)


def test_expand_may_be_repeated_or_separated_by_commas(api: Api, finish: Finish) -> None:
    job_id = api.parse().json()["id"]
    finish(job_id)
    assert body_of(api.get(f"{PARSE}/{job_id}?expand=text,markdown&expand=items")).keys() == {
        "job",
        "text",
        "markdown",
        "items",
    }
    assert body_of(api.get(f"{PARSE}/{job_id}")).keys() == {"job"}


def test_a_long_result_is_streamed_completely(api: Api, finish: Finish) -> None:
    job_id = api.parse(long_document(120)).json()["id"]
    finish(job_id)
    response = api.job(job_id, *EVERYTHING)
    assert response.streaming
    whole = b"".join(response)
    assert len(whole) > 2 * MAX_UNSTREAMED_BYTES
    result = json.loads(whole)
    assert len(result["items"]["pages"]) == 120
    joined = "\n".join(page["text"] for page in result["text"]["pages"])
    assert sorted(result["text_full"].split()) == sorted(joined.split())


@pytest.fixture
def in_ranges(settings: Any) -> None:
    """Process short documents in ranges too, so that a test can change a page between stages."""
    settings.SHORT_ROAD_PAGES = 0


def parse_with_a_failed_page(api: Api, finish: Finish, **options: Any) -> dict[str, Any]:
    """Parse four pages, with page 2 marked as failed before assembly."""
    job_id = api.parse(long_document(4), **options).json()["id"]
    run_to(ParseJob.objects.get(pk=job_id), Stage.ASSEMBLE)
    failed = {"state": "failed", "error_code": "page_timeout", "error_detail": "The page took longer than allowed."}
    JobPage.objects.filter(job_id=job_id, number=2).update(**failed)
    finish(job_id)
    response = body_of(api.job(job_id, *EVERYTHING))
    assert isinstance(response, dict)
    return response


@pytest.mark.usefixtures("in_ranges")
def test_a_document_with_a_failed_page_is_completed_and_marks_the_page(api: Api, finish: Finish) -> None:
    result = parse_with_a_failed_page(api, finish)
    assert (result["job"]["status"], result["job"]["state"]) == ("COMPLETED", "partial")
    assert result["job"]["pages"] == {"total": 4, "succeeded": 3, "failed": 1, "needing_ocr": 0}
    assert [page["success"] for page in result["markdown"]["pages"]] == [True, False, True, True]
    assert [page["success"] for page in result["items"]["pages"]] == [True, False, True, True]
    assert result["markdown"]["pages"][1]["error"].startswith("page_timeout")
    page = api.get(f"{PARSE}/{result['job']['id']}/pages").json()["items"][1]
    assert (page["state"], page["error"]["code"]) == ("failed", "page_timeout")


@pytest.mark.usefixtures("in_ranges")
@pytest.mark.parametrize(("allowed", "status"), [(0.2, "FAILED"), (0.25, "COMPLETED")])
def test_too_many_failed_pages_fail_the_job_only_if_requested(
    api: Api, finish: Finish, allowed: float, status: str
) -> None:
    control = {"job_failure_conditions": {"allowed_page_failure_ratio": allowed}}
    result = parse_with_a_failed_page(api, finish, processing_control=control)
    assert result["job"]["status"] == status
    assert (result["job"]["error_message"] or "TIMEOUT: ").startswith("TIMEOUT: ")
    assert ("markdown" in result) is (status == "COMPLETED")


@pytest.mark.parametrize(
    ("content", "options", "beginning", "code"),
    [
        (b"%PDF-1.7\n", {}, "PDF_IS_BROKEN: ", "document_corrupt"),
        (long_document(2), {"page_ranges": {"target_pages": "3-4"}}, "NO_DATA_FOUND_IN_FILE: ", "invalid_option"),
    ],
)
def test_a_failed_job_has_its_error(
    api: Api, finish: Finish, content: bytes, options: dict[str, Any], beginning: str, code: str
) -> None:
    job_id = api.parse(content, **options).json()["id"]
    finish(job_id)
    response = body_of(api.job(job_id, *EVERYTHING))
    job = response["job"]
    assert job["status"] == "FAILED"
    assert job["error_message"].startswith(beginning)
    assert job["error"]["code"] == code
    assert job["error"]["type"] == f"/errors#{code}"
    assert job["error"]["detail"]
    assert job["error"]["retryable"] is False
    assert response.keys() == {"job", "job_metadata"}


def test_page_numbers_start_at_one(api: Api, finish: Finish) -> None:
    job_id = api.parse(long_document(5), page_ranges={"target_pages": "5,2-3"}).json()["id"]
    finish(job_id)
    result = body_of(api.job(job_id, "text"))
    assert [page["page_number"] for page in result["text"]["pages"]] == [2, 3, 5]


def test_one_file_can_have_many_jobs(api: Api) -> None:
    file_id = api.upload(name="once.pdf").json()["id"]
    jobs = [api.parse_file(file_id).json() for _ in range(2)]
    assert len({job["id"] for job in jobs}) == 2
    assert {(job["name"], job["file_id"]) for job in jobs} == {("once.pdf", file_id)}


def test_a_job_can_be_cancelled_only_once(api: Api) -> None:
    job_id = api.parse().json()["id"]
    assert code_of(api.delete(f"{PARSE}/{job_id}"), 400) == "conflict"
    assert api.post(f"{PARSE}/{job_id}/cancel", content_type=JSON).json()["status"] == "CANCELLED"
    assert code_of(api.post(f"{PARSE}/{job_id}/cancel"), 400) == "job_not_cancellable"


def test_a_finished_job_can_be_deleted(api: Api, finish: Finish) -> None:
    created = api.parse().json()
    finish(created["id"])
    response = api.delete(f"{PARSE}/{created['id']}", content_type=JSON)
    assert response.json() == {"id": created["id"], "project_id": created["project_id"]}
    assert code_of(api.job(created["id"]), 404) == "not_found"


def test_pages_are_parsed_again_while_the_old_result_remains_available(api: Api, finish: Finish) -> None:
    job_id = api.parse(long_document(4)).json()["id"]
    path = f"{PARSE}/{job_id}/retry"
    assert code_of(api.post(path, {"pages": [2]}, content_type=JSON), 422) == "invalid_option"
    finish(job_id)
    before = body_of(api.job(job_id, "markdown"))["markdown"]

    assert code_of(api.post(path, content_type=JSON), 400) == "conflict"
    for wrong in ([], [0], ["2"], [99], [2**70]):
        assert code_of(api.post(path, {"pages": wrong}, content_type=JSON), 422) == "invalid_option"
    assert api.post(path, {"pages": [2, 3]}, content_type=JSON).json()["status"] == "RUNNING"
    running = body_of(api.job(job_id, "markdown"))
    assert (running["job"]["status"], running["markdown"]) == ("RUNNING", before)
    assert api.get(f"{PARSE}/{job_id}/pages").json()["counts"] == {"pending": 2, "succeeded": 2}

    finish(job_id)
    again = body_of(api.job(job_id, "markdown"))
    assert (again["job"]["status"], again["markdown"]) == ("COMPLETED", before)


def test_pages_are_listed_with_their_states(api: Api, finish: Finish) -> None:
    job_id = api.parse(long_document(5)).json()["id"]
    assert api.get(f"{PARSE}/{job_id}/pages").json() == {"counts": {}, "items": [], "next_page_token": None}
    finish(job_id)
    first = api.get(f"{PARSE}/{job_id}/pages?page_size=3").json()
    second = api.get(f"{PARSE}/{job_id}/pages", {"page_size": 3, "page_token": first["next_page_token"]}).json()
    assert [page["page_number"] for page in first["items"] + second["items"]] == [1, 2, 3, 4, 5]
    assert first["counts"] == {"succeeded": 5}
    assert {page["state"] for page in first["items"]} == {"succeeded"}
    assert second["next_page_token"] is None


def test_jobs_are_filtered_by_state_id_and_time(api: Api, finish: Finish) -> None:
    ids = [api.parse().json()["id"] for _ in range(4)]
    finish(ids[0])
    api.post(f"{PARSE}/{ids[1]}/cancel")

    def found(**query: Any) -> list[str]:
        response = api.get(PARSE, query)
        assert response.status_code == 200, response.content
        assert response.json()["total_size"] == len(response.json()["items"])
        return [job["id"] for job in response.json()["items"]]

    assert found() == ids[::-1]
    assert found(status="COMPLETED") == [ids[0]]
    assert found(status="CANCELLED") == [ids[1]]
    assert found(status="PENDING") == [ids[3], ids[2]]
    assert found(job_ids=[ids[0], ids[3]]) == [ids[3], ids[0]]
    moment = api.job(ids[2]).json()["job"]["created_at"]
    assert found(created_at_on_or_after=moment) == [ids[3], ids[2]]
    assert found(created_at_on_or_before=moment) == [ids[2], ids[1], ids[0]]
    assert found(created_at_on_or_after="2999-01-01") == []
    assert found(created_at_on_or_before="1870-08-14T11:46:53.2+22:33") == []
    assert code_of(api.get(PARSE, {"status": "DONE"}), 422) == "invalid_option"
    for wrong in ("yesterday", "0001-01-01", "9999-12-31T23:59:59-23:00"):
        assert code_of(api.get(PARSE, {"created_at_on_or_after": wrong}), 422) == "invalid_option"


def test_jobs_are_listed_in_pages(api: Api) -> None:
    ids = [api.parse().json()["id"] for _ in range(5)]
    seen: list[str] = []
    token: str | None = ""
    while token is not None:
        page = api.get(PARSE, {"page_size": "2", "page_token": token}).json()
        seen += [job["id"] for job in page["items"]]
        token = page["next_page_token"]
        assert page["total_size"] == 5
    assert seen == ids[::-1]


def test_a_poll_needs_two_queries(api: Api, django_assert_max_num_queries: Any) -> None:
    job_id = api.parse().json()["id"]
    with django_assert_max_num_queries(2):
        api.job(job_id, *EVERYTHING)


def test_a_document_is_accepted_while_the_broker_is_down(api: Api, finish: Finish) -> None:
    """In these tests there is never a broker at the configured address."""
    job_id = api.parse().json()["id"]
    finish(job_id)
    assert api.job(job_id).json()["job"]["status"] == "COMPLETED"


def test_pages_beyond_the_end_are_left_out_with_a_warning(api: Api, finish: Finish) -> None:
    job_id = api.parse(long_document(3), page_ranges={"target_pages": "2,3-9"}).json()["id"]
    assert [each["code"] for each in finish(job_id).warnings] == ["pages_out_of_range"]
    assert [page["page_number"] for page in body_of(api.job(job_id, "text"))["text"]["pages"]] == [2, 3]

    job_id = api.parse(long_document(3), page_ranges={"target_pages": "4-9"}).json()["id"]
    finish(job_id)
    assert "NO_DATA_FOUND_IN_FILE" in body_of(api.job(job_id))["job"]["error_message"]


def test_a_page_tree_that_contains_itself_is_damaged(api: Api, finish: Finish) -> None:
    tree = assembled_pdf(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[2 0 R]/Count 1>>")
    job_id = api.parse(tree).json()["id"]
    assert finish(job_id).error_code == "document_corrupt"
