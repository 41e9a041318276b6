"""Decrypt office files that need a password: an encrypted Open XML file is a compound file with the ZIP file inside."""

from __future__ import annotations

import io
import struct
import zlib
from typing import IO

from apps.pages.model.errors import DamagedDocument, EncryptedDocument, UnsupportedEncryption, WrongPassword
from apps.pages.office.sources import Source, bytes_of

COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OLDER_FORMATS = ("doc97", "ppt97")  # they check each password
_FAULTS = (ValueError, KeyError, IndexError, TypeError, AttributeError, OSError, struct.error, zlib.error)


def decrypted(source: IO[bytes], password: str | None) -> IO[bytes]:
    """Return the decrypted file. Raise EncryptedDocument, WrongPassword, UnsupportedEncryption, DamagedDocument."""
    if password is None:
        raise EncryptedDocument
    import msoffcrypto
    from msoffcrypto import exceptions

    content = io.BytesIO()
    try:
        office_file = msoffcrypto.OfficeFile(source)
        checked = {} if office_file.format in _OLDER_FORMATS else {"verify_password": True}
        office_file.load_key(password=password, **checked)
        office_file.decrypt(content)
    except exceptions.InvalidKeyError as error:
        # Raised before decryption for a wrong password, and after it when the content is no ZIP file.
        raise (DamagedDocument if content.tell() else WrongPassword) from error
    except (exceptions.FileFormatError, exceptions.ParseError, exceptions.DecryptionError, *_FAULTS) as error:
        raise UnsupportedEncryption from error
    content.seek(0)
    return content


def plain_content(source: Source, password: str | None) -> bytes:
    """Return the bytes of a file, decrypted if it is encrypted. Raise as ``decrypted`` does."""
    content = bytes_of(source)
    return decrypted(io.BytesIO(content), password).read() if content.startswith(COMPOUND) else content


def needs_password(source: Source) -> bool:
    """Return whether a doc, ppt or other compound file is marked as encrypted."""
    import msoffcrypto
    from msoffcrypto import exceptions

    try:
        return bool(msoffcrypto.OfficeFile(io.BytesIO(bytes_of(source))).is_encrypted())
    except (exceptions.FileFormatError, exceptions.ParseError, *_FAULTS):
        return False
