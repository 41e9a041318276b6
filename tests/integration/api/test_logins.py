"""Logins to the admin: wrong passwords are counted for a user and an address, and refused after five."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from apps.jobs.commands import clean_up
from apps.monitoring import request_counts


@pytest.fixture
def _operator(transactional_db: None) -> None:
    User.objects.create_superuser("operator", password="right-67")


def login(password: str, *, address: str = "198.51.100.7", **more: Any) -> Any:
    form = {"username": "operator", "password": password}
    return Client().post("/admin/login/?next=/admin/", form, REMOTE_ADDR=address, **more)


@pytest.mark.usefixtures("_operator")
def test_the_sixth_login_is_refused_until_15_minutes_are_over(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        responses = [login(f"canary-{number}") for number in range(5)]
    sixth = login("right-67")

    assert [response.status_code for response in responses] == [200, 200, 200, 200, 429]
    assert sixth.status_code == 429
    assert 890 <= int(sixth["Retry-After"]) <= 900
    assert b"Try again in 15 minutes" in sixth.content
    assert login("right-67", address="198.51.100.8").status_code == 302
    logged = " ".join(caplog.messages)
    assert "Login of 'operator' from 198.51.100.7 failed" in logged
    assert "refused" in logged
    assert "canary" not in logged + str(list(AccessAttempt.objects.values()))
    metrics = request_counts.exposition().decode()
    assert 'leafmill_logins_total{result="refused"}' in metrics
    assert 'leafmill_limited_requests_total{code="too_many_logins"}' in metrics

    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=16))
    assert login("right-67").status_code == 302


@pytest.mark.usefixtures("_operator")
def test_behind_a_proxy_the_address_of_the_client_counts(settings: Any) -> None:
    settings.TRUSTED_PROXIES = 1
    forged = [login("wrong", HTTP_X_FORWARDED_FOR=f"203.0.113.{number}, 192.0.2.9") for number in range(5)]

    assert forged[-1].status_code == 429  # the client's own entries do not count
    assert login("right-67", HTTP_X_FORWARDED_FOR="192.0.2.10").status_code == 302


@pytest.mark.usefixtures("_operator")
def test_addresses_of_one_ipv6_network_count_together() -> None:
    responses = [login("wrong", address=f"2001:db8::{number}") for number in range(1, 6)]

    assert responses[-1].status_code == 429
    assert login("right-67", address="2001:db8:0:1::1").status_code == 302


@pytest.mark.usefixtures("_operator")
def test_housekeeping_removes_expired_sessions() -> None:
    login("right-67")
    login("right-67")
    expired = Session.objects.latest("pk")
    Session.objects.filter(pk=expired.pk).update(expire_date=timezone.now() - timedelta(minutes=1))

    clean_up.clean_up_all()

    assert Session.objects.count() == 1
    assert not Session.objects.filter(pk=expired.pk).exists()
