"""Every call of LlamaParse's Python client for the first API, against a running service.

Arguments: the folder with the documents. LLAMA_CLOUD_BASE_URL and LLAMA_CLOUD_API_KEY are read. Prints
a JSON object: the name of each call, and what went wrong in it ("" if nothing).
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import traceback
import zipfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
from llama_cloud_services import LlamaParse
from llama_cloud_services.parse.base import JobFailedException
from llama_cloud_services.parse.utils import FailedPageMode, ParsingMode
from llama_index.core import SimpleDirectoryReader
from llama_index.readers.llama_parse import LlamaParse as ReaderOfLlamaIndex

Call = Callable[[], Awaitable[None]]
DOCUMENTS = Path(sys.argv[1])
REPORT, LONG, PICTURE = (str(DOCUMENTS / name) for name in ("report.pdf", "long.pdf", "picture.pdf"))
IMAGES = {
    "report.pdf": ["page_1.jpg", "page_2.jpg"],
    "freight.docx": ["page_1.jpg", "img_p0_1.jpg"],
    "freight.xlsx": ["page_1.jpg"],
    "freight.pptx": ["page_1.jpg", "img_p0_1.jpg", "page_2.jpg"],
    "freight.html": ["img_p0_1.jpg"],
    "freight.md": [],
    "freight.eml": ["img_p0_1.jpg"],
}
"""The pages and pictures of documents of each kind. Those of office documents are printed."""
FAST = ParsingMode.parse_page_without_llm
CALLS: list[Call] = []


def call(function: Call) -> Call:
    CALLS.append(function)
    return function


def parser(**options: Any) -> LlamaParse:
    known = {"parse_mode": FAST, "show_progress": False, "verbose": False, "ignore_errors": False}
    return LlamaParse(**known | options)


def page_of(heading: str, texts: list[str]) -> list[int]:
    return [number for number, text in enumerate(texts, 1) if heading in text]


@call
async def load_text_and_markdown() -> None:
    for kind in ("text", "markdown"):
        documents = await parser(result_type=kind, split_by_page=False).aload_data(LONG)
        assert len(documents) == 1
        pages = await parser(result_type=kind).aload_data(LONG)
        assert len(pages) == 5
        assert documents[0].text == "\n---\n".join(page.text for page in pages)
    report = (await parser(result_type="markdown", split_by_page=False).aload_data(REPORT))[0].text
    assert "# The river in its second year" in report
    assert "| 4 | 6.3 | 112 | twice |" in report


@call
async def load_with_a_separator_of_their_own() -> None:
    separator = "\n=== page {page_number} ===\n"
    found = await parser(page_separator=separator, page_prefix="<<", page_suffix=">>", split_by_page=False).aload_data(
        REPORT
    )
    assert "=== page 2 ===" in found[0].text
    assert found[0].text.startswith("<<")
    assert found[0].text.endswith(">>")


@call
async def parse_and_read_every_form_of_the_result() -> None:
    result = await parser(extract_layout=True, line_level_bounding_box=True).aparse(REPORT)
    assert [page.page for page in result.pages] == [1, 2]
    assert result.job_metadata.job_pages == 2
    heading = next(item for item in result.pages[0].items if item.type == "heading")
    assert (heading.value, heading.lvl) == ("The river in its second year", 1)
    assert heading.bBox.w > 200
    assert heading.lines[0].text == "The river in its second year"
    table = next(item for item in result.pages[1].items if item.type == "table")
    assert table.rows[2] == ["4", "6.3", "112", "twice"]
    assert {entry.label for entry in result.pages[1].layout} >= {"titles", "tables", "lists", "text"}
    assert result.pages[0].pageHeaderMarkdown == "River survey - annual report"
    assert "Two reaches could not be walked" in await result.aget_text()
    assert "## Figures" in await result.aget_markdown()
    assert (await result.aget_json())["pages"][1]["page"] == 2
    assert [each.text for each in await result.aget_text_nodes(split_by_page=True)] == [
        page.text for page in result.pages
    ]
    assert (await result.aget_markdown_documents())[0].text == "\n---\n".join(page.md for page in result.pages)
    with tempfile.TemporaryFile() as file:
        file.write(await result.aget_xlsx_data())
        assert "xl/worksheets/sheet1.xml" in zipfile.ZipFile(file).namelist()


@call
async def draw_pages_and_pictures() -> None:
    client = parser(take_screenshot=True)
    result = await client.aparse(PICTURE)
    assert result.get_image_names() == ["page_1.jpg", "img_p0_1.jpg"]
    with tempfile.TemporaryDirectory() as folder:
        found = await result.aget_image_documents(image_download_dir=folder)
        assert [Path(image.image_path).name for image in found] == result.get_image_names()
        assert all(Path(image.image_path).read_bytes().startswith(b"\xff\xd8\xff") for image in found)
        assert len(await result.aget_image_nodes(include_object_images=False)) == 1


@call
async def fetch_json_images_charts_tables_and_workbook() -> None:
    client = parser(take_screenshot=True)
    results = await client.aget_json(REPORT)
    assert results[0]["file_path"] == REPORT
    with tempfile.TemporaryDirectory() as folder:
        images = await client.aget_images(results, folder)
        assert [image["page_number"] for image in images] == [1, 2]
        assert await client.aget_charts(results, folder) == []
        [table] = await client.aget_tables(results, folder)
        assert "9,5.9,131,twice" in Path(table).read_text()
        [workbook] = await client.aget_xlsx(results, folder)
        assert zipfile.is_zipfile(workbook["path"])


@call
async def read_images_tables_and_pdfs_of_each_kind_of_document() -> None:
    client = parser(take_screenshot=True, output_pdf_of_document=True, disable_ocr=True)
    results = await client.aget_json([str(DOCUMENTS / name) for name in IMAGES])
    with tempfile.TemporaryDirectory() as folder:
        for (name, expected), result in zip(IMAGES.items(), results, strict=True):
            assert result["pages"], name
            text = "\n".join(page["md"] for page in result["pages"])
            assert name == "report.pdf" or "Freight in May" in text, text
            images = await client.aget_images([result], folder)
            assert [image["name"] for image in images] == expected, (name, images)
            assert all(Path(image["path"]).read_bytes().startswith(b"\xff\xd8\xff") for image in images), name
            [table] = await client.aget_tables([result], folder)
            assert name == "report.pdf" or "Coal,1200" in Path(table).read_text()
            [workbook] = await client.aget_xlsx([result], folder)
            assert zipfile.is_zipfile(workbook["path"]), name
            address = f"{os.environ['LLAMA_CLOUD_BASE_URL']}/api/v1/parsing/job/{result['job_id']}/result/pdf"
            pdf = httpx.get(address, headers={"Authorization": f"Bearer {os.environ['LLAMA_CLOUD_API_KEY']}"})
            if name.endswith((".html", ".md", ".eml")):  # they are not printed; the answer says so
                assert (pdf.status_code, "not a PDF" in pdf.text) == (404, True), (name, pdf.status_code)
            else:
                assert (pdf.status_code, pdf.content[:5]) == (200, b"%PDF-"), (name, pdf.status_code)


@call
async def read_the_images_of_a_printed_document_as_objects() -> None:
    result = await parser(take_screenshot=True, disable_ocr=True).aparse(str(DOCUMENTS / "freight.docx"))
    assert result.get_image_names() == IMAGES["freight.docx"]
    with tempfile.TemporaryDirectory() as folder:
        saved = await result.asave_all_images(folder)
        assert sorted(Path(each).name for each in saved) == sorted(IMAGES["freight.docx"])
    assert len(await result.aget_image_nodes(include_object_images=False)) == 1
    assert (await result.aget_xlsx_data()).startswith(b"PK")


@call
async def get_results_by_id() -> None:
    client = parser()
    ids = [result.job_id for result in await client.aparse([REPORT, LONG])]
    again = await client.aget_result(ids)
    assert [len(result.pages) for result in again] == [2, 5]
    assert len((await client.aget_result(ids[1])).pages) == 5


@call
async def parse_bytes_and_many_files() -> None:
    content = Path(REPORT).read_bytes()
    [first, second] = await parser().aload_data(content, extra_info={"file_name": "in-memory.pdf"})
    assert "River survey" in first.text
    assert "Birds counted" in second.text
    documents = await parser(num_workers=4, split_by_page=False).aload_data([REPORT, LONG, PICTURE, REPORT])
    assert len(documents) == 4
    assert "A field of poppies" in documents[2].text


@call
async def parse_in_partitions() -> None:
    whole = [page.text for page in await parser().aload_data(LONG)]
    for size in (2, 5):  # 5 pages: with a rest, and an exact multiple, which ends with NO_DATA_FOUND_IN_FILE
        assert [page.text for page in await parser(partition_pages=size).aload_data(LONG)] == whole
    results = await parser(partition_pages=2).aparse(LONG)
    assert [page.page for result in results for page in result.pages] == [1, 2, 3, 4, 5]
    chosen = await parser(partition_pages=1, target_pages="0,2-3").aparse(LONG)
    assert [page.page for result in chosen for page in result.pages] == [1, 3, 4]


@call
async def set_every_option_at_once() -> None:
    refused = {"input_s3_region", "output_s3_region", "output_s3_path_prefix", "structured_output", "webhook_url"}
    refused |= {name for name in LlamaParse.model_fields if name.startswith(("strict_mode", "bbox_", "structured_"))}
    of_client = {"api_key", "base_url", "organization_id", "project_id", "custom_client", "check_interval", "verbose"}
    of_client |= {"max_timeout", "num_workers", "show_progress", "split_by_page", "ignore_errors", "partition_pages"}
    of_client |= {"max_check_interval", "backoff_pattern", "result_type", "check_for_updates", "version", "tier"}
    chosen: dict[str, Any] = {
        "auto_mode_configuration_json": '[{"parsing_conf": {"premium_mode": true}, "text_in_page": "unicorn"}]',
        "bounding_box": None,
        "http_proxy": None,
        "language": "de",
        "max_pages": 3,
        "page_error_tolerance": 0.5,
        "page_separator": "\n---\n",
        "parse_mode": ParsingMode.parse_page_without_llm,
        "replace_failed_page_mode": FailedPageMode.error_message,
        "target_pages": "0-1",
    }
    options: dict[str, Any] = {}
    for name, field in LlamaParse.model_fields.items():
        if name in refused | of_client or field.annotation is None:
            continue
        kind = str(field.annotation)
        sample = True if "bool" in kind else 300 if "int" in kind or "float" in kind else "text"
        options[name] = chosen.get(name, sample)
    assert len(options) > 80
    result = await parser(**options).aparse(LONG)
    assert [page.page for page in result.pages] == [1, 2]
    by_name = await parser(parse_mode="ParsingMode.parse_page_with_agent", tier="fast", version="latest").aparse(REPORT)
    assert by_name.pages[0].parsingMode == "parse_page_without_llm"


@call
async def see_why_a_job_or_an_upload_failed() -> None:
    for name, code in (("protected.pdf", "PDF_IS_PROTECTED"), ("broken.pdf", "PDF_IS_BROKEN")):
        try:
            await parser().aload_data(str(DOCUMENTS / name))
        except JobFailedException as error:
            found = error.error_code
        else:
            found = "it was parsed"
        assert found == code, f"{name}: {found}"
    refusals: list[tuple[dict[str, Any], str]] = [
        ({"api_key": "lm-wrong"}, "unauthenticated"),
        ({"structured_output": True}, "structured_output"),
        ({"target_pages": "x"}, "target_pages"),
    ]
    for options, expected in refusals:
        try:
            await parser(**options).aload_data(REPORT)
        except JobFailedException:
            raise
        except Exception as error:
            found = str(error)
        else:
            found = "it was accepted"
        assert expected in found, f"{options}: {found}"


@call
async def use_the_old_switches() -> None:
    documents = await LlamaParse(fast_mode=True, verbose=False, ignore_errors=False).aload_data(REPORT)
    assert "Birds counted" in documents[1].text
    documents = await LlamaParse(verbose=False, ignore_errors=False).aload_data(REPORT)  # no mode at all
    assert "Birds counted" in documents[1].text


@call
async def work_behind_a_base_url_with_a_slash() -> None:
    base_url = os.environ["LLAMA_CLOUD_BASE_URL"] + "/"
    result = await parser(base_url=base_url).aparse(REPORT)
    assert "## Figures" in await result.aget_markdown()


async def observed(function: Call) -> tuple[str, str]:
    try:
        await function()
    except BaseException:
        return function.__name__, traceback.format_exc()
    return function.__name__, ""


async def all_calls() -> dict[str, str]:
    return dict(await asyncio.gather(*map(observed, CALLS)))


def calls_without_an_event_loop() -> dict[str, str]:
    """Use the synchronous methods and LlamaIndex's reader, which start event loops of their own."""
    found = {"parse_synchronously": "", "read_with_simple_directory_reader": ""}
    try:
        result = parser().parse(REPORT)
        assert "## Figures" in result.get_markdown()
        assert len(parser().load_data(LONG)) == 5
    except BaseException:
        found["parse_synchronously"] = traceback.format_exc()
    try:
        reader = ReaderOfLlamaIndex(parse_mode=FAST, result_type="markdown", verbose=False, ignore_errors=False)
        documents = SimpleDirectoryReader(input_files=[REPORT, LONG], file_extractor={".pdf": reader}).load_data()
        assert len(documents) == 7
        assert "# The river in its second year" in documents[0].text
        assert documents[0].metadata["file_name"] == "report.pdf"
    except BaseException:
        found["read_with_simple_directory_reader"] = traceback.format_exc()
    return found


if __name__ == "__main__":
    print(json.dumps(asyncio.run(all_calls()) | calls_without_an_event_loop()))
