"""Messages that ask again: for parts of a page that were wrong, or for the whole page with what was wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_lowercase

from apps.pages.model.blocks import Page
from apps.parsing.prompts import page_notes
from apps.parsing.prompts.messages import CustomInstructions, Message, Prompt, framed, system_message
from apps.providers.requests.messages import picture_part

_WRONG = (
    "You have read this page before. Your answer was compared with what a program read, and parts of it were wrong. "
    "Each part follows enlarged, with how your answer differed. Where the program may be wrong, the picture decides."
)
_WRONG_TEXT = (
    "You have rebuilt this page before. Your answer was compared with the page, and parts of it were wrong. Each part "
    "follows as the program read it, with how your answer differed."
)
_READ = (
    "Parts of a page follow enlarged. Copy what each one shows, letter by letter and digit by digit; leave out lines "
    "that are cut off at an edge."
)
_DEMAND = "Write the Markdown of the parts alone, in this order, and after each part one more line, which is exactly:"
_REFUSED = (
    "Your last answer was refused, because it differs from what a program read on the page:\n{wrong}\n"
    "Read these places again with care and answer with the whole page. Its last line is exactly: {end_line}"
)
MAX_WRONG_CHARS = 2_000


@dataclass(frozen=True)
class ShownPart:
    """A part of a page: the page with its blocks alone, its picture if the model sees pictures, and what was wrong."""

    page: Page
    image: bytes | None = None
    wrong: str = ""


def marks(mark: str, parts: int) -> list[str]:
    """Return a mark for the end line of each part; that of the last part is ``mark``, as in any answer."""
    return [f"{mark}{letter}" for letter in ascii_lowercase[: parts - 1]] + [mark]


def part_messages(
    prompt: Prompt, shown: Sequence[ShownPart], *, instructions: CustomInstructions, marks: Sequence[str]
) -> list[Message]:
    """Return the conversation that asks for these parts. A part without ``wrong`` is only read."""
    is_wrong = any(part.wrong for part in shown)
    reads_text = prompt.parser == "llm"
    texts = [_READ if not is_wrong else _WRONG_TEXT if reads_text else _WRONG]
    content: list[Message] = []
    for number, (part, mark) in enumerate(zip(shown, marks, strict=True), 1):
        texts.append(f"Part {number}:")
        if part.wrong:
            texts.append(framed("findings", part.wrong[:MAX_WRONG_CHARS], mark))
        if reads_text:
            texts.append(framed("document_page", page_notes.page_text(part.page), mark))
        if part.image is not None:
            content += [{"type": "text", "text": "\n".join(texts)}, picture_part(part.image, detail="high")]
            texts = []
    lines = "; ".join(f"after part {number} {_end_line(mark)}" for number, mark in enumerate(marks, 1))
    texts.append(f"{_DEMAND} {lines}")
    content.append({"type": "text", "text": "\n\n".join(texts)})
    user = content[0]["text"] if reads_text else content
    return [system_message(prompt, instructions), {"role": "user", "content": user}]


def with_refusal(messages: Sequence[Message], wrong: str, mark: str) -> list[Message]:
    """Return the messages with why the last answer to them was refused as a whole."""
    text = _REFUSED.format(wrong=framed("findings", wrong[:MAX_WRONG_CHARS], mark), end_line=_end_line(mark))
    last = messages[-1]
    if last["role"] != "user":
        return [*messages, {"role": "user", "content": text}]
    content = last["content"]  # some models demand that roles alternate
    longer = f"{content}\n\n{text}" if isinstance(content, str) else [*content, {"type": "text", "text": text}]
    return [*messages[:-1], {**last, "content": longer}]


def texts_of_parts(text: str, marks: Sequence[str]) -> list[tuple[str, str]]:
    """Return the text of each part, with its end line, and its mark. A part without its end line has the rest."""
    texts = []
    for mark in marks:
        found = re.search(rf"<!--[ \t]{{0,8}}end[ \t]{{1,8}}{re.escape(mark)}[ \t]{{0,8}}-->", text, re.IGNORECASE)
        end = found.end() if found else len(text)
        texts.append((text[:end], mark))
        text = text[end:]
    return texts


def _end_line(mark: str) -> str:
    return f"<!-- end {mark} -->"
