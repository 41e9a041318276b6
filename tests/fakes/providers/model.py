"""The deterministic model: its response to a conversation."""

from __future__ import annotations

import asyncio
import hashlib
import math
import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from statistics import StatisticsError

from apps.pages.model.errors import PageError
from tests.fakes.providers import json_answers
from tests.fakes.providers.conversation import CHARACTERS_PER_TOKEN, Completion, Conversation, Finish, ToolCall
from tests.fakes.providers.specifications import Answer, Fault, Zoom

SEEN = "The mill stands where two rivers meet and has ground paper into leaves since 1742."
PROSE = (
    "Sure! Here is what I can see on this page. It seems to be a document with some text; let me know if you would "
    "like a summary or only the tables!"
)
APPROVAL = "ok"
NO_UTF8 = "\ue0ff"  # a placeholder in the text until it is encoded
_NO_PAGE = "OK"
_SURROGATE = "\ud83d"
_HEADING = re.compile(r"\{~ ([\d.]+)pt bold[ \d]*\}")
# Minimum font size in points of each level. A whole document would decide, but the model sees one page.
_RANKS = ((18, "# "), (13, "## "), (11, "### "))
_MAX_OCR = 2  # threads that read images


@dataclass
class _Registered:
    answer: Answer
    given: int = 0

    def fits(self, conversation: Conversation) -> bool:
        if self.answer.times is not None and self.given >= self.answer.times:
            return False
        if self.answer.model is not None and not fnmatchcase(conversation.model, self.answer.model):
            return False
        return self.answer.when is None or self.answer.when in conversation.text


