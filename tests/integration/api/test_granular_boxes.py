"""Boxes of words, lines and cells: asked for in the request, fetched by a link of their own."""

from __future__ import annotations

import json

from django.test import Client

from tests.documents.long import long_document
from tests.integration.api.conftest import PARSE, Api, Finish, body_of

LEVELS = {"granular_bboxes": ["word", "line"]}


def test_boxes_are_fetched_by_a_link_without_a_key(api: Api, finish: Finish) -> None:
    job_id = api.parse(long_document(2), output_options=LEVELS).json()["id"]
    assert "result_content_metadata" not in body_of(api.job(job_id))
    finish(job_id)
    known = body_of(api.job(job_id))["result_content_metadata"]["grounded_items"]

    response = Client().get(known["presigned_url"].removeprefix("http://testserver"))

    content = b"".join(response)
    assert (response.status_code, len(content)) == (200, known["size_bytes"])
    pages = [json.loads(line) for line in content.splitlines()]
    assert [page["page_number"] for page in pages] == [1, 2]
    item = pages[0]["items"][0]
    words = [word for line in item["grounding"]["lines"] for word in line["words"]]
    assert [item["value"][slice(*word["span"])] for word in words] == item["value"].split()
    assert api.get(f"{PARSE}/{job_id}").json()["job"]["warnings"] == []


def test_sections_can_be_fetched_by_links_instead(api: Api, finish: Finish) -> None:
    job_id = api.parse().json()["id"]
    finish(job_id)

    result = body_of(api.job(job_id, "markdown_full", "markdown_full_content_metadata", "xlsx_content_metadata"))

    links = result["result_content_metadata"]
    assert [name for name, link in links.items() if link["exists"]] == ["markdown_full"]
    content = b"".join(Client().get(links["markdown_full"]["presigned_url"].removeprefix("http://testserver")))
    assert content.decode() == result["markdown_full"]
    assert "result_content_metadata" not in body_of(api.job(job_id, "markdown_full"))


def test_a_link_that_was_changed_or_whose_job_is_deleted_leads_nowhere(api: Api, finish: Finish) -> None:
    job_id = api.parse(output_options=LEVELS).json()["id"]
    finish(job_id)
    link = body_of(api.job(job_id))["result_content_metadata"]["grounded_items"]["presigned_url"]
    address = link.removeprefix("http://testserver")

    assert Client().get(address[:-1] + ("a" if address[-1] != "a" else "b")).status_code == 404
    assert api.delete(f"{PARSE}/{job_id}").status_code == 200
    assert Client().get(address).status_code == 404
