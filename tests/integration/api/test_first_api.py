"""LlamaParse's first API: uploads by form fields, and results with the pages joined as the fields ask."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from apps.jobs.models import ParseJob
from tests.documents.long import heading_of, long_document
from tests.documents.picture import document_with_a_picture
from tests.integration.api.conftest import Api, Finish, body_of, code_of
from tests.unit.pages.tiny_pdf import Sheet, write_pdf

PARSING, OLD_PARSING = "/api/v1/parsing", "/api/parsing"
REPORT = (Path(__file__).resolve().parents[3] / "examples" / "report.pdf").read_bytes()
FORMATS = (Path(__file__).resolve().parents[3] / "docs" / "formats.md").read_text()
FAST = {"parse_mode": "parse_page_without_llm"}


def upload(api: Api, content: bytes = REPORT, *, prefix: str = PARSING, **fields: str) -> Any:
    form = {**FAST, **fields, "file": SimpleUploadedFile("report.pdf", content)}
    return api.post(f"{prefix}/upload", form)


@pytest.fixture
def parsed(api: Api, finish: Finish) -> Any:
    """Parse a document with form fields and return the job's id."""

    def parse(content: bytes = REPORT, **fields: str) -> str:
        response = upload(api, content, **fields)
        assert response.status_code == 200, response.content
        job_id = str(response.json()["id"])
        finish(job_id)
        return job_id

    return parse


def result(api: Api, job_id: str, name: str) -> Any:
    response = api.get(f"{PARSING}/job/{job_id}/result/{name}")
    assert response.status_code == 200, response.content
    return body_of(response)


def raw(api: Api, job_id: str, name: str) -> bytes:
    response = api.get(f"{PARSING}/job/{job_id}/result/{name}")
    assert response.status_code == 200, response.content
    return bytes(b"".join(response) if response.streaming else response.content)


@pytest.mark.parametrize("prefix", [PARSING, OLD_PARSING])
def test_a_document_is_parsed_under_both_prefixes(api: Api, finish: Finish, prefix: str) -> None:
    response = upload(api, prefix=prefix)
    job = response.json()
    assert job["status"] == "PENDING"
    assert api.get(f"{prefix}/job/{job['id']}").json()["status"] == "PENDING"
    finish(job["id"])

    assert api.get(f"{prefix}/job/{job['id']}").json()["status"] == "SUCCESS"
    text = body_of(api.get(f"{prefix}/job/{job['id']}/result/text"))
    assert "Nitrate is the mean of both walks" in text["text"]
    assert text["job_metadata"]["job_pages"] == 2
    assert "## Figures" in body_of(api.get(f"{prefix}/job/{job['id']}/result/markdown"))["markdown"]


def test_pages_are_joined_with_the_separator_that_clients_split_at(api: Api, parsed: Any) -> None:
    job_id = parsed(long_document(3))
    for name in ("text", "markdown"):
        pages = result(api, job_id, name)[name].split("\n---\n")
        assert [heading_of(number) in page for number, page in enumerate(pages, 1)] == [True, True, True]
        assert raw(api, job_id, f"raw/{name}").decode() == result(api, job_id, name)[name]


def test_a_page_without_text_is_still_a_page_between_separators(api: Api, parsed: Any) -> None:
    image = io.BytesIO()
    blank = Image.new("RGB", (200, 200), "white")
    blank.save(image, "PDF", save_all=True, append_images=[blank])
    job_id = parsed(image.getvalue(), disable_ocr="true")
    assert result(api, job_id, "markdown")["markdown"] == "\n---\n"


def test_separators_prefixes_and_suffixes_have_the_number_of_their_page(api: Api, parsed: Any) -> None:
    job_id = parsed(
        long_document(2),
        page_separator="\r\n=== {page_number} ===\r\n",  # as browsers and the TypeScript client send newlines
        page_prefix="<{page_number}>",
        page_suffix="</{page_number}>",
    )
    markdown = result(api, job_id, "markdown")["markdown"]
    first, second = markdown.split("\n=== 2 ===\n")
    assert first.startswith("<1>")
    assert first.endswith("</1>")
    assert second.startswith("<2>")
    assert second.endswith("</2>")


