"""Pairs of keys, and the variables with which processes get them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from apps.core.sealing import key_pairs
from parse_project import env
from parse_project.provider_keys import PRIVATE, PUBLIC, provider_keys

FIRST, SECOND = key_pairs.new_pair(), key_pairs.new_pair()


def test_the_command_prints_a_pair() -> None:
    lines = subprocess.run(
        [sys.executable, "-m", "apps.core.sealing.key_pairs"], capture_output=True, text=True, check=True
    )
    values = dict(line.split("=", 1) for line in lines.stdout.splitlines())

    sealed = key_pairs.seal("canary", public=values[PUBLIC])

    assert "canary" not in sealed
    assert key_pairs.unseal(sealed, private=[FIRST[0], values[PRIVATE]]) == "canary"


def test_the_same_text_is_sealed_differently_each_time() -> None:
    assert key_pairs.seal("canary", public=FIRST[1]) != key_pairs.seal("canary", public=FIRST[1])


@pytest.mark.parametrize(
    ("public", "private", "expected"),
    [
        ("", "", ("", [])),
        (FIRST[1], "", (FIRST[1], [])),
        (FIRST[1], f"{SECOND[0]}, {FIRST[0]}", (FIRST[1], [SECOND[0], FIRST[0]])),
        ("", FIRST[0], ("", [FIRST[0]])),
    ],
)
def test_the_variables_are_read(
    monkeypatch: pytest.MonkeyPatch, public: str, private: str, expected: tuple[str, list[str]]
) -> None:
    monkeypatch.setenv(PUBLIC, public)
    monkeypatch.setenv(PRIVATE, private)
    assert provider_keys() == expected


@pytest.mark.parametrize(("public", "private"), [("canary", ""), ("", "canary"), (FIRST[1], SECOND[0])])
def test_keys_that_cannot_be_used_stop_the_start(monkeypatch: pytest.MonkeyPatch, public: str, private: str) -> None:
    monkeypatch.setenv(PUBLIC, public)
    monkeypatch.setenv(PRIVATE, private)
    with pytest.raises(env.BadVariable) as refused:
        provider_keys()
    assert "canary" not in str(refused.value)
    assert SECOND[0] not in str(refused.value)