@dataclass
class Model:
    """The model. ``sees``: it reads images without a registered answer by OCR. ``reads``: it does so in every mode, and
    answers nothing but what they show. ``shown``: the Markdown of known pictures, by their SHA-256 in hex.
    """

    sees: bool = False
    reads: bool = False
    zoom: Zoom = field(default_factory=Zoom)
    answers: list[_Registered] = field(default_factory=list)
    shown: dict[str, str] = field(default_factory=dict)
    _recent: list[tuple[str, str]] = field(default_factory=list)  # prompt and answer of the last two prompts
    _ocr_slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_MAX_OCR))

    def register(self, answer: Answer) -> None:
        self.answers.append(_Registered(answer))

    async def complete(self, conversation: Conversation, fault: Fault | None) -> Completion:
        """Return the next response. ``fault``: a fault of the text, if any."""
        if fault is None and self._looks_closer(conversation):
            return _completion(conversation, "", "tool", ToolCall("zoom", {"region": list(self.zoom.region)}))
        text, end_line = await self._markdown(conversation)
        finish: Finish = "stop"
        if fault is not None:
            text, end_line, finish = self._spoiled(conversation, text, end_line, fault)
        self._remember(conversation, text)
        markdown = f"{text}\n{end_line}" if end_line else text
        if fault is None or fault.kind not in {"prose", "refusal"}:
            return self._finish(conversation, markdown, finish)
        return _completion(conversation, markdown, finish, None)

    def _looks_closer(self, conversation: Conversation) -> bool:
        return "zoom" in conversation.tools and conversation.called.count("zoom") < self.zoom.zoom_first

    async def _markdown(self, conversation: Conversation) -> tuple[str, str]:
        end_line = f"<!-- end {conversation.marker} -->" if conversation.marker else ""
        for registered in self.answers:
            if registered.fits(conversation):
                registered.given += 1
                wanted = registered.answer.end_line and end_line not in registered.answer.markdown
                return registered.answer.markdown, end_line if wanted else ""
        annotation = json_answers.answer_to(conversation.text)
        return await self._page(conversation, end_line) if annotation is None else (annotation, "")

    async def _page(self, conversation: Conversation, end_line: str) -> tuple[str, str]:
        if "finish" in conversation.called:
            return APPROVAL, ""  # it finds its draft right
        if self.shown and conversation.images:
            known = self.shown.get(hashlib.sha256(conversation.images[0]).hexdigest())
            if known is not None:
                return known, end_line
        if self.reads and conversation.images:
            async with self._ocr_slots:
                return await asyncio.to_thread(_seen, conversation)
        if conversation.page is not None:
            return _rebuilt(conversation.page[1]), end_line
        if not end_line:
            return _NO_PAGE, ""
        if self.sees and conversation.images:
            async with self._ocr_slots:
                return await asyncio.to_thread(_read, conversation.images[-1]), end_line
        return SEEN, end_line

    def _spoiled(self, conversation: Conversation, text: str, end_line: str, fault: Fault) -> tuple[str, str, Finish]:
        own = end_line if fault.details.get("end_line") == "own" else ""
        match fault.kind:
            case "cut_text":
                return text[: len(text) // 2], "", fault.details.get("finish", "stop")
            case "prose":
                return PROSE, own, "stop"
            case "other_page":
                return self._other(conversation, own), own, "stop"
            case "nested_fences":
                half = text.rfind("\n", 0, len(text) // 2) + 1
                inner = f"{text[:half]}```text\n{text[half:]}\n```\n{end_line}"
                return f"```markdown\n{inner}\n```", "", "stop"
            case "invalid_utf8":
                return f"{NO_UTF8} {text}", end_line, "stop"
            case "surrogate":
                return f"{_SURROGATE} {text}", end_line, "stop"
            case _:
                return "", "", "filter"

    def _finish(self, conversation: Conversation, markdown: str, finish: Finish) -> Completion:
        limit = (conversation.max_tokens or math.inf) * CHARACTERS_PER_TOKEN
        if len(markdown) > limit:
            markdown, finish = markdown[: int(limit)], "length"
        if "finish" not in conversation.tools:
            return _completion(conversation, markdown, finish, None)
        return _completion(
            conversation, markdown, "tool" if finish == "stop" else finish, ToolCall("finish", {"markdown": markdown})
        )

    def _remember(self, conversation: Conversation, text: str) -> None:
        if self._recent and self._recent[-1][0] == conversation.sha256:
            return
        marker = f"\n<!-- end {conversation.marker} -->" if conversation.marker else ""
        self._recent = [*self._recent[-1:], (conversation.sha256, text + marker)]

    def _other(self, conversation: Conversation, own_end_line: str) -> str:
        """Return the last answer to another prompt, with its end line unless this prompt's own end line follows."""
        for sha256, answer in reversed(self._recent):
            if sha256 != conversation.sha256:
                return answer.rpartition("\n<!-- end ")[0] if own_end_line else answer
        return SEEN


def _completion(conversation: Conversation, text: str, finish: Finish, tool: ToolCall | None) -> Completion:
    tokens = math.ceil(len(text or str(tool)) / CHARACTERS_PER_TOKEN)
    return Completion(text, finish, conversation.input_tokens, 0 if finish == "filter" else tokens, tool)


def _read(image: bytes) -> str:
    """Return the Markdown of the page on an image; SEEN if no OCR engine is installed or it finds nothing."""
    try:
        from tests.fakes.providers.sight.layout_reader import read_picture

        found = read_picture(image)
    except (ImportError, OSError, PageError, StatisticsError):
        return SEEN
    return found.strip() or SEEN


def _seen(conversation: Conversation) -> tuple[str, str]:
    """Return what the pictures show, and the last line. Parts of a page each have a picture and an end line."""
    from tests.fakes.providers.sight.picture_reader import markdown_of

    marks = conversation.marks_of_parts or [conversation.marker or ""]
    images = conversation.images if conversation.marks_of_parts else conversation.images[:1]
    pages = [f"{markdown_of(image)}\n<!-- end {mark} -->" for image, mark in zip(images, marks, strict=True)]
    text, _, end_line = "\n".join(pages).rpartition("\n")
    return text, end_line


def _rebuilt(page: str) -> str:
    """Return the page's text as a good model would: without the prompt's notes, large bold lines as headings."""
    lines, mark = [], ""
    for line in page.split("\n"):
        if line.startswith("{~") and line.endswith("}"):
            found = _HEADING.fullmatch(line)
            mark = next((prefix for size, prefix in _RANKS if found and float(found[1]) >= size), "")
        else:
            lines.append(mark + line if line[:1].isalnum() else line)
            mark = ""
    return "\n".join(lines)
