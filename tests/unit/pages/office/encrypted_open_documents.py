"""Encrypt an OpenDocument file as LibreOffice and OpenOffice do it (ODF 1.3 part 2, 3.4)."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
import zlib
from base64 import b64encode
from pathlib import Path

from cryptography.hazmat.decrepit.ciphers.algorithms import Blowfish
from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

SPACES = 'xmlns:m="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0" xmlns:x="urn:loext"'
PBKDF2 = 'm:key-derivation-name="PBKDF2" m:iteration-count="1000"'
ARGON2 = (
    'm:key-derivation-name="urn:org:documentfoundation:names:experimental:office:manifest:argon2id" '
    'x:argon2-iterations="1" x:argon2-memory="64" x:argon2-lanes="4"'
)


def encrypted(path: Path, plain: Path, password: str, way: str) -> Path:
    """Write ``plain`` encrypted. ``way``: "aes256-cbc", "blowfish", or "aes256-gcm", which encrypts it as one part."""
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(path, "w") as target:
        mimetype = source.read("mimetype")
        target.writestr("mimetype", mimetype)
        if way == "aes256-gcm":
            parts = {"encrypted-package": plain.read_bytes()}
        else:
            parts = {name: source.read(name) for name in source.namelist() if "/" not in name and name != "mimetype"}
        entries = ""
        for name, content in parts.items():
            described, locked = _locked(content, password, way)
            target.writestr(name, locked)
            entries += f'<m:file-entry m:full-path="{name}">{described}</m:file-entry>'
        target.writestr("META-INF/manifest.xml", f"<m:manifest {SPACES}>{entries}</m:manifest>")
    return path


def _locked(content: bytes, password: str, way: str) -> tuple[str, bytes]:
    salt, packer = os.urandom(16), zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = packer.compress(content) + packer.flush()
    if way == "blowfish":
        vector, start = os.urandom(8), hashlib.sha1(password.encode(), usedforsecurity=False).digest()
        key = hashlib.pbkdf2_hmac("sha1", start, salt, 1_000, 16)
        name, starts, derivation = "Blowfish CFB", "SHA1", PBKDF2
        encryptor = Cipher(Blowfish(key), CFB(vector)).encryptor()
        locked = encryptor.update(packed) + encryptor.finalize()
    elif way == "aes256-cbc":
        vector, start = os.urandom(16), hashlib.sha256(password.encode()).digest()
        key = hashlib.pbkdf2_hmac("sha1", start, salt, 1_000, 32)
        name, starts = "http://www.w3.org/2001/04/xmlenc#aes256-cbc", "http://www.w3.org/2000/09/xmldsig#sha256"
        derivation = PBKDF2
        padding = 16 - len(packed) % 16
        encryptor = Cipher(AES(key), CBC(vector)).encryptor()
        locked = encryptor.update(packed + bytes(padding - 1) + bytes([padding])) + encryptor.finalize()
    else:
        vector, start = os.urandom(12), hashlib.sha256(password.encode()).digest()
        key = Argon2id(salt=salt, length=32, iterations=1, lanes=4, memory_cost=64).derive(start)
        name, starts = "http://www.w3.org/2009/xmlenc11#aes256-gcm", "http://www.w3.org/2001/04/xmlenc#sha256"
        derivation = ARGON2
        locked = vector + AESGCM(key).encrypt(vector, packed, None)
    described = (
        f'<m:encryption-data><m:algorithm m:algorithm-name="{name}" m:initialisation-vector="{_text(vector)}"/>'
        f'<m:start-key-generation m:start-key-generation-name="{starts}"/>'
        f'<m:key-derivation {derivation} m:key-size="{len(key)}" m:salt="{_text(salt)}"/></m:encryption-data>'
    )
    return described, locked


def _text(content: bytes) -> str:
    return b64encode(content).decode()


def plain_parts(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.startswith("META-INF")}
