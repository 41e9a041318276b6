"""Secrets of providers that web stores with a public key, and that only workers of models open."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from apps.core.sealing import key_pairs, sealed_secrets
from apps.doctor.checks import secrets
from apps.doctor.finding import State
from apps.providers.administration import kept_secrets, save_provider
from apps.providers.catalog import catalog, read_targets, target_of
from apps.providers.checking import check_deployment
from apps.providers.loading import load_providers
from apps.providers.models import Deployment, Provider
from tests.integration.core.test_sealed_secrets import rotate

SECRETS = {"api_key": "sk-canary-7c2e"}
PRIVATE, PUBLIC = key_pairs.new_pair()
NEW_PRIVATE, NEW_PUBLIC = key_pairs.new_pair()


class Process:
    """What this process is for: one that only stores secrets, or a worker of models."""

    def __init__(self, settings: Any) -> None:
        self._settings = settings

    def stores(self, public: str = PUBLIC) -> None:
        self._settings.PROVIDER_PUBLIC_KEY, self._settings.PROVIDER_PRIVATE_KEYS = public, []

    def calls_models(self, *private: str, public: str = PUBLIC) -> None:
        self._settings.PROVIDER_PUBLIC_KEY, self._settings.PROVIDER_PRIVATE_KEYS = public, [*private] or [PRIVATE]


@pytest.fixture
def process(settings: Any) -> Process:
    return Process(settings)


@pytest.fixture
def provider(transactional_db: None, process: Process) -> Provider:
    """A provider with a deployment, stored by a process that has the public key."""
    process.stores()
    provider = Provider(name="house", family="openai")
    save_provider(provider=provider, secrets=SECRETS)
    Deployment.objects.create(name="large", provider=provider, model="gpt", serves_llm=True)
    return provider


def test_only_workers_of_models_open_what_web_stores(provider: Provider, process: Process, settings: Any) -> None:
    stored = provider.secrets_sealed
    # Everything that a process without the private key has: the database, SECRET_KEY and the sealing keys.
    dump = json.dumps([list(Provider.objects.values()), PUBLIC, settings.SECRET_KEY], default=str)
    assert "canary" not in dump
    with pytest.raises(sealed_secrets.SealedForModelWorkers):
        sealed_secrets.unseal(stored)
    assert kept_secrets(provider) is None

    process.calls_models()

    assert kept_secrets(provider) == SECRETS
    assert target_of(Deployment.objects.get()).secrets == SECRETS


def test_no_byte_of_the_secret_is_in_the_database(provider: Provider) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM providers_provider")
        rows = repr(cursor.fetchall())
    assert "canary" not in rows
    assert key_pairs.PREFIX in rows


def test_a_changed_text_and_a_wrong_key_open_nothing(provider: Provider, process: Process) -> None:
    stored = provider.secrets_sealed
    process.calls_models(NEW_PRIVATE, public=NEW_PUBLIC)
    with pytest.raises(sealed_secrets.BrokenSeal):
        sealed_secrets.unseal(stored)
    process.calls_models()
    for changed in (f"{stored[:-6]}AAAA==", stored[:40]):
        with pytest.raises(sealed_secrets.BrokenSeal):
            sealed_secrets.unseal(changed)


def test_web_knows_the_deployments_and_does_not_call_them(provider: Provider, process: Process) -> None:
    catalog.forget()
    assert [(target.name, target.secrets) for target in read_targets()] == [("large", {})]

    checked = check_deployment(Deployment.objects.get())

    assert checked.works is None
    assert "only workers of models" in checked.detail
    assert not Deployment.objects.get().trouble_code


def test_secrets_sealed_before_are_sealed_with_the_public_key(transactional_db: None, process: Process) -> None:
    process.stores(public="")
    provider = Provider(name="house", family="openai")
    save_provider(provider=provider, secrets=SECRETS)
    process.stores()

    assert secrets.sealed().state is State.WARNING
    assert "providers.Provider.secrets_sealed: 1 sealed again" in rotate()
    assert secrets.sealed().state is State.OK

    provider.refresh_from_db()
    assert kept_secrets(provider) is None
    process.calls_models()
    assert kept_secrets(provider) == SECRETS
    assert secrets.sealed().state is State.OK


def test_the_pair_is_replaced(provider: Provider, process: Process) -> None:
    process.stores(NEW_PUBLIC)
    assert secrets.sealed().state is State.WARNING
    with pytest.raises(CommandError, match="LEAFMILL_PROVIDER_PRIVATE_KEYS"):
        rotate()

    process.calls_models(PRIVATE, NEW_PRIVATE, public=NEW_PUBLIC)
    assert "providers.Provider.secrets_sealed: 1 sealed again" in rotate()

    provider.refresh_from_db()
    process.calls_models(NEW_PRIVATE, public=NEW_PUBLIC)
    assert kept_secrets(provider) == SECRETS
    process.calls_models(PRIVATE)
    assert secrets.sealed().state is State.FAILED


def test_the_admin_keeps_or_replaces_what_it_cannot_open(
    provider: Provider, process: Process, django_user_model: Any
) -> None:
    admin = Client()
    admin.force_login(django_user_model.objects.create_superuser("admin", password="secret"))
    address = f"/admin/providers/provider/{provider.pk}/change/"
    typed = {"name": "house", "family": "openai", "region": "us", "settings": "{}", "external": "on"}
    stored = provider.secrets_sealed

    assert "only workers of models open what is stored" in admin.get(address).content.decode()
    assert admin.post(address, typed).status_code == 302
    provider.refresh_from_db()
    assert (provider.region, provider.secrets_sealed) == ("us", stored)

    assert admin.post(address, typed | {"api_key": "sk-canary-new"}).status_code == 302
    provider.refresh_from_db()
    process.calls_models()
    assert kept_secrets(provider) == {"api_key": "sk-canary-new"}


def test_a_file_of_providers_is_stored_again(
    provider: Provider, process: Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "providers.yaml"
    monkeypatch.setenv("KEY_OF_THE_FILE", "sk-canary-file")
    own = {"api_key": {"env": "KEY_OF_THE_FILE"}}
    entry = {"name": "house", "family": "openai", "external": True, "secrets": own, "deployments": []}
    file.write_text(json.dumps({"providers": [entry]}))
    changes = [str(change) for change in load_providers(file)]

    assert any("stored again" in change for change in changes), changes
    assert "canary" not in str(changes)


def test_a_worker_of_models_without_private_keys_does_not_start(transactional_db: None, process: Process) -> None:
    process.stores()
    with pytest.raises(CommandError, match="LEAFMILL_PROVIDER_PRIVATE_KEYS"):
        call_command("work", "llm")