def test_an_empty_separator_puts_nothing_between_pages(api: Api, parsed: Any) -> None:
    job_id = parsed(long_document(2), page_separator="", page_prefix="[", page_suffix="]")
    assert "][" in result(api, job_id, "text")["text"]


def test_headers_and_footers_are_in_the_text_unless_they_are_hidden(api: Api, parsed: Any) -> None:
    shown = parsed(page_header_prefix="((", page_header_suffix="))", page_footer_prefix="[[", page_footer_suffix="]]")
    first = result(api, shown, "markdown")["markdown"].split("\n---\n")[0]
    assert first.startswith("((River survey - annual report))\n\n# The river")
    assert first.endswith("\n\n[[Page 1 of 2]]")
    assert "((River survey - annual report))" in result(api, shown, "text")["text"]

    hidden = parsed(hide_headers="true", hide_footers="true")
    markdown = result(api, hidden, "markdown")["markdown"]
    assert "annual report" not in markdown
    assert "Page 1 of 2" not in markdown
    page = result(api, hidden, "json")["pages"][0]
    assert (page["pageHeaderMarkdown"], page["pageFooterMarkdown"]) == ("River survey - annual report", "Page 1 of 2")


def test_pages_have_items_with_boxes_and_tables_with_rows(api: Api, parsed: Any) -> None:
    body = result(api, parsed(), "json")
    assert not {"job_id", "file_name"} & body.keys()  # the Python client would fail
    first, second = body["pages"]
    assert (first["page"], first["status"], first["parsingMode"]) == (1, "OK", "parse_page_without_llm")
    assert (first["width"], first["height"]) == (595.0, 842.0)
    heading = next(item for item in first["items"] if item["type"] == "heading")
    assert (heading["lvl"], heading["value"]) == (1, "The river in its second year")
    assert heading["bBox"].keys() == {"x", "y", "w", "h"}
    table = next(item for item in second["items"] if item["type"] == "table")
    assert table["rows"][0] == ["Reach", "Nitrate, mg/l", "Birds counted", "Walked"]
    assert table["csv"].splitlines()[1] == "1,8.1,64,twice"
    assert table["md"] == second["md"][second["md"].index("| Reach") :].partition("\n\n")[0]
    assert (second["images"], second["charts"], second["tables"]) == ([], [], [])


def test_drawn_charts_are_listed_if_they_are_asked_for(api: Api, parsed: Any, tmp_path: Path) -> None:
    bars = b" ".join(b"%d 500 30 %d re f" % (100 + 60 * n, 20 * rise) for n, rise in enumerate((2, 4, 3, 6, 5)))
    sheet = Sheet().raw(bars).text(100, 296, "1831 1832 1833 1834 1835").text(100, 330, "Figure 1: Coal in tons")
    content = Path(write_pdf(tmp_path / "coal.pdf", sheet)).read_bytes()

    job_id = parsed(content, extract_charts="true")

    (page,) = result(api, job_id, "json")["pages"]
    (chart,) = page["charts"]
    assert chart.keys() == {"name", "x", "y", "width", "height"}
    assert (round(chart["x"]), round(chart["y"])) == (100, 172)
    assert [image["name"] for image in page["images"]] == [chart["name"]]
    image = Image.open(io.BytesIO(raw(api, job_id, f"image/{chart['name']}")))
    assert image.width > image.height > 300
    assert result(api, parsed(content), "json")["pages"][0]["charts"] == []


def test_tables_are_pipes_unless_html_is_asked_for(api: Api, parsed: Any) -> None:
    assert "<table>" not in result(api, parsed(), "markdown")["markdown"]
    assert "<table>" in result(api, parsed(output_tables_as_HTML="true"), "markdown")["markdown"]


