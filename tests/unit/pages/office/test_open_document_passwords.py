"""OpenDocument files with a password are read with it, however their program encrypts them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from apps.pages.model.errors import EncryptedDocument, UnsupportedEncryption, WrongPassword
from apps.pages.office.open_document_encryption import decrypted_file
from tests.unit.pages.office.encrypted_open_documents import encrypted, plain_parts
from tests.unit.pages.office.test_odt import odt, read

WAYS = ["aes256-cbc", "blowfish", "aes256-gcm"]


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    return odt(tmp_path / "plain.odt", "<text:p>Dear Ann, Grüße</text:p>")


@pytest.mark.parametrize("way", WAYS)
def test_a_text_opens_with_its_password_only(plain: Path, tmp_path: Path, way: str) -> None:
    path = encrypted(tmp_path / "locked.odt", plain, "sésame", way)

    _facts, [page] = read(path, "sésame")
    assert [block.text for block in page.blocks] == ["Dear Ann, Grüße"]
    with pytest.raises(EncryptedDocument):
        read(path)
    with pytest.raises(WrongPassword):
        read(path, "sesame")


@pytest.mark.parametrize("way", WAYS)
def test_a_copy_without_encryption_has_the_same_parts(plain: Path, tmp_path: Path, way: str) -> None:
    path = encrypted(tmp_path / "locked.odt", plain, "sesame", way)

    copy = decrypted_file(path.read_bytes(), "sesame")

    assert plain_parts(copy) == plain_parts(plain.read_bytes())
    assert decrypted_file(copy, "sesame") == copy


@pytest.mark.parametrize("way", ["aes256-cbc", "aes256-gcm"])
def test_a_key_that_costs_too_much_is_not_derived(plain: Path, tmp_path: Path, way: str) -> None:
    path = encrypted(tmp_path / "costly.odt", plain, "sesame", way)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    manifest = parts["META-INF/manifest.xml"].decode()
    for small, large in (('count="1000"', 'count="900000000"'), ('memory="64"', 'memory="900000000"')):
        manifest = manifest.replace(small, large)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {**parts, "META-INF/manifest.xml": manifest.encode()}.items():
            archive.writestr(name, content)

    with pytest.raises(UnsupportedEncryption):
        read(path, "sesame")


def test_a_text_for_the_owners_of_keys_is_refused(tmp_path: Path) -> None:
    derivation = (
        '<encryption-data><algorithm algorithm-name="a#aes256-gcm"/><key-derivation key-derivation-name="PGP"/>'
    )
    entry = f'<file-entry full-path="content.xml">{derivation}</encryption-data></file-entry>'
    path = odt(tmp_path / "keys.odt", "<text:p>Dear Ann</text:p>", manifest=entry)

    with pytest.raises(UnsupportedEncryption):
        read(path, "sesame")
