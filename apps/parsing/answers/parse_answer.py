"""A model's answer -> blocks, or ``UnusableAnswer``.

The prompt asks for the page as Markdown, closed by the line ``<!-- end MARK -->`` with a mark made for this call. A
provider's own word that the answer is complete is not trusted; the mark is. Everything in an answer is text: tags,
links and pictures are taken off, nothing is fetched, nothing is run.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from apps.pages.model.blocks import Page
from apps.pages.model.safe_text import LONGEST_TEXT, clean
from apps.parsing.answers.drafts import Draft
from apps.parsing.answers.normalized_words import PageWords, page_words
from apps.parsing.errors import UnusableAnswer

__all__ = ["Draft", "end_line", "parsed_page", "read_answer"]

# HTML tables cost about as many characters again as the text they hold.
LONGEST_ANSWER = 2 * LONGEST_TEXT
MOST_LINES = 20_000
LONGEST_CHAT = 300
_END = re.compile(r"<!--[ \t]{0,8}end[ \t]{1,8}([^\s<>]{1,80}?)[ \t]{0,8}-->", re.IGNORECASE)
_HTML_PAGE = re.compile(r"\s{0,100}<(?:!doctype|html|head|body)\b", re.IGNORECASE)
# Only a line that speaks of its own doing is chat: "Here is what you need:" may stand on a page.
_CHAT = re.compile(
    r"(?:sure|certainly|of course|okay|ok|absolutely|here is|here's|here are|below is)\b.{0,200}"
    r"\b(?:markdown|transcription|transcribed|converted|conversion|extracted|reformatted|requested)\b.{0,100}[:.!]",
    re.IGNORECASE,
)
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})[ \t]*([\w+-]*)[ \t]*")
_WRAPPERS = frozenset({"markdown", "md", "html", "text"})


def end_line(marker: str) -> str:
    """The line that a complete answer ends with."""
    return f"<!-- end {marker} -->"


def read_answer(text: str, *, marker: str) -> list[Draft]:
    """The blocks of an answer in its order, without boxes; none for an empty page.

    Raises ``UnusableAnswer``: ``output_truncated`` without the end line, ``provider_bad_response`` when the answer is
    empty, too long, another page's or no page at all.
    """
    from apps.parsing.answers import markdown

    if len(text) > LONGEST_ANSWER:
        raise UnusableAnswer(f"The answer is longer than {LONGEST_ANSWER} characters.")
    body = _body(clean(text.replace("\r\n", "\n").replace("\r", "\n")), marker)
    if body.count("\n") > MOST_LINES:
        raise UnusableAnswer(f"The answer has more than {MOST_LINES} lines.")
    return markdown.drafts_of(body)


def parsed_page(page: Page, text: str, *, marker: str, words: PageWords | None = None) -> Page:
    """The page with the answer's blocks in the place of its own. Raises ``UnusableAnswer`` as ``read_answer`` does, and
    for an empty answer to a page with words. ``words``: the page's, where they are known already."""
    from apps.parsing.answers import alignment

    words = words or page_words(page)
    drafts = read_answer(text, marker=marker)
    if not drafts and words.tokens:
        raise UnusableAnswer("The answer is empty, but the page has text.")
    return msgspec.structs.replace(page, blocks=alignment.align(page, drafts, words))


def _body(text: str, marker: str) -> str:
    """What stands before the end line, without what wraps it."""
    if not text.strip():
        raise UnusableAnswer("The answer is empty.")
    ends = list(_END.finditer(text))
    own = [found for found in ends if found.group(1) == marker]
    if not own:
        if ends:
            raise UnusableAnswer("The answer ends with the mark of another page.")
        if _HTML_PAGE.match(text):
            raise UnusableAnswer("The answer is a web page.")
        raise UnusableAnswer("The answer stops before its end.", code="output_truncated")
    last = own[-1]
    body, after = text[: last.start()], text[last.end() :]
    return _without_chat(_unwrapped(body, closed_after=_FENCE.fullmatch(after.strip()) is not None))


def _without_chat(text: str) -> str:
    """Without a first line in which the model announces its work."""
    first, _, rest = text.lstrip().partition("\n")
    return rest if rest.strip() and _CHAT.fullmatch(first.strip().strip("*")) else text


def _unwrapped(text: str, *, closed_after: bool) -> str:
    """Without a fence around all of it, and without the chat before and after such a fence.

    ``closed_after``: the fence's last line stands behind the end line. A bare fence is taken off only then: a page may
    be one piece of code.
    """
    lines = text.strip("\n").split("\n")
    fences = [(number, found) for number, line in enumerate(lines) if (found := _FENCE.fullmatch(line))]
    if not fences:
        return text
    first, opening = fences[0]
    if not _wraps(opening.group(2), closed_after) or not _is_chat(lines[:first]):
        return text
    if closed_after or len(fences) % 2:  # the last line is missing or behind the end line
        return "\n".join(lines[first + 1 :])
    last, closing = fences[-1]
    if closing.group(2) or not _is_chat(lines[last + 1 :]):
        return text
    return "\n".join(lines[first + 1 : last])


def _wraps(language: str, closed_after: bool) -> bool:
    return language.lower() in _WRAPPERS or (closed_after and not language)


def _is_chat(lines: Sequence[str]) -> bool:
    """Whether what stands outside of a fence around the page is nothing, or one short paragraph."""
    text = "\n".join(lines).strip()
    return len(text) <= LONGEST_CHAT and "\n\n" not in text
