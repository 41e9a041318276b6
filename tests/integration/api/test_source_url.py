"""Documents by URL: what is fetched, and what must never be reached."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from apps.api.requests import fetched
from apps.cli.fetch import fetch_document
from apps.core.outbound.errors import FetchFailed
from apps.core.outbound.public_addresses import UrlNotAllowed
from apps.documents.models import Document
from tests.documents import hostile_urls
from tests.documents.long import heading_of, long_document
from tests.fakes.receiver import Answer, Received, Receiver
from tests.integration.api.conftest import PARSE, Api, Finish, code_of

PDF = Answer(body=long_document(1))


@pytest.fixture
def server(settings: Any) -> Iterator[Receiver]:
    """A server of documents in a network that the operator allows."""
    settings.OUTBOUND_NETWORKS = [ip_network("127.0.0.0/8")]
    with Receiver(lambda _: PDF) as server:
        yield server


def create(api: Api, url: str, **options: Any) -> Any:
    body = {"tier": "fast", "version": "latest", "source_url": url, **options}
    return api.post(PARSE, body, content_type="application/json")


def test_the_document_at_a_url_is_parsed(api: Api, finish: Finish, server: Receiver) -> None:
    def answer(received: Received) -> Answer:
        return PDF if "%20" in received.path else Answer(status=302, headers=(("Location", "/my%20report.pdf"),))

    server.answer = answer
    job = create(api, f"{server.url}/start").json()
    finish(job["id"])

    assert job["name"] == "my report.pdf"
    assert job["warnings"] == []
    assert heading_of(1) in api.job(job["id"], "text_full").json()["text_full"]


def test_the_document_comes_through_the_proxy_of_the_request(api: Api, server: Receiver) -> None:
    job = create(api, "http://documents.example.org/a.pdf", http_proxy=server.url)

    assert job.status_code == 200, job.content
    assert server.received[0].path == "http://documents.example.org/a.pdf"
    assert job.json()["warnings"] == []


def test_an_estimate_fetches_the_document_and_stores_nothing(api: Api, server: Receiver) -> None:
    server.answer = lambda _: Answer(body=long_document(3))
    body = {"tier": "fast", "version": "latest", "source_url": f"{server.url}/a.pdf"}

    estimate = api.post(f"{PARSE}/estimate", body, content_type="application/json")

    assert (estimate.status_code, estimate.json()["pages"]) == (200, 3)
    assert not Document.objects.exists()
    private = api.post(f"{PARSE}/estimate", body | {"source_url": "http://10.0.0.1/"}, content_type="application/json")
    assert code_of(private, 422) == "url_not_allowed"
    both = api.post(f"{PARSE}/estimate", body | {"file_id": "dfl-1"}, content_type="application/json")
    assert code_of(both, 422) == "invalid_option"


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        (Answer(status=404), 422, "fetch_forbidden"),
        (Answer(status=500), 422, "fetch_failed"),
        (Answer(body=b""), 400, "file_empty"),
        (Answer(body=b"MZ\x90\0"), 415, "unsupported_file_type"),
        (Answer(status=302, headers=(("Location", "/again"),)), 422, "fetch_failed"),
        (Answer(status=302, headers=(("Location", "file:///etc/passwd"),)), 422, "url_not_allowed"),
        (Answer(status=307, headers=(("Location", "http://169.254.169.254/latest"),)), 422, "url_not_allowed"),
        (Answer(status=308, headers=(("Location", "http://10.0.0.1/"),)), 422, "url_not_allowed"),
    ],
)
def test_what_cannot_be_fetched_has_its_own_code(
    api: Api, server: Receiver, answer: Answer, status: int, code: str
) -> None:
    server.answer = lambda _: answer

    assert code_of(create(api, f"{server.url}/a.pdf"), status) == code


def test_a_document_that_is_too_large_is_not_fetched(api: Api, server: Receiver, settings: Any) -> None:
    settings.MAX_UPLOAD_BYTES = 100

    assert code_of(create(api, server.url), 413) == "file_too_large"


def test_a_server_that_does_not_answer_in_time_ends_the_request(
    api: Api, server: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetched, "FETCH_SECONDS", 0.0)

    assert code_of(create(api, server.url), 422) == "fetch_timeout"


@pytest.mark.parametrize("row", sorted(hostile_urls.ROWS))
def test_forbidden_addresses_are_refused_before_a_connection(
    api: Api, server: Receiver, settings: Any, tmp_path: Path, row: int
) -> None:
    settings.OUTBOUND_NETWORKS = []

    for url in (*hostile_urls.ROWS[row], server.url):
        allowed: tuple[str, ...] = ("url_not_allowed",)
        if len(url) > 2048:
            allowed = ("url_not_allowed", "invalid_option", "field_too_large")
        elif "localhost." in url:  # not every resolver knows this spelling
            allowed = ("url_not_allowed", "fetch_failed")
        first_api = api.post("/api/v1/parsing/upload", {"input_url": url})
        for response in (create(api, url), first_api):
            assert code_of(response, response.status_code) in allowed, url
        with pytest.raises((UrlNotAllowed, FetchFailed)):
            fetch_document(url, tmp_path / "document")
    assert server.received == []
    assert not Document.objects.exists()


class Resolver:
    """Answers for every name, each time with the next of its lists of addresses. It is the other end of a wire."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        self.real = socket.getaddrinfo

    def getaddrinfo(self, host: str, port: int, *rest: Any, **named: Any) -> list[Any]:
        if host[0].isdigit():  # a connection to an address
            return self.real(host, port, *rest, **named)
        self.asked.append(host)
        addresses = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        families = {address: socket.AF_INET6 if ":" in address else socket.AF_INET for address in addresses}
        return [(families[address], socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]


@pytest.mark.parametrize(
    "answers",
    [
        [["127.0.0.1"]],
        [["169.254.169.254"]],  # as metadata.google.internal
        [["8.8.8.8", "127.0.0.1"]],  # one of several
        [["8.8.8.8", "::1"]],  # A public, AAAA private
        [["8.8.8.8", "fd00:ec2::254"]],
    ],
)
def test_a_name_with_a_forbidden_address_is_refused(
    api: Api, server: Receiver, settings: Any, monkeypatch: pytest.MonkeyPatch, answers: list[list[str]]
) -> None:
    settings.OUTBOUND_NETWORKS = []
    resolver = Resolver(*answers)
    monkeypatch.setattr(socket, "getaddrinfo", resolver.getaddrinfo)

    response = create(api, f"http://rebinding.example.org:{server.url.rpartition(':')[2]}/a.pdf")

    assert code_of(response, 422) == "url_not_allowed"
    assert resolver.asked == ["rebinding.example.org"]
    assert server.received == []


def test_a_name_is_resolved_once_and_its_second_answer_is_not_used(
    api: Api, server: Receiver, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name with a TTL of 0 is public for the check and this machine for the connection."""
    settings.OUTBOUND_NETWORKS = [ip_network("127.0.0.2/32")]  # nothing listens there
    resolver = Resolver(["127.0.0.2"], ["127.0.0.1"])
    monkeypatch.setattr(socket, "getaddrinfo", resolver.getaddrinfo)

    response = create(api, f"http://rebinding.example.org:{server.url.rpartition(':')[2]}/a.pdf")

    assert code_of(response, 422) == "fetch_failed"
    assert resolver.asked == ["rebinding.example.org"]
    assert server.received == []


def test_a_redirect_to_a_forbidden_address_is_refused(api: Api, server: Receiver, settings: Any) -> None:
    settings.OUTBOUND_NETWORKS = [ip_network("127.0.0.1/32")]
    forbidden = [url for row, urls in hostile_urls.ROWS.items() if row not in (104, 108) for url in urls]
    for location in ["file:///etc/hostname", *forbidden]:
        if "127.0.0.1" in location:
            continue  # allowed here
        server.received.clear()
        server.answer = lambda _, to=location: Answer(status=307, headers=(("Location", to),))  # type: ignore[misc]

        assert code_of(create(api, f"{server.url}/a.pdf"), 422) == "url_not_allowed", location
        assert len(server.received) == 1
