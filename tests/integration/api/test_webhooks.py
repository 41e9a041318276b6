"""Webhooks: what a receiver gets, how often, and what the log shows of it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import ip_network
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now
from django.test import Client
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from apps.jobs.commands.deliver_webhooks import deliver_webhooks
from apps.jobs.models import ParseJob
from apps.webhooks.delivery import RETRY_DELAYS
from apps.webhooks.models import DeliveryState, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from tests.documents import hostile_urls
from tests.fakes.receiver import Answer, Received, Receiver
from tests.integration.api.conftest import PARSE, Api, Finish, code_of

SAVED = "/api/v1/beta/webhook-configs"
SECRET = "whsec_" + base64.b64encode(b"thirty-two bytes of a secret key").decode()


@pytest.fixture(autouse=True)
def _may_reach_this_machine(settings: Any) -> None:
    settings.OUTBOUND_NETWORKS = [ip_network("127.0.0.0/8")]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def make_all_due() -> None:
    WebhookDelivery.objects.filter(state=DeliveryState.PENDING).update(due_at=Now())


def parse_with(api: Api, receiver: Receiver, **webhook: Any) -> str:
    configuration = {"webhook_url": f"{receiver.url}/hook", "webhook_output_format": "json", **webhook}
    response = api.parse(webhook_configurations=[configuration])
    assert response.status_code == 200, response.content
    return str(response.json()["id"])


def events_of(receiver: Receiver) -> list[str]:
    return [received.headers["x-webhook-event-type"] for received in receiver.received]


def is_signed(received: Received, secret: str = SECRET) -> bool:
    """Check both signatures as receivers do: the library of Standard Webhooks, and LlamaParse's documentation."""
    headers = received.headers
    with suppress(WebhookVerificationError):
        Webhook(secret).verify(received.body, dict(headers))
        legacy = "sha256=" + hmac.new(secret.encode(), received.body, hashlib.sha256).hexdigest()
        return headers["lc-signature"] == legacy
    return False


def test_a_job_tells_its_webhook_what_happens(api: Api, finish: Finish, receiver: Receiver) -> None:
    job_id = parse_with(
        api, receiver, webhook_headers={"X-Tenant": "blue"}, webhook_signing_secret=SECRET, webhook_output_format=None
    )
    finish(job_id)

    deliver_webhooks()

    assert set(events_of(receiver)) == {"parse.pending", "parse.running", "parse.success"}
    [success] = [each for each in receiver.received if each.headers["x-webhook-event-type"] == "parse.success"]
    event = json.loads(json.loads(success.body))  # LlamaParse's default: JSON inside a JSON string
    assert event["event_id"] == success.headers["x-webhook-event-id"] == success.headers["webhook-id"]
    assert (event["event_type"], event["data"]["job_id"], event["data"]["id"]) == ("parse.success", job_id, job_id)
    assert isinstance(event["timestamp"], float)
    assert success.headers["x-tenant"] == "blue"
    assert success.headers["content-type"] == "application/json"
    assert success.headers["user-agent"].startswith("llamaindex-webhook-service/1.0")
    assert is_signed(success)
    assert len(success.body) < 2000  # no text of the document
    stored = json.dumps(ParseJob.objects.get(pk=job_id).options)
    assert SECRET not in stored
    assert "blue" not in stored


def test_only_the_listed_events_are_sent(api: Api, finish: Finish, receiver: Receiver) -> None:
    job_id = parse_with(api, receiver, webhook_events=["parse.error", "parse.cancelled"])
    assert api.post(f"{PARSE}/{job_id}/cancel").status_code == 200
    broken = api.parse(
        b"%PDF-1.7 nothing", webhook_configurations=[{"webhook_url": receiver.url, "webhook_events": ["parse.error"]}]
    )
    finish(broken.json()["id"])

    deliver_webhooks()

    assert sorted(events_of(receiver)) == ["parse.cancelled", "parse.error"]


