"""The types that all APIs share: a conversation that was read, and a completion to write."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from PIL import Image, UnidentifiedImageError

Finish = Literal["stop", "length", "tool", "filter"] | None

TOKENS_PER_IMAGE = 800
# OpenAI counts a picture for gpt-4o-mini as a base and its tiles of 512 pixels, with the shorter side at most 768.
MINI_TOKENS, MINI_TOKENS_PER_TILE, TILE, MINI_SIDE = 2833, 5667, 512, 768
CHARACTERS_PER_TOKEN = 4

_PAGE = re.compile(
    r'^<document_page marker="(?P<marker>[A-Za-z0-9]+)">[ \t]*\r?\n'
    r"(?P<text>.*?)"
    r'^</document_page marker="(?P=marker)">[ \t]*\r?$',
    re.DOTALL | re.MULTILINE,
)
_END = re.compile(r"<!-- end ([A-Za-z0-9]+) -->")
_END_OF_PART = re.compile(r"after part \d+ <!-- end ([A-Za-z0-9]+) -->")


@dataclass
class Refusal(Exception):
    """A request is refused. ``kind``: a row in each API's table of errors; ``message``: empty for the row's own."""

    kind: str
    message: str = ""
    param: str | None = None
    status: int | None = None
    retry_after: str | None = None


@dataclass
class Call:
    """One HTTP request. ``path`` is without the family's prefix; the wire adds ``model`` and ``credential``."""

    method: str
    path: str
    raw_path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    model: str = ""
    credential: str = ""

    def json_object(self) -> dict[str, Any]:
        try:
            read = json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise Refusal("invalid_json") from error
        if not isinstance(read, dict):
            raise Refusal("invalid_json")
        return read


@dataclass(frozen=True)
class Reply:
    """A response, before a fault of the transport changes it."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def tokens_of_image(model: str, image: bytes) -> int:
    """Return the input tokens that the provider of this model counts for an image."""
    if "gpt-4o-mini" not in model:
        return TOKENS_PER_IMAGE
    try:
        with Image.open(io.BytesIO(image)) as picture:
            sides = picture.size
    except UnidentifiedImageError:
        return TOKENS_PER_IMAGE
    scale = min(1.0, MINI_SIDE / min(sides))
    across, down = (math.ceil(side * scale / TILE) for side in sides)
    return MINI_TOKENS + MINI_TOKENS_PER_TILE * across * down


@dataclass
class Conversation:
    """All texts and images of a request, in order. ``called``: the tools that the model called before."""

    model: str
    max_tokens: int | None = None
    tier: str = ""
    thinking_tokens: int = 0
    shows_thinking: bool = False
    texts: list[str] = field(default_factory=list)
    images: list[bytes] = field(default_factory=list)
    tools: list[str] = field(default_factory=list)
    called: list[str] = field(default_factory=list)

    @cached_property
    def text(self) -> str:
        return "\n".join(self.texts)

    @property
    def input_tokens(self) -> int:
        texts = math.ceil(sum(map(len, self.texts)) / CHARACTERS_PER_TOKEN)
        return texts + sum(tokens_of_image(self.model, image) for image in self.images)

    @cached_property
    def page(self) -> tuple[str, str] | None:
        """Return marker and text of the last page in the conversation."""
        pages = [(found["marker"], found["text"].rstrip("\r\n")) for found in _PAGE.finditer(self.text)]
        return pages[-1] if pages else None

    @property
    def marker(self) -> str | None:
        """Return the marker that the response's last line must contain."""
        if self.page is not None:
            return self.page[0]
        named = _END.findall(self.text)
        return str(named[-1]) if named else None

    @property
    def marks_of_parts(self) -> list[str]:
        """Return the marks of the end lines of the parts, if parts of a page are asked for."""
        return [str(mark) for mark in _END_OF_PART.findall(self.text)]

    @cached_property
    def sha256(self) -> str:
        """Return the digest of the page's text; without a page, of the prompt (less its marker) and the last image."""
        if self.page is not None:
            return _sha256(self.page[1])
        last = hashlib.sha256(self.images[-1]).hexdigest() if self.images else ""
        return _sha256(_END.sub("", self.text) + last)

    def add_image(self, data: str, media_type: str) -> None:
        """Decode and keep an image. Raise ValueError with the reason if it is invalid."""
        try:
            image = base64.b64decode(data, validate=True)
        except binascii.Error as error:
            raise ValueError("invalid base64 data") from error
        found = media_type_of(image)
        if found is None:
            raise ValueError("could not process image")
        if found != media_type:
            raise ValueError(f"Image does not match the provided media type {media_type}")
        self.images.append(image)


@dataclass(frozen=True)
class ToolCall:
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Counted:
    """The tokens that a provider counts apart: parts of the input, of the output, and the tier that served them."""

    cached: int = 0
    written: int = 0
    written_for_an_hour: int = 0
    thinking: int = 0
    tier: str = ""


@dataclass(frozen=True)
class Completion:
    """The model's response. ``tool`` is sent with ``text`` if the API allows both; token counts go into the usage.

    ``input_tokens`` and ``output_tokens`` are all of them; ``counted`` says how the provider divides them.
    """

    text: str
    finish: Finish
    input_tokens: int
    output_tokens: int
    tool: ToolCall | None = None
    counted: Counted = field(default_factory=Counted)


def media_type_of(image: bytes) -> str | None:
    """Return the media type by an image's first bytes, of the four that every provider accepts."""
    if image.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if image.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if image.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if image[:4] == b"RIFF" and image[8:12] == b"WEBP":
        return "image/webp"
    return None


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
