"""Every call of LlamaParse's Python client for the second API, of any release, against a running service.

Arguments: the folder with the documents. LLAMA_CLOUD_BASE_URL and LLAMA_CLOUD_API_KEY are read. Prints
a JSON object: the name of each call, and what went wrong in it ("" if nothing).
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import llama_cloud

Call = Callable[[], Awaitable[None]]
DOCUMENTS = Path(sys.argv[1])
REPORT, LONG, BROKEN, PROTECTED = (DOCUMENTS / f"{name}.pdf" for name in ("report", "long", "broken", "protected"))
IMAGES = {
    "report.pdf": ["page_1.jpg", "page_2.jpg"],
    "freight.docx": ["page_1.jpg", "page_1_picture_1.jpg"],
    "freight.xlsx": ["page_1.jpg"],
    "freight.pptx": ["page_1.jpg", "page_1_picture_1.jpg", "page_2.jpg"],
    "freight.html": ["page_1_picture_1.jpg"],
    "freight.md": [],
    "freight.eml": ["page_1_picture_1.jpg"],
}
"""The pages and pictures of documents of each kind. Those of office documents are printed."""
SECTIONS = ["text", "text_full", "markdown", "markdown_full", "items", "metadata", "job_metadata", "usage"]
TIERS = ("fast", "cost_effective", "agentic", "agentic_plus")
TYPES = {
    "code": "CodeItem",
    "footer": "FooterItem",
    "header": "HeaderItem",
    "heading": "HeadingItem",
    "image": "ImageItem",
    "link": "LinkItem",
    "list": "ListItem",
    "table": "TableItem",
    "text": "TextItem",
}
IS_FIRST = llama_cloud.__version__.startswith("1.0.")
KEY, ADDRESS = os.environ["LLAMA_CLOUD_API_KEY"], os.environ["LLAMA_CLOUD_BASE_URL"]
CALLS: list[Call] = []


def call(function: Call) -> Call:
    CALLS.append(function)
    return function


def client(**options: Any) -> Any:
    return llama_cloud.LlamaCloud(**{"api_key": KEY, "base_url": ADDRESS, **options})


def asynchronous(**options: Any) -> Any:
    return llama_cloud.AsyncLlamaCloud(**{"api_key": KEY, "base_url": ADDRESS, **options})


def fast(**options: Any) -> dict[str, Any]:
    return {"tier": "fast", "version": "latest", **options}


def message_of(kind: type[Exception], function: Callable[..., Any], *arguments: Any, **options: Any) -> str:
    """Return the message of the error that the call must raise."""
    try:
        function(*arguments, **options)
    except kind as error:
        return str(error)
    raise AssertionError(f"no {kind.__name__}")


def check_typed(result: Any, pages: int) -> None:
    """Check that every page and item has the class of its type, and that boxes are inside their pages."""
    assert result.job.status == "COMPLETED"
    assert [page.page_number for page in result.items.pages] == list(range(1, pages + 1))
    for page in result.items.pages:
        assert type(page).__name__.startswith("ItemsPageStructured"), type(page)
        assert page.items
        types = {item["type"] if isinstance(item, dict) else item.type for item in page.items}
        if IS_FIRST and types & {"header", "footer"}:
            continue  # the first release knows neither type
        for item in page.items:
            assert type(item).__name__.endswith(TYPES[item.type]), (type(item), item.type)
            assert item.md is not None
            for box in item.bbox:
                assert 0 <= box.x <= box.x + box.w <= page.page_width + 0.01, box
                assert 0 <= box.y <= box.y + box.h <= page.page_height + 0.01, box
    assert all(page.success for page in result.markdown.pages)
    assert len(result.text.pages) == len(result.metadata.pages) == pages
    assert result.markdown_full.startswith("#")
    assert result.text_full.strip()
    assert result.job_metadata["document_pages"] == pages


@call
async def files_are_created_listed_fetched_and_deleted() -> None:
    files = client().files
    created = files.create(file=REPORT, purpose="parse", external_file_id="client-1")
    assert (created.name, created.external_file_id) == ("report.pdf", "client-1")
    assert created.id in [file.id for file in files.list(file_name="report.pdf", page_size=1)]
    content = (files.content if hasattr(files, "content") else files.get)(created.id)
    assert httpx.get(content.url, timeout=60).content == REPORT.read_bytes()
    part = httpx.get(content.url, headers={"Range": "bytes=0-4"})
    assert (part.status_code, part.content) == (206, b"%PDF-")
    files.delete(created.id)
    assert created.id not in [file.id for file in files.list(file_ids=[created.id])]


@call
async def an_upload_of_each_tier_is_typed() -> None:
    for tier in TIERS:
        result = client().parsing.parse(
            upload_file=REPORT, tier=tier, version="latest", expand=SECTIONS, polling_interval=0.3
        )
        check_typed(result, 2)
        assert "river" in result.markdown_full


@call
async def a_file_is_parsed_by_its_id() -> None:
    file = client().files.create(file=LONG, purpose="parse")
    result = client().parsing.parse(file_id=file.id, **fast(), expand=SECTIONS, polling_interval=0.3)
    check_typed(result, 5)


@call
async def images_tables_and_pdfs_of_each_kind_of_document_can_be_fetched() -> None:
    for name, expected in IMAGES.items():
        expand = [*SECTIONS, "images_content_metadata", "xlsx_content_metadata", "output_pdf_content_metadata"]
        options = fast(
            output_options={
                "images_to_save": ["layout", "screenshot"],
                "save_output_pdf": True,
                "tables_as_spreadsheet": {"enable": True},
            },
            processing_options={"ocr_parameters": {"disable_ocr": True}},
        )
        result = client().parsing.parse(upload_file=DOCUMENTS / name, **options, expand=expand, polling_interval=0.3)
        for item in (item for page in result.items.pages for item in page.items):
            kind = item["type"] if isinstance(item, dict) else item.type  # of types that a release does not know
            known = IS_FIRST and kind in ("header", "footer")
            assert known or type(item).__name__.endswith(TYPES[kind]), (name, type(item), kind)
        images = result.images_content_metadata.images
        assert [image.filename for image in images] == expected, (name, images)
        for image in images:
            assert httpx.get(image.presigned_url, timeout=60).content.startswith(b"\xff\xd8\xff")
        files = result.result_content_metadata
        assert httpx.get(files["xlsx"].presigned_url, timeout=60).content.startswith(b"PK"), name
        if name.endswith((".html", ".md", ".eml")):
            assert files["output_pdf"].exists is False, name
        else:
            pdf = httpx.get(files["output_pdf"].presigned_url, timeout=60).content
            assert (len(pdf), pdf[:5]) == (files["output_pdf"].size_bytes, b"%PDF-"), name
        assert name == "report.pdf" or "Freight in May" in result.markdown_full


@call
async def pages_are_counted_from_one() -> None:
    result = client().parsing.parse(
        upload_file=LONG, **fast(page_ranges={"target_pages": "2,4-9"}), expand=["text"], polling_interval=0.3
    )
    assert [page.page_number for page in result.text.pages] == [2, 4, 5]


@call
async def versions_that_the_first_client_names_are_accepted() -> None:
    for version in ("2025-12-11", "2025-12-31", "2026-01-21"):
        assert client().parsing.create(upload_file=LONG, tier="agentic", version=version).id


@call
async def jobs_are_listed_over_pages() -> None:
    parsing = client().parsing
    jobs = [parsing.create(upload_file=LONG, **fast()).id for _ in range(3)]
    listed = [job.id for job in parsing.list(page_size=2)]
    assert set(jobs) <= set(listed)
    assert len(listed) == len(set(listed))


@call
async def a_broken_file_fails_with_llamaparses_code() -> None:
    parsing = client().parsing
    for path, code in ((BROKEN, "PDF_IS_BROKEN"), (PROTECTED, "PDF_IS_PROTECTED")):
        job = parsing.create(upload_file=path, **fast())
        assert code in message_of(llama_cloud.PollingError, parsing.wait_for_completion, job.id, polling_interval=0.3)


@call
async def invalid_requests_have_their_class_and_are_not_repeated() -> None:
    sent: list[httpx.Request] = []
    strict = client(http_client=httpx.Client(event_hooks={"request": [sent.append]}))
    for error, request in (
        (llama_cloud.UnprocessableEntityError, lambda: strict.parsing.create(upload_file=LONG, tier="x", version="y")),
        (llama_cloud.NotFoundError, lambda: strict.parsing.create(file_id="dfl-1", **fast())),
        (llama_cloud.NotFoundError, lambda: strict.parsing.get("pjb-1")),
        (
            llama_cloud.AuthenticationError,
            lambda: strict.with_options(api_key="lm-wrong").parsing.create(upload_file=LONG, **fast()),
        ),
    ):
        before = len(sent)
        assert message_of(error, request)
        assert len(sent) == before + 1


@call
async def links_of_results_need_no_key() -> None:
    result = client().parsing.parse(
        upload_file=REPORT,
        **fast(output_options={"granular_bboxes": ["word"], "images_to_save": ["screenshot"]}),
        expand=["markdown_full_content_metadata", "items_content_metadata", "images_content_metadata", "debug_logs"],
        polling_interval=0.3,
    )
    links = result.result_content_metadata
    assert {"markdown_full", "items", "grounded_items"} <= links.keys()
    for link in links.values():
        assert len(httpx.get(link.presigned_url, timeout=60).content) == link.size_bytes
    images = result.images_content_metadata
    assert images.total_count == len(images.images) == 2
    assert httpx.get(images.images[0].presigned_url, timeout=60).content.startswith(b"\xff\xd8\xff")


@call
async def the_asynchronous_client_parses_uploads_at_once() -> None:
    async with asynchronous() as parallel:
        results = await asyncio.gather(
            *(
                parallel.parsing.parse(upload_file=path, **fast(), expand=SECTIONS, polling_interval=0.3)
                for path in (REPORT, LONG, REPORT)
            )
        )
        for result, pages in zip(results, (2, 5, 2), strict=True):
            check_typed(result, pages)
        assert [job async for job in parallel.parsing.list(page_size=2)]


@call
async def a_job_is_cancelled_and_deleted() -> None:
    if IS_FIRST:
        return  # the first release has neither call
    parsing = client().parsing
    job = parsing.create(upload_file=LONG, **fast())
    try:
        assert parsing.cancel(job.id).status == "CANCELLED"
    except llama_cloud.BadRequestError:  # it had ended already
        assert parsing.get(job.id).job.status == "COMPLETED"
    assert parsing.delete(job.id).id == job.id


@call
async def versions_and_saved_configurations_are_known() -> None:
    if IS_FIRST:
        return
    versions = client().parsing.list_versions()
    assert sum(len(getattr(versions, tier)) for tier in TIERS) == 112
    configurations = client().configurations
    saved = configurations.create(
        name="first page", parameters={"product_type": "parse_v2", **fast(page_ranges={"max_pages": 1})}
    )
    assert type(saved.parameters).__name__ == "ParseV2Parameters"
    file = client().files.create(file=LONG, purpose="parse")
    result = client().parsing.create(
        file_id=file.id, tier="configured", version="configured", configuration_id=saved.id
    )
    client().parsing.wait_for_completion(result.id, polling_interval=0.3)
    assert len(client().parsing.get(result.id, expand=["text"]).text.pages) == 1
    assert configurations.update(saved.id, name="one page").name == "one page"
    assert saved.id in [each.id for each in configurations.list(name="one page", latest_only=True)]
    configurations.delete(saved.id)


async def outcome(function: Call) -> str:
    try:
        await function()
    except Exception:
        return traceback.format_exc(limit=-3)
    return ""


async def main() -> None:
    print(json.dumps({function.__name__: await outcome(function) for function in CALLS}))


if __name__ == "__main__":
    asyncio.run(main())