def test_every_one_of_100_webhooks_arrives_at_a_receiver_that_fails_30_percent(api: Api, receiver: Receiver) -> None:
    chance = random.Random(7)
    receiver.answer = lambda _: Answer(status=503) if chance.random() < 0.3 else Answer()
    file_id = api.upload().json()["id"]
    webhook = {"webhook_url": receiver.url, "webhook_output_format": "json", "webhook_signing_secret": SECRET}
    job_ids = []
    for _ in range(50):
        job_ids.append(api.parse_file(file_id, webhook_configurations=[webhook]).json()["id"])
        api.post(f"{PARSE}/{job_ids[-1]}/cancel")
    assert WebhookDelivery.objects.count() == 100

    while WebhookDelivery.objects.filter(state=DeliveryState.PENDING).exists():
        make_all_due()
        deliver_webhooks()

    assert set(WebhookDelivery.objects.values_list("state", flat=True)) == {DeliveryState.DELIVERED}
    assert all(is_signed(received) for received in receiver.received)
    sent = Counter(received.headers["webhook-id"] for received in receiver.received)
    assert len(sent) == 100  # a retry has the same id
    assert sum(sent.values()) == WebhookAttempt.objects.count() > 120
    wanted = {(job_id, event) for job_id in job_ids for event in ("parse.pending", "parse.cancelled")}
    bodies = [json.loads(received.body) for received in receiver.received]
    assert {(body["data"]["job_id"], body["event_type"]) for body in bodies} == wanted


def test_a_failing_webhook_is_sent_ten_times_over_75_hours(api: Api, receiver: Receiver) -> None:
    receiver.answer = lambda _: Answer(status=302, headers=(("Location", receiver.url),))
    parse_with(api, receiver, webhook_events=["parse.pending"])
    assert sum(delay.total_seconds() for delay in RETRY_DELAYS) == 75 * 3600 + 35 * 60 + 5

    for number in range(1, 11):
        deliver_webhooks()
        delivery = WebhookDelivery.objects.get()
        assert (delivery.attempts, delivery.last_status) == (number, 302)
        assert (delivery.state == DeliveryState.FAILED) == (number == 10)
        make_all_due()
    assert len(receiver.received) == 10

    assert deliver_webhooks() == 0


def test_a_receiver_chooses_a_later_attempt(api: Api, receiver: Receiver) -> None:
    receiver.answer = lambda _: Answer(status=429, headers=(("Retry-After", "3600"),))
    parse_with(api, receiver, webhook_events=["parse.pending"])

    deliver_webhooks()

    delivery = WebhookDelivery.objects.get()
    assert delivery.due_at is not None
    assert 3590 < (delivery.due_at - WebhookAttempt.objects.get().at).total_seconds() < 3660


def test_a_receiver_that_is_gone_disables_the_saved_webhook(api: Api, receiver: Receiver) -> None:
    receiver.answer = lambda _: Answer(status=410)
    saved = api.post(SAVED, {"webhook_url": receiver.url}, content_type="application/json").json()
    assert api.parse(webhook_configuration_ids=[saved["id"]]).status_code == 200

    deliver_webhooks()
    api.parse(webhook_configuration_ids=[saved["id"]])
    deliver_webhooks()

    assert len(receiver.received) == 1
    assert api.get(f"{SAVED}/{saved['id']}").json()["is_disabled"] is True


def test_a_worker_that_died_after_sending_sends_the_same_id_again(api: Api, receiver: Receiver) -> None:
    parse_with(api, receiver, webhook_events=["parse.pending"])
    deliver_webhooks()
    # As if the first worker had been killed before it could record the answer, and its lease had expired.
    WebhookDelivery.objects.update(state=DeliveryState.PENDING, due_at=Now(), lease_expires_at=Now())

    deliver_webhooks()

    assert len({received.headers["webhook-id"] for received in receiver.received}) == 1
    assert len(receiver.received) == 2
    assert WebhookDelivery.objects.get().state == DeliveryState.DELIVERED


def test_a_claimed_delivery_is_not_sent_twice(api: Api, receiver: Receiver) -> None:
    parse_with(api, receiver, webhook_events=["parse.pending"])
    WebhookDelivery.objects.update(lease_expires_at="2100-01-01T00:00Z")

    assert deliver_webhooks() == 0
    assert receiver.received == []


def test_an_unreachable_receiver_is_tried_again(api: Api, receiver: Receiver) -> None:
    api.parse(webhook_configurations=[{"webhook_url": "http://127.0.0.1:1/", "webhook_events": ["parse.pending"]}])

    deliver_webhooks()

    delivery = WebhookDelivery.objects.get()
    assert (delivery.state, delivery.last_status) == (DeliveryState.PENDING, None)
    assert "ConnectError" in delivery.last_error


def test_addresses_that_no_webhook_may_reach_are_refused(api: Api, settings: Any) -> None:
    settings.OUTBOUND_NETWORKS = []

    for url in (*hostile_urls.ALL, "http://8.8.8.8/", "http://hooks.example.invalid/", "https://"):
        too_long = ("invalid_option", "field_too_large") if len(url) > 2048 else ()
        webhook = {"webhook_url": url}
        saved = api.post(SAVED, webhook, content_type="application/json")
        for response in (api.parse(webhook_configurations=[webhook]), saved):
            assert code_of(response, response.status_code) in ("url_not_allowed", *too_long), url
    assert api.parse(webhook_configurations=[{"webhook_url": "https://8.8.8.8/" + "x" * 900}]).status_code == 200


