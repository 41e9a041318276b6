"""Build chat messages from the versioned prompts in this folder, the request's instructions and the page.

A prompt has three parts. ``task`` and ``rules`` are ours in every request; a request's system prompt replaces
``style``. The rules come last and override the customer's instructions and any text of the page. Texts of pages and
customers are data: a line in them that looks like the frame around them, or like a control token of a chat template,
is escaped before it is sent.

Providers cache the beginning of prompts that are alike. So what is the same for all pages of a job comes first, then
the picture, and everything random last.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import unicodedata
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from apps.pages.model.blocks import Page
from apps.parsing.prompts import page_notes
from apps.parsing.prompts.agent_tools import TOOLS
from apps.providers.requests.messages import picture_part

FOLDER = Path(__file__).parent
LATEST = {"llm": 2, "lvm": 2, "agent": 2}
"""A new text, or another way of writing pages for models, is a new version: answers are cached under its name."""

Message = dict[str, Any]

_PART = re.compile(r"^=== (\w+)\n", re.MULTILINE)
# Frames, end lines and the control tokens of chat templates, as they begin.
_MARKUP = re.compile(
    r"<(?=\s*/?\s*(?:document_page|page_before|customer_wishes|findings|annotated_page|answer_schema|criteria)|\s*!-+\s*end\b|\||/?s>|(?:start|end)_of_turn>)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Prompt:
    """``parser``: llm, lvm or agent. Cache keys contain ``name`` ("llm-1")."""

    parser: str
    version: int
    task: str
    style: str
    rules: str

    @property
    def name(self) -> str:
        return f"{self.parser}-{self.version}"


@dataclass(frozen=True)
class CustomInstructions:
    """Instructions of a request to the model, by LlamaParse's names. ``system_prompt`` replaces our style."""

    system_prompt: str = ""
    system_prompt_append: str = ""
    custom_prompt: str = ""
    user_prompt: str = ""
    parsing_instruction: str = ""
    formatting_instruction: str = ""
    complemental_formatting_instruction: str = ""
    content_guideline_instruction: str = ""

    @property
    def texts(self) -> list[str]:
        """Return all but the system prompt, in the order of the fields, without duplicates."""
        given = [getattr(self, each.name).strip() for each in fields(self) if each.name != "system_prompt"]
        return list(dict.fromkeys(filter(None, given)))


@dataclass(frozen=True)
class Conversation:
    """Messages in OpenAI's shape, the tools to send with them, and the last line of a complete answer."""

    messages: tuple[Message, ...]
    end_line: str
    tools: tuple[Message, ...] = ()


@lru_cache(maxsize=16)
def load(parser: str, version: int | None = None) -> Prompt:
    """Return the prompt of a page parser, by default the latest version. Raise KeyError or FileNotFoundError."""
    number = LATEST[parser] if version is None else version
    text = (FOLDER / f"{parser}-{number}.txt").read_text(encoding="utf-8")
    pieces = _PART.split(text)
    parts = {name: body.strip() for name, body in zip(pieces[1::2], pieces[2::2], strict=True)}
    return Prompt(parser, number, parts["task"], parts["style"], parts["rules"])


def page_messages(
    prompt: Prompt,
    page: Page,
    *,
    instructions: CustomInstructions | None = None,
    image: bytes | None = None,
    before: str = "",
    mark: str | None = None,
) -> Conversation:
    """Return the conversation that begins with this page.

    llm: the page's text; lvm: its ``image`` (JPEG) alone; agent: both, and the tools. ``before``: what the page before
    has to say (``page_before.summary_of``). ``mark`` is random in every call, so that no page can contain it. Raise
    ValueError if the parser needs an image and none is given.
    """
    mark = mark or secrets.token_hex(6)
    instructions = instructions or CustomInstructions()
    end_line = f"<!-- end {mark} -->"
    demand = f"Write this page as Markdown. The last line of the answer is exactly: {end_line}"
    if prompt.parser == "agent":
        size = f"The page is {page.width:.0f} points wide and {page.height:.0f} points high; regions lie inside of it."
        demand = f"{size} Turn it into Markdown and call finish. Its last line is exactly: {end_line}"
    user: list[Message] = []
    if prompt.parser != "llm":
        if not image:
            raise ValueError(f"The parser {prompt.parser} needs the page's image.")
        user.append(picture_part(image, detail="high"))
    if before:
        user.append({"type": "text", "text": framed("page_before", before, mark)})
    if prompt.parser != "lvm":
        user.append({"type": "text", "text": framed("document_page", page_notes.page_text(page), mark)})
    user.append({"type": "text", "text": demand})
    messages = (
        system_message(prompt, instructions),
        {"role": "user", "content": "\n\n".join(each["text"] for each in user) if prompt.parser == "llm" else user},
    )
    return Conversation(messages, end_line, TOOLS if prompt.parser == "agent" else ())


def system_message(prompt: Prompt, instructions: CustomInstructions) -> Message:
    """Return the first message, which is the same for all requests of a job."""
    style = defused(instructions.system_prompt.strip()) or prompt.style
    system = [prompt.task, f"How the Markdown is written:\n{style}"]
    if instructions.texts:
        wishes = "\n\n".join(instructions.texts)
        # The marker is the same for all pages of a job; no text contains its own hash.
        system.append(
            "The sender of the document wishes the following. Do it as far as the rules below allow.\n"
            + framed("customer_wishes", wishes, hashlib.sha256(wishes.encode("utf-8", "replace")).hexdigest()[:12])
        )
    system.append(prompt.rules)
    return {"role": "system", "content": "\n\n".join(system)}


def dialect_messages(prompt: str, image: bytes) -> tuple[Message, ...]:
    """Return the conversation with a document model: the page's image (JPEG), then the prompt that it knows."""
    return ({"role": "user", "content": [picture_part(image), {"type": "text", "text": prompt}]},)


def defused(text: str) -> str:
    """Escape everything that looks like a frame, an end line or a control token; keep every word."""
    # Only a sign that is "<" in its normal form can begin such a thing.
    if "<" not in text and (text.isascii() or "<" not in unicodedata.normalize("NFKC", text)):
        return text
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if line.isascii():
            lines[number] = _MARKUP.sub("&lt;", line)
            continue
        plain = unicodedata.normalize("NFKC", line)
        if "<" not in plain:
            continue
        for sign in set(plain):
            if unicodedata.category(sign) == "Cf":
                plain = plain.replace(sign, "")
        if _MARKUP.search(plain):
            lines[number] = "".join("&lt;" if unicodedata.normalize("NFKC", sign) == "<" else sign for sign in line)
    return "\n".join(lines)


def framed(name: str, text: str, mark: str) -> str:
    """Return a text between the two lines that show where it begins and ends."""
    return f'<{name} marker="{mark}">\n{defused(text)}\n</{name} marker="{mark}">'
