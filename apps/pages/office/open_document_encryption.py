"""Decrypt OpenDocument files with a password.

Each part is encrypted by itself (ODF 1.3 part 2, 3.4), or all as one part, as LibreOffice does it since 24.2.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from base64 import b64decode
from functools import partial
from typing import NamedTuple

from lxml import etree

from apps.pages.model.errors import DamagedDocument, EncryptedDocument, UnsupportedEncryption, WrongPassword
from apps.pages.office.archive import Archive
from apps.pages.office.xml_parts import Element, attribute, parsed

_ZIP = b"PK\x03\x04"
_MANIFEST = "META-INF/manifest.xml"
_WHOLE_PACKAGE = "encrypted-package"
MODULES = (
    "cryptography.hazmat.backends.openssl.backend",
    "cryptography.hazmat.decrepit.ciphers.modes",
    "cryptography.hazmat.primitives.ciphers.aead",
    "cryptography.hazmat.primitives.kdf.argon2",
)
"""What decryption imports when it is needed."""
_BLOWFISH = ("blowfish cfb", "blowfish")
# A file may name any costs, and a reader must not work for minutes before it knows that a password is wrong.
MAX_ITERATIONS = 2_000_000
MAX_ARGON2_PASSES, MAX_ARGON2_LANES, MAX_ARGON2_KILOBYTES = 20, 16, 512 * 1024
_DEFAULT_KEY_BYTES, _DEFAULT_ITERATIONS = 16, 1024


class EncryptedPart(NamedTuple):
    """How a part is encrypted. Names of algorithms are in small letters, without the address that some begin with."""

    algorithm: str
    vector: bytes
    start_key: str
    derivation: str
    salt: bytes
    key_bytes: int
    iterations: int
    argon2: tuple[int, int, int]
    """Passes, lanes, kilobytes."""


def unlocked(archive: Archive, password: str | None) -> Archive:
    """Return the archive with its parts as they were before encryption; the same one if none is encrypted.

    Raise EncryptedDocument, UnsupportedEncryption, DamagedDocument, and while parts are read WrongPassword.
    """
    manifest = archive.read(_MANIFEST)
    if b"encryption-data" not in manifest:
        return archive
    if password is None:
        raise EncryptedDocument
    for entry in parsed(manifest).iterfind("{*}file-entry"):
        data = entry.find("{*}encryption-data")
        if data is not None:
            archive.decrypt(attribute(entry, "full-path"), partial(_Decrypted, _encrypted_part(data), password))
    return Archive(archive.read(_WHOLE_PACKAGE)) if _WHOLE_PACKAGE in archive else archive


def decrypted_file(content: bytes, password: str) -> bytes:
    """Return an OpenDocument file without its encryption, and any other file as it is. Raise as ``unlocked``."""
    if not content.startswith(_ZIP):
        return content
    archive = Archive(content)
    manifest = archive.read(_MANIFEST)
    if b"encryption-data" not in manifest:
        return content
    decrypted = unlocked(archive, password)
    if decrypted is not archive:
        return archive.read(_WHOLE_PACKAGE)
    root = parsed(manifest)
    for data in list(root.iter("{*}encryption-data")):
        data.getparent().remove(data)
    copy = io.BytesIO()
    with zipfile.ZipFile(copy, "w") as target:
        for entry in archive.entries():  # the type has to be the first one
            part = etree.tostring(root) if entry.filename == _MANIFEST else archive.read(entry.filename)
            target.writestr(entry.filename, part)
    return copy.getvalue()


def _encrypted_part(data: Element) -> EncryptedPart:
    algorithm, derivation = data.find("{*}algorithm"), data.find("{*}key-derivation")
    if algorithm is None or derivation is None:
        raise UnsupportedEncryption
    start = data.find("{*}start-key-generation")

    def number(name: str, default: int = 0) -> int:
        written = attribute(derivation, name)
        return int(written) if written.isdecimal() else default

    try:
        return EncryptedPart(
            algorithm=_short(attribute(algorithm, "algorithm-name")),
            vector=b64decode(attribute(algorithm, "initialisation-vector")),
            start_key=_short(attribute(start, "start-key-generation-name")) if start is not None else "sha1",
            derivation=_short(attribute(derivation, "key-derivation-name")),
            salt=b64decode(attribute(derivation, "salt")),
            key_bytes=number("key-size", _DEFAULT_KEY_BYTES),
            iterations=number("iteration-count", _DEFAULT_ITERATIONS),
            argon2=(number("argon2-iterations"), number("argon2-lanes"), number("argon2-memory")),
        )
    except ValueError as error:
        raise DamagedDocument from error


def _short(name: str) -> str:
    return name.lower().rpartition("#")[2].rpartition(":")[2]


def _key(part: EncryptedPart, password: str) -> bytes:
    start = hashlib.new("sha256" if part.start_key == "sha256" else "sha1", password.encode()).digest()
    if part.key_bytes not in (16, 24, 32) or len(part.salt) < 8:
        raise UnsupportedEncryption
    if part.derivation == "pbkdf2" and 0 < part.iterations <= MAX_ITERATIONS:
        return hashlib.pbkdf2_hmac("sha1", start, part.salt, part.iterations, part.key_bytes)
    passes, lanes, kilobytes = part.argon2
    is_within_limits = passes <= MAX_ARGON2_PASSES and lanes <= MAX_ARGON2_LANES and kilobytes <= MAX_ARGON2_KILOBYTES
    if part.derivation == "argon2id" and is_within_limits:
        from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

        try:
            derived: bytes = Argon2id(
                salt=part.salt, length=part.key_bytes, iterations=passes, lanes=lanes, memory_cost=kilobytes
            ).derive(start)
        except ValueError as error:
            raise UnsupportedEncryption from error
        return derived
    raise UnsupportedEncryption


def _decrypted(part: EncryptedPart, content: bytes, key: bytes) -> bytes:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.decrepit.ciphers.algorithms import Blowfish
    from cryptography.hazmat.decrepit.ciphers.modes import CFB
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.ciphers.algorithms import AES
    from cryptography.hazmat.primitives.ciphers.modes import CBC

    try:
        if part.algorithm == "aes256-gcm":
            return AESGCM(key).decrypt(part.vector, content.removeprefix(part.vector), None)
        if part.algorithm in ("aes256-cbc", "aes192-cbc", "aes128-cbc"):
            decryptor = Cipher(AES(key), CBC(part.vector)).decryptor()
        elif part.algorithm in _BLOWFISH:
            decryptor = Cipher(Blowfish(key), CFB(part.vector)).decryptor()
        else:
            raise UnsupportedEncryption
        return decryptor.update(content) + decryptor.finalize()
    except InvalidTag as error:
        raise WrongPassword from error
    except ValueError as error:
        raise DamagedDocument from error


class _Decrypted:
    """Reads a part, which is compressed below its encryption: with a wrong password it does not look compressed."""

    def __init__(self, part: EncryptedPart, password: str, content: bytes) -> None:
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        self._rest = _decrypted(part, content, _key(part, password))

    def read(self, size: int) -> bytes:
        try:
            content = self._inflater.decompress(self._rest, size)
        except zlib.error as error:
            raise WrongPassword from error
        self._rest = self._inflater.unconsumed_tail
        return content
