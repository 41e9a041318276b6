"""Stored secrets are sealed with the first key, opened with all, and sealed again when the keys are rotated."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.accounts import services as accounts
from apps.core.sealing import sealed_secrets
from apps.doctor.checks import secrets
from apps.doctor.finding import State
from apps.providers.administration import kept_secrets, save_provider
from apps.providers.models import Provider
from apps.webhooks import services as webhooks
from apps.webhooks.models import WebhookEndpoint
from apps.webhooks.services import WebhookTarget

OLD, NEW = "old-key-" * 5, "new-key-" * 5
SECRETS = {"api_key": "canary"}


@pytest.fixture
def provider(transactional_db: None) -> Provider:
    """A provider and a webhook whose secrets the key derived from SECRET_KEY has sealed."""
    provider = Provider(name="stored", family="openai")
    save_provider(provider=provider, secrets=SECRETS)
    target = WebhookTarget("https://receiver.example/hook", headers={"x-key": "canary"}, secret="canary")
    webhooks.save_endpoint(project=accounts.default_project(), target=target)
    return provider


def rotate() -> str:
    out = io.StringIO()
    call_command("rotate_sealing_keys", stdout=out)
    return out.getvalue()


def test_keys_are_rotated_without_losing_a_secret(provider: Provider, settings: Any) -> None:
    for keys in ([OLD], [NEW, OLD]):
        settings.SEALING_KEYS = keys
        assert kept_secrets(provider) == SECRETS
        assert secrets.sealed().state is State.WARNING
        assert "Provider.secrets_sealed" in secrets.sealed().sentence
        assert "providers.Provider.secrets_sealed: 1 sealed again" in rotate()
        assert secrets.sealed().state is State.OK
        assert "0 sealed again, 1 already" in rotate()
        provider.refresh_from_db()

    settings.SEALING_KEYS, settings.SECRET_KEY = [NEW], "another" * 10

    assert kept_secrets(provider) == SECRETS
    assert webhooks.unsealed(WebhookEndpoint.objects.get()) == ({"x-key": "canary"}, "canary")
    assert "canary" not in json.dumps(list(WebhookEndpoint.objects.values()), default=str)


def test_a_lost_key_is_reported_and_changes_nothing(provider: Provider, settings: Any) -> None:
    sealed = provider.secrets_sealed
    settings.SECRET_KEY = "another" * 10

    with pytest.raises(CommandError, match="cannot be read"):
        rotate()

    provider.refresh_from_db()
    assert provider.secrets_sealed == sealed
    finding = secrets.sealed()
    assert finding.state is State.FAILED
    assert "canary" not in str(finding)


def test_a_change_during_the_rotation_is_kept(
    provider: Provider, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SEALING_KEYS = [NEW]
    find_key = sealed_secrets.key_of

    def after_a_change(sealed: str, **which: bool) -> sealed_secrets.SealedBy:
        if kept_secrets(Provider.objects.get()) == SECRETS:
            save_provider(provider=Provider.objects.get(), secrets={"api_key": "changed"})
        return find_key(sealed, **which)

    monkeypatch.setattr(sealed_secrets, "key_of", after_a_change)
    rotate()

    assert kept_secrets(Provider.objects.get()) == {"api_key": "changed"}