def test_a_name_that_moves_to_a_private_address_later_is_not_reached(
    api: Api, settings: Any, receiver: Receiver
) -> None:
    parse_with(api, receiver, webhook_events=["parse.pending"])
    settings.OUTBOUND_NETWORKS = []  # from now on, the address is one that must not be reached

    deliver_webhooks()

    assert receiver.received == []
    delivery = WebhookDelivery.objects.get()
    assert delivery.state == DeliveryState.FAILED
    assert "private or reserved" in delivery.last_error


@pytest.mark.parametrize(
    ("webhook", "option"),
    [
        ({}, "webhook_url"),
        ({"webhook_events": ["parse.nonsense"]}, "webhook_events.0"),
        ({"webhook_headers": {"Host": "other"}}, "webhook_headers"),
        ({"webhook_signing_secret": "whsec_not base64"}, "webhook_signing_secret"),
        ({"webhook_headers": {"X-A": "b\r\nX-C: d"}}, "webhook_headers"),
    ],
)
def test_a_webhook_that_cannot_be_sent_is_refused(
    api: Api, receiver: Receiver, webhook: dict[str, Any], option: str
) -> None:
    url = {"webhook_url": receiver.url} if webhook else {}

    response = api.parse(webhook_configurations=[url | webhook])

    assert code_of(response, 422) == "invalid_option"
    assert response.json()["errors"][0]["field"] == f"webhook_configurations.0.{option}"


def test_saved_webhooks_are_kept_without_showing_their_secrets(api: Api, stranger: Api, receiver: Receiver) -> None:
    body = {"webhook_url": receiver.url, "webhook_signing_secret": SECRET, "webhook_headers": {"X-Key": "hidden"}}
    saved = api.post(SAVED, body, content_type="application/json").json()
    path = f"{SAVED}/{saved['id']}"

    assert saved["has_secret"] is True
    assert (saved["tenant_type"], saved["webhook_output_format"]) == ("project", "string")
    assert "hidden" not in api.get(path).content.decode()
    assert [each["id"] for each in api.get("/api/v2/webhook-configs").json()["items"]] == [saved["id"]]
    assert code_of(stranger.get(path), 404) == "not_found"
    assert code_of(stranger.parse(webhook_configuration_ids=[saved["id"]]), 404) == "not_found"

    api.parse(webhook_configuration_ids=[saved["id"]])
    deliver_webhooks()
    assert receiver.received[0].headers["x-key"] == "hidden"

    changed = {"webhook_url": f"{receiver.url}/new", "webhook_events": ["parse.error"]}
    assert api.put(path, changed, content_type="application/json").json()["has_secret"] is True
    assert code_of(api.put(path, {**changed, "webhook_events": []}, content_type="application/json"), 422)
    assert api.delete(path).status_code == 204
    assert not WebhookEndpoint.objects.exists()


def test_a_delivery_is_sent_again_from_the_admin(api: Api, receiver: Receiver, client: Client) -> None:
    parse_with(api, receiver, webhook_events=["parse.pending"])
    deliver_webhooks()
    delivery = WebhookDelivery.objects.get()
    client.force_login(User.objects.create_superuser(f"admin-{uuid.uuid4()}"))
    log = "/admin/webhooks/webhookdelivery/"

    assert "parse.pending" in client.get(log).content.decode()
    assert "200" in client.get(f"{log}{delivery.pk}/change/").content.decode()
    answer = client.post(log, {"action": "send_again", "_selected_action": [str(delivery.pk)]}, follow=True)
    assert "1 deliveries will be sent again" in answer.content.decode()
    deliver_webhooks()

    assert [each.headers["webhook-id"] for each in receiver.received] == [str(delivery.pk)] * 2


def test_the_first_api_sends_the_result(api: Api, finish: Finish, receiver: Receiver) -> None:
    webhook = {"webhook_url": receiver.url, "webhook_sends_result": True}
    job_id = api.parse(webhook_configurations=[webhook]).json()["id"]
    finish(job_id)

    deliver_webhooks()

    [received] = receiver.received
    result = json.loads(received.body)
    sections = api.job(job_id, "text_full", "markdown_full", "text").json()
    assert (result["txt"], result["md"]) == (sections["text_full"], sections["markdown_full"])
    assert [page["text"] for page in result["json"]] == [page["text"] for page in sections["text"]["pages"]]
