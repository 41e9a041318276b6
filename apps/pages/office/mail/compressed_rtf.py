"""Unpack the RTF of Outlook items (MS-OXRTFCP)."""

from __future__ import annotations

import struct

MAX_RTF_BYTES = 50_000_000
_COMPRESSED, _PLAIN = 0x75465A4C, 0x414C454D
_DICTIONARY_BYTES = 4096
_START = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans Serif"
    rb"SymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0"
    b"\r\n"
    rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"
)


def unpacked(content: bytes) -> bytes:
    """Return the RTF, as far as it can be unpacked. Raise ValueError if it is no such text or is too long."""
    if len(content) < 16:
        raise ValueError("no compressed RTF")
    _packed_size, size, kind, _checksum = struct.unpack_from("<4I", content)
    if kind == _PLAIN:
        return content[16 : 16 + size]
    if kind != _COMPRESSED or size > MAX_RTF_BYTES:
        raise ValueError("no compressed RTF, or one that is too long")
    return _copied(content[16:], size)


def _copied(content: bytes, size: int) -> bytes:
    window = bytearray(_START.ljust(_DICTIONARY_BYTES, b"\0"))
    end, at, found = len(_START), 0, bytearray()
    while at < len(content) and len(found) < size:
        flags, at = content[at], at + 1
        for bit in range(8):
            if flags >> bit & 1:
                reference = int.from_bytes(content[at : at + 2], "big")
                offset, at = reference >> 4, at + 2
                if at > len(content) or offset == end:  # the latter marks the end of the text
                    return bytes(found)
                for index in range(offset, offset + (reference & 15) + 2):  # may copy what it has just written
                    window[end] = window[index % _DICTIONARY_BYTES]
                    found.append(window[end])
                    end = (end + 1) % _DICTIONARY_BYTES
            elif at < len(content):
                window[end] = content[at]
                found.append(content[at])
                end, at = (end + 1) % _DICTIONARY_BYTES, at + 1
    return bytes(found)
