"""The clients of other services whose APIs exist here, against a running service: each reads one document.

Arguments: the folder with the documents, and the command of the MCP server over stdio. LLAMA_CLOUD_BASE_URL and
LLAMA_CLOUD_API_KEY are read. Prints a JSON object: the name of each call, and what went wrong in it ("" if nothing).
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
import traceback
import urllib.parse
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import requests
from docling.datamodel.base_models import ConversionStatus, OutputFormat
from docling.datamodel.service.options import ConvertDocumentsOptions
from docling.datamodel.service.targets import InBodyTarget
from docling.service_client import DoclingServiceClient
from langchain_unstructured import UnstructuredLoader
from mcp import ClientSession, StdioServerParameters, stdio_client
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from unstructured_client import UnstructuredClient
from unstructured_client.models import operations, shared

Call = Callable[[], Awaitable[None]]
DOCUMENTS, STDIO = Path(sys.argv[1]), sys.argv[2:]
REPORT, LONG, BROKEN = (str(DOCUMENTS / name) for name in ("report.pdf", "long.pdf", "broken.pdf"))
URL, KEY = os.environ["LLAMA_CLOUD_BASE_URL"], os.environ["LLAMA_CLOUD_API_KEY"]
TITLE = "The river in its second year"
CALLS: list[Call] = []


def call(function: Call) -> Call:
    CALLS.append(function)
    return function


def failure_of(function: Callable[[], object]) -> Any:
    """Return the exception that the call raises."""
    try:
        function()
    except Exception as error:
        return error
    raise AssertionError("the call did not fail")


def in_thread(function: Callable[[], None]) -> Call:
    async def run() -> None:
        await asyncio.to_thread(function)

    run.__name__ = function.__name__
    return call(run)


@in_thread
def docling_converts() -> None:
    with DoclingServiceClient(URL, api_key=KEY) as client:
        assert client.health().status == "ok"
        assert "leafmill" in client.version()
        result = client.convert(Path(REPORT), options=ConvertDocumentsOptions(do_ocr=True))
        assert result.status == ConversionStatus.SUCCESS
        document = result.document
        assert sorted(document.pages) == [1, 2]
        assert document.export_to_markdown().startswith(f"# {TITLE}")
        [table] = document.tables
        assert table.data.grid[0][0].column_header
        assert table.prov[0].page_no == 2
        assert document.texts[0].content_layer.value == "furniture"
        report = document.export_to_markdown()
        assert report.index("Nitrate fell by a fifth") < report.index("Figures")


@in_thread
def docling_submits_and_sees_failures() -> None:
    with DoclingServiceClient(URL, api_key=KEY) as client:
        job = client.submit(Path(LONG), output_formats=[OutputFormat.TEXT], target=InBodyTarget())
        assert job.result(timeout=60).status == ConversionStatus.SUCCESS
        assert "document_corrupt" in str(failure_of(lambda: client.convert(Path(BROKEN))))
    with DoclingServiceClient(URL, api_key="lm-wrong") as client:
        assert failure_of(lambda: client.convert(Path(REPORT))).status_code == 401


def partition(path: str, key: str = KEY, **options: Any) -> Any:
    client = UnstructuredClient(api_key_auth=key, server_url=URL)
    files = shared.Files(content=Path(path).read_bytes(), file_name=Path(path).name)
    parameters = shared.PartitionParameters(files=files, **options)
    return client.general.partition(request=operations.PartitionRequest(partition_parameters=parameters)).elements


@in_thread
def unstructured_partitions() -> None:
    elements = partition(REPORT, strategy=shared.Strategy.HI_RES, coordinates=True, languages=["eng"])
    [title] = [element for element in elements if element["text"] == TITLE]
    assert (title["type"], title["metadata"]["page_number"]) == ("Title", 1)
    assert title["metadata"]["coordinates"]["points"]
    [table] = [element for element in elements if element["type"] == "Table"]
    assert table["metadata"]["text_as_html"].startswith("<table>")


@in_thread
def unstructured_splits_a_long_document_and_numbers_its_pages() -> None:
    elements = partition(LONG, split_pdf_page=True)
    assert {element["metadata"]["page_number"] for element in elements} == {1, 2, 3, 4, 5}


@in_thread
def unstructured_chunks() -> None:
    chunks = partition(REPORT, chunking_strategy="by_title", max_characters=300)
    assert {"CompositeElement"} <= {chunk["type"] for chunk in chunks}
    assert all(len(chunk["text"]) <= 300 for chunk in chunks)


@in_thread
def unstructured_sees_refusals() -> None:
    assert failure_of(lambda: partition(BROKEN)).status_code == 422
    assert failure_of(lambda: partition(REPORT, "lm-wrong")).status_code == 401


@in_thread
def langchain_loads() -> None:
    loader = UnstructuredLoader(file_path=REPORT, api_key=KEY, url=URL, partition_via_api=True, strategy="fast")
    documents = loader.load()
    [title] = [document for document in documents if document.page_content == TITLE]
    assert (title.metadata["category"], title.metadata["page_number"]) == ("Title", 1)


@in_thread
def open_webui_loads() -> None:
    """The request of its external document loader, which is not published as a package."""
    headers = {"Content-Type": "application/pdf", "Authorization": f"Bearer {KEY}"}
    headers["X-Filename"] = urllib.parse.quote("report.pdf")
    response = requests.put(f"{URL}/process", data=Path(REPORT).read_bytes(), headers=headers, timeout=60)
    assert response.ok, response.text
    assert response.json()["page_content"].startswith(f"# {TITLE}")


async def use_tools(session: Any, arguments: dict[str, Any]) -> None:
    tools = (await session.list_tools()).tools
    assert [tool.name for tool in tools] == ["parse_document", "get_page", "get_file", "search_document"]
    parsed = await session.call_tool("parse_document", arguments)
    assert not parsed.is_error, parsed
    assert f"# {TITLE}" in parsed.content[0].text
    job_id = parsed.structured_content["job_id"]
    page = await session.call_tool("get_page", {"job_id": job_id, "page_number": 2})
    assert "Figures" in page.content[0].text
    found = await session.call_tool("search_document", {"job_id": job_id, "query": "nitrate fell"})
    assert found.structured_content["results"][0]["page_number"] == 1
    wrong = await session.call_tool("get_page", {"job_id": job_id, "page_number": 9})
    assert wrong.is_error


@call
async def mcp_over_http() -> None:
    content = base64.b64encode(Path(REPORT).read_bytes()).decode()
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {KEY}"}, timeout=60) as http,
        Client(streamable_http_client(f"{URL}/mcp", http_client=http)) as client,
    ):
        assert client.protocol_version == "2025-11-25"
        await use_tools(client, {"content_base64": content, "file_name": "report.pdf"})


@call
async def mcp_over_stdio() -> None:
    server = StdioServerParameters(
        command=STDIO[0],
        args=[*STDIO[1:], "--server", URL, "--folder", str(DOCUMENTS)],
        env={"LEAFMILL_API_KEY": KEY},
    )
    async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
        started = await session.initialize()
        assert started.server_info.name == "leafmill"
        await use_tools(session, {"path": "report.pdf"})
        outside = await session.call_tool("parse_document", {"path": "../report.pdf"})
        assert outside.is_error
        assert outside.content[0].text.startswith("file_unreadable:")


async def outcome(function: Call) -> str:
    try:
        await asyncio.wait_for(function(), 120)
    except BaseException:
        return traceback.format_exc()
    return ""


async def main() -> None:
    outcomes = await asyncio.gather(*(outcome(function) for function in CALLS))
    print(json.dumps({function.__name__: error for function, error in zip(CALLS, outcomes, strict=True)}))


if __name__ == "__main__":
    asyncio.run(main())
