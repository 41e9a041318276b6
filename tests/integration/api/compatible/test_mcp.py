"""The Model Context Protocol at /mcp. Its official client calls the tools in tests/acceptance/test_clients.py."""

from __future__ import annotations

import base64
from typing import Any

from django.test import Client

from apps.jobs.models import ParseJob
from tests.integration.api.compatible.conftest import REPORT
from tests.integration.api.conftest import Api, Finish, code_of


def post(api: Client, message: Any, **headers: str) -> Any:
    return api.post("/mcp", message, content_type="application/json", headers=headers)


def ask(api: Api, method: str, **params: Any) -> Any:
    response = post(api, {"jsonrpc": "2.0", "id": 7, "method": method, "params": params})
    assert (response.status_code, response["Content-Type"]) == (200, "application/json")
    assert (response.json()["jsonrpc"], response.json()["id"]) == ("2.0", 7)
    return response.json()


def call(api: Api, name: str, **arguments: Any) -> Any:
    return ask(api, "tools/call", name=name, arguments=arguments)["result"]


def text_of(result: Any) -> str:
    [content] = result["content"]
    return str(content["text"])


def test_a_client_learns_what_there_is(api: Api) -> None:
    started = ask(api, "initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo={})["result"]
    assert (started["protocolVersion"], started["serverInfo"]["name"]) == ("2025-06-18", "leafmill")
    assert "tools" in started["capabilities"]
    assert post(api, {"jsonrpc": "2.0", "method": "notifications/initialized"}).status_code == 202
    assert ask(api, "ping")["result"] == {}

    tools = ask(api, "tools/list")["result"]["tools"]
    assert [tool["name"] for tool in tools] == ["parse_document", "get_page", "get_file", "search_document"]
    assert all(tool["inputSchema"]["type"] == "object" for tool in tools)
    assert tools[1]["inputSchema"]["required"] == ["job_id", "page_number"]
    assert ask(api, "initialize", protocolVersion="1999-01-01")["result"]["protocolVersion"] == "2025-11-25"


def test_a_document_is_parsed_read_and_searched(api: Api, worker: None) -> None:
    content = base64.b64encode(REPORT).decode()
    parsed = call(api, "parse_document", content_base64=content, file_name="report.pdf")

    assert "# The river in its second year" in text_of(parsed)
    facts = parsed["structuredContent"]
    assert (facts["status"], facts["page_count"], facts["pages_shown"]) == ("COMPLETED", 2, [1, 2])
    job_id = facts["job_id"]
    assert text_of(call(api, "parse_document", job_id=job_id)) == text_of(parsed)

    page = call(api, "get_page", job_id=job_id, page_number=2)
    assert "Birds counted" in text_of(page)
    assert '"type":"table"' in text_of(call(api, "get_page", job_id=job_id, page_number=2, format="items"))
    missing = call(api, "get_page", job_id=job_id, page_number=9)
    assert missing["isError"]
    assert "pages 1 to 2" in text_of(missing)

    made = call(api, "get_file", job_id=job_id, format="chunks")
    text, link = made["content"]
    assert "Figures" in text["text"]
    assert (link["type"], link["name"], link["mimeType"]) == ("resource_link", "chunks.jsonl", "application/x-ndjson")
    fetched = Client().get(link["uri"].removeprefix("http://testserver"))
    assert len(b"".join(fetched)) == made["structuredContent"]["size_bytes"]
    assert call(api, "get_file", job_id=job_id, format="docx")["content"][0]["text"].startswith("document.docx: ")
    assert "Send one of" in text_of(call(api, "get_file", job_id=job_id, format="epub"))

    found = call(api, "search_document", job_id=job_id, query="BIRDS  counted")["structuredContent"]
    assert found["total"] == len(found["results"]) == 2
    assert [each["page_number"] for each in found["results"]] == [1, 2]
    assert all(each["bbox"]["w"] > 0 for each in found["results"])
    assert call(api, "search_document", job_id=job_id, query="zebra")["structuredContent"]["total"] == 0


def test_a_slow_document_is_asked_for_again(api: Api, finish: Finish, settings: Any) -> None:
    settings.SYNC_WAIT_SECONDS = 1
    file_id = api.upload(REPORT).json()["id"]
    waiting = call(api, "parse_document", file_id=file_id, pages="2")
    job_id = waiting["structuredContent"]["job_id"]
    assert (waiting["isError"], waiting["structuredContent"]["status"]) == (False, "PENDING")
    assert job_id in text_of(waiting)
    assert call(api, "get_page", job_id=job_id, page_number=2)["isError"]

    finish(job_id)

    assert "Birds counted" in text_of(call(api, "parse_document", job_id=job_id))


WRONG_ARGUMENTS: list[tuple[dict[str, Any], str]] = [
    ({}, "file_missing:"),
    ({"url": "http://127.0.0.1/a.pdf"}, "url_not_allowed:"),
    ({"url": "https://example.com/a.pdf", "file_id": "dfl-1"}, "invalid_option: file_id:"),
    ({"content_base64": "!"}, "invalid_option: content_base64:"),
    ({"content_base64": "TVqQAA=="}, "unsupported_file_type:"),
    ({"job_id": "pjb-1"}, "not_found:"),
    ({"tier": "slow"}, "invalid_option: tier:"),
    ({"pages": "0"}, "invalid_option:"),
    ({"path": "/etc/passwd"}, "invalid_option: path:"),
]


def test_wrong_arguments_are_results_that_a_model_can_correct(api: Api) -> None:
    for arguments, begins in WRONG_ARGUMENTS:
        result = call(api, "parse_document", **arguments)
        assert result["isError"]
        assert text_of(result).startswith(begins)
    assert not ParseJob.objects.exists()


WRONG_MESSAGES: list[tuple[dict[str, Any], int]] = [
    ({"id": 7, "method": "ping"}, -32600),
    ({"jsonrpc": "2.0", "id": None, "method": "ping"}, -32600),
    ({"jsonrpc": "2.0", "id": 7, "method": "server/discover"}, -32601),
    ({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": []}, -32602),
    ({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "rm"}}, -32602),
]


def test_wrong_messages_get_the_errors_of_json_rpc(api: Api) -> None:
    for message, code in WRONG_MESSAGES:
        assert post(api, message).json()["error"]["code"] == code


def test_wrong_requests_are_refused(api: Api, keyless: Client) -> None:
    ping = {"jsonrpc": "2.0", "id": 7, "method": "ping"}
    broken = api.post("/mcp", b"{", content_type="application/json")
    assert (broken.status_code, broken.json()["error"]["code"]) == (400, -32700)
    assert post(api, [ping]).json()["error"]["code"] == -32700
    assert code_of(post(keyless, ping), 401) == "unauthenticated"
    assert code_of(post(api, ping, origin="https://attacker.example"), 403) == "origin_not_allowed"
    assert post(api, ping, origin="http://testserver").status_code == 200
    assert code_of(post(api, ping, **{"mcp-protocol-version": "2099-01-01"}), 400) == "invalid_request"
    assert post(api, ping, **{"mcp-protocol-version": "2025-06-18"}).status_code == 200
    assert code_of(api.get("/mcp"), 405) == "method_not_allowed"


def test_jobs_of_another_project_look_like_unknown_ones(api: Api, stranger: Api) -> None:
    job_id = api.parse(REPORT).json()["id"]

    assert text_of(call(stranger, "get_page", job_id=job_id, page_number=1)).startswith("not_found:")