def test_lines_and_layout_are_given_if_they_are_asked_for(api: Api, parsed: Any) -> None:
    page = result(api, parsed(line_level_bounding_box="true", extract_layout="true"), "json")["pages"][0]
    text = next(item for item in page["items"] if item["type"] == "text")
    assert len(text["lines"]) > 1
    for line in text["lines"]:
        assert text["value"][line["startIndex"] : line["endIndex"] + 1] == line["text"]
    values = next(item for item in page["items"] if item["type"] == "list")
    assert [values["value"][line["startIndex"] : line["endIndex"] + 1] for line in values["lines"]] == [
        line["text"] for line in values["lines"]
    ]
    assert {entry["label"] for entry in page["layout"]} >= {"titles", "text", "lists"}
    assert all(0 <= entry["bbox"][name] <= 1 for entry in page["layout"] for name in ("x", "y", "w", "h"))


@pytest.mark.parametrize("margins", [{"bbox_top": "0.2", "bbox_bottom": "0.1"}, {"bounding_box": "0.2,0,0.1,0"}])
def test_margins_are_not_read(api: Api, parsed: Any, tmp_path: Path, margins: dict[str, str]) -> None:
    sheet = Sheet().text(72, 40, "Letterhead").text(72, 300, "The text of the letter").text(72, 760, "Page 1")
    content = Path(write_pdf(tmp_path / "letter.pdf", sheet)).read_bytes()

    page = result(api, parsed(content, **margins), "json")["pages"][0]

    assert [item["value"] for item in page["items"]] == ["The text of the letter"]
    assert page["items"][0]["bBox"]["y"] == pytest.approx(300, abs=3)


def test_pages_are_counted_from_zero(api: Api, parsed: Any) -> None:
    job_id = parsed(long_document(5), target_pages="0,3-4")
    assert [page["page"] for page in result(api, job_id, "json")["pages"]] == [1, 4, 5]


def test_a_range_beyond_the_end_has_the_code_that_ends_partitioned_parsing(api: Api, parsed: Any) -> None:
    job_id = parsed(long_document(2), target_pages="2-3")
    job = api.get(f"{PARSING}/job/{job_id}").json()
    assert (job["status"], job["error_code"]) == ("ERROR", "NO_DATA_FOUND_IN_FILE")
    assert code_of(api.get(f"{PARSING}/job/{job_id}/result/json"), 404) == "not_found"


def test_a_workbook_has_a_sheet_for_each_table(api: Api, parsed: Any) -> None:
    job_id = parsed()
    for name in ("xlsx", "raw/xlsx"):
        with zipfile.ZipFile(io.BytesIO(raw(api, job_id, name))) as workbook:
            assert "Page 2, table 1" in workbook.read("xl/workbook.xml").decode()
            sheet = workbook.read("xl/worksheets/sheet1.xml").decode()
        assert "Birds counted" in sheet
        assert "<v>8.1</v>" in sheet


def test_a_document_without_tables_has_no_workbook(api: Api, parsed: Any) -> None:
    job_id = parsed(long_document(1))
    assert code_of(api.get(f"{PARSING}/job/{job_id}/result/xlsx"), 404) == "not_found"


def test_the_document_itself_is_the_pdf_of_the_result(api: Api, parsed: Any) -> None:
    job_id = parsed()
    address = f"{PARSING}/job/{job_id}/result/pdf"
    whole = api.get(address)
    assert (whole["Content-Type"], b"".join(whole)) == ("application/pdf", REPORT)
    part = api.get(address, headers={"range": "bytes=0-4"})
    assert (part.status_code, b"".join(part)) == (206, b"%PDF-")
    assert api.get(address, headers={"if-none-match": whole["ETag"]}).status_code == 304


def test_a_job_without_a_result_or_of_a_picture_has_no_pdf(api: Api, parsed: Any) -> None:
    waiting = upload(api).json()["id"]
    for name in ("pdf", "xlsx", "json", "markdown"):
        response = api.get(f"{PARSING}/job/{waiting}/result/{name}")
        assert code_of(response, 404) == "not_found"
        assert "The job has no result." in response.json()["detail"]

    out = io.BytesIO()
    Image.new("L", (60, 60), 255).save(out, "PNG")
    of_picture = parsed(out.getvalue(), disable_ocr="true")
    response = api.get(f"{PARSING}/job/{of_picture}/result/pdf")
    assert code_of(response, 404) == "not_found"
    assert "not a PDF" in response.json()["detail"]


def test_pages_are_drawn_under_the_names_of_their_screenshots(api: Api, parsed: Any) -> None:
    job_id = parsed(take_screenshot="true")
    images = [image for page in result(api, job_id, "json")["pages"] for image in page["images"]]
    assert [(image["name"], image["type"]) for image in images] == [
        ("page_1.jpg", "full_page_screenshot"),
        ("page_2.jpg", "full_page_screenshot"),
    ]
    with Image.open(io.BytesIO(raw(api, job_id, "image/page_2.jpg"))) as image:
        assert image.size == (images[1]["original_width"], images[1]["original_height"])
    for name in ("page_3.jpg", "img_p0_1.jpg", "..%2f..%2fsecret"):
        assert api.get(f"{PARSING}/job/{job_id}/result/image/{name}").status_code == 404


def test_pictures_of_a_page_are_drawn_under_their_names(api: Api, parsed: Any) -> None:
    job_id = parsed(document_with_a_picture())
    picture = result(api, job_id, "json")["pages"][0]["images"][0]
    assert (picture["name"], picture["type"]) == ("img_p0_1.jpg", "object")
    assert (picture["x"], picture["y"], picture["width"], picture["height"]) == (100, 192, 200, 100)
    with Image.open(io.BytesIO(raw(api, job_id, "image/img_p0_1.jpg"))) as image:
        assert image.size == (picture["original_width"], picture["original_height"])
        red, green, blue = image.convert("RGB").getpixel((image.width // 2, image.height // 2))  # type: ignore[misc]
        assert red > 200 > 100 > max(green, blue)
    assert api.get(f"{PARSING}/job/{job_id}/result/image/img_p0_2.jpg").status_code == 404
    hidden = parsed(document_with_a_picture(), save_images="false")
    assert result(api, hidden, "json")["pages"][0]["images"] == []


def test_every_field_of_the_clients_is_accepted_and_unknown_ones_are_named(api: Api) -> None:
    fields = {"adaptive_long_table": "true", "merge_tables_across_pages_in_markdown": "true", "sparkle": "1"}
    response = upload(api, REPORT, **fields, from_python_package="true", save_images="true")
    assert response.status_code == 200
    warnings = {(each["option"], each["code"]) for each in response.json()["warnings"]}
    codes = ("option_without_effect", "option_without_effect", "unknown_option")
    assert warnings == set(zip(fields, codes, strict=True))


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"target_pages": "1-0"}, "target_pages"),
        ({"max_pages": "many"}, "max_pages"),
        ({"disable_ocr": "maybe"}, "disable_ocr"),
        ({"parse_mode": "ParsingMode.by_magic"}, "parse_mode"),
        ({"tier": "best"}, "tier"),
        ({"tier": "fast", "version": "1999-01-01"}, "version"),
        ({"page_error_tolerance": "2"}, "page_error_tolerance"),
        ({"language": "klingon"}, "language"),
        ({"replace_failed_page_mode": "FailedPageMode.haiku"}, "replace_failed_page_mode"),
        ({"auto_mode": "true", "auto_mode_configuration_json": "[{"}, "auto_mode_configuration_json"),
        ({"structured_output": "true"}, "structured_output"),
        ({"input_s3_path": "s3://bucket/a.pdf"}, "input_s3_path"),
    ],
)
def test_an_invalid_value_is_refused_with_the_name_of_its_field(api: Api, fields: dict[str, Any], field: str) -> None:
    response = upload(api, **fields)
    assert response.status_code == 422, response.content
    assert response.json()["errors"][0]["field"].split(".")[0] == field


@pytest.mark.parametrize(
    ("fields", "tier", "mode"),
    [
        ({}, "cost_effective", "balanced"),
        ({"parse_mode": "ParsingMode.parse_page_with_agent"}, "agentic", "agentic"),
        ({"parse_mode": "parse_page_with_lvm"}, "multimodal", "multimodal"),
        ({"premium_mode": "true"}, "agentic", "agentic"),
        ({"fast_mode": "true"}, "fast", "fast"),
        ({"tier": "fast", "version": "latest", "premium_mode": "true"}, "fast", "fast"),
    ],
)
def test_modes_and_switches_choose_the_tier(
    api: Api, settings: Any, fields: dict[str, str], tier: str, mode: str
) -> None:
    settings.MODE_WITHOUT_PROVIDER = "fast"
    response = api.post(f"{PARSING}/upload", {**fields, "file": SimpleUploadedFile("a.pdf", REPORT)})
    assert response.status_code == 200, response.content
    assert ParseJob.objects.get(pk=response.json()["id"]).tier == tier
    warned = [each["code"] for each in response.json()["warnings"]]
    assert warned == ([] if mode == "fast" else ["mode_not_available"])


def test_options_of_an_upload_are_those_of_the_second_api(api: Api) -> None:
    rules = '[{"parsing_conf": {"parse_mode": "parse_page_with_agent"}, "table_in_page": true}]'
    response = upload(
        api,
        disable_ocr="true",
        do_not_cache="true",
        language="de",
        page_error_tolerance="0.25",
        job_timeout_in_seconds="120.5",
        system_prompt_append="Be brief.",
        auto_mode="true",
        auto_mode_configuration_json=rules,
    )
    options = api.get(f"{PARSING}/job/{response.json()['id']}/parameters").json()
    assert options["do_not_cache"] is True
    assert options["processing_options"]["ocr_parameters"] == {"languages": ["de"], "disable_ocr": True}
    assert options["processing_options"]["auto_mode_configuration"] == [
        {"parsing_conf": {"tier": "agentic"}, "table_in_page": True}
    ]
    assert options["processing_control"]["timeouts"] == {"base_in_seconds": 121}
    assert options["processing_control"]["job_failure_conditions"] == {"allowed_page_failure_ratio": 0.25}
    assert options["agentic_options"] == {"system_prompt_append": "Be brief."}
    assert options["tier"] == "fast"


def test_text_that_no_database_stores_is_refused(api: Api) -> None:
    assert code_of(upload(api, page_prefix="a\x00b"), 400) == "invalid_request"
    rules = '[{"parsing_conf": {"custom_prompt": "\\u0000"}}]'
    response = upload(api, auto_mode="true", auto_mode_configuration_json=rules)
    assert code_of(response, 422) == "invalid_option"
    assert response.json()["errors"][0]["field"] == "auto_mode_configuration_json"


def test_an_urlencoded_form_needs_an_address(api: Api) -> None:
    response = api.post(f"{PARSING}/upload", "language=en", content_type="application/x-www-form-urlencoded")
    assert code_of(response, 400) == "file_missing"
    assert code_of(api.post(f"{PARSING}/upload", {"file": "text"}, content_type="application/json"), 415)


def test_the_listed_extensions_are_those_of_the_table_of_formats(api: Api) -> None:
    table = FORMATS.partition("|---|---|\n")[2].partition("\n\n")[0]
    documented = set()
    for row in table.splitlines():
        names = re.sub(r"\(.*?\)|:.*", "", row.split("|")[1]).split(",")
        documented |= {name.strip().removeprefix("other ") for name in names}

    listed = api.get(f"{PARSING}/supported_file_extensions").json()

    assert len(listed) == len(set(listed))
    assert set(listed) == {f".{name}" for name in documented - {"zip", "source code", "any other text"}}


def test_details_history_and_links_describe_the_job(api: Api, parsed: Any) -> None:
    job_id = parsed()
    details = api.get(f"{PARSING}/job/{job_id}/details").json()
    assert (details["status"], details["file_name"], details["failed_pages"]) == ("SUCCESS", "report.pdf", [])
    assert details["job_metadata"]["duration_seconds"] >= 0
    assert [entry["job_id"] for entry in api.get(f"{PARSING}/history").json()] == [job_id]
    link = api.get(f"{PARSING}/job/{job_id}/read/markdown.md").json()
    assert b"# The river" in b"".join(api.get(link["url"].partition("testserver")[2]))
    assert code_of(api.get(f"{PARSING}/job/{job_id}/read/secrets.env"), 404) == "not_found"
    assert code_of(api.get(f"{PARSING}/job/{job_id}/result/structured"), 404) == "not_found"
