"""A model's answer -> blocks, or ``UnusableAnswer``.

The prompt asks for the page as Markdown, followed by the line ``<!-- end MARK -->`` with a mark made for this call. The
mark shows that the answer is complete. An answer without it is read if the provider says that it is complete; the check
of its words has the last word, because that has been wrong. Inline formatting becomes spans of the
text; other tags and the addresses of pictures are removed, nothing is fetched, nothing is executed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from apps.pages.model.blocks import Page
from apps.pages.model.text.safe_text import MAX_TEXT_CHARACTERS, clean
from apps.parsing.answers.drafts import Draft
from apps.parsing.answers.normalized_words import PageWords, page_words
from apps.parsing.errors import UnusableAnswer

__all__ = ["Draft", "drafts_of", "end_line", "page_of_drafts", "parsed_page", "read_answer"]

# The markup of HTML tables doubles the characters of their text.
MAX_ANSWER_CHARS = 2 * MAX_TEXT_CHARACTERS
MAX_ANSWER_LINES = 20_000
MAX_CHAT_CHARS = 300
_END = re.compile(r"<!--[ \t]{0,8}end[ \t]{1,8}([^\s<>]{1,80}?)[ \t]{0,8}-->", re.IGNORECASE)
_HTML_PAGE = re.compile(r"\s{0,100}<(?:!doctype|html|head|body)\b", re.IGNORECASE)
# A line is chat only if it mentions the conversion: "Here is what you need:" may be text of a page.
_CHAT = re.compile(
    r"(?:sure|certainly|of course|okay|ok|absolutely|here is|here's|here are|below is)\b.{0,200}"
    r"\b(?:markdown|transcription|transcribed|converted|conversion|extracted|reformatted|requested)\b.{0,100}[:.!]",
    re.IGNORECASE,
)
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})[ \t]*([\w+-]*)[ \t]*")
_WRAPPERS = frozenset({"markdown", "md", "html", "text"})


def end_line(marker: str) -> str:
    """Return the last line of a complete answer."""
    return f"<!-- end {marker} -->"


def read_answer(text: str, *, marker: str, is_finished: bool = False) -> list[Draft]:
    """Return the blocks of an answer, in order, without boxes; an empty page has none.

    ``is_finished``: the provider says that the answer is complete, so it may lack the end line.
    Raise ``UnusableAnswer``: ``output_truncated`` if the end line is missing, ``provider_bad_response`` if the answer
    is empty, too long, belongs to another page or is not a page.
    """
    from apps.parsing.answers.markup import markdown

    text = _cleaned(text)
    ends = list(_END.finditer(text)) if marker else []
    own = [found for found in ends if found.group(1) == marker]
    before, after = text, ""
    if own:
        before, after = text[: own[-1].start()], text[own[-1].end() :]
    elif ends:
        raise UnusableAnswer("The answer ends with the mark of another page.")
    elif _HTML_PAGE.match(text):
        raise UnusableAnswer("The answer is a web page.")
    elif not is_finished:
        raise UnusableAnswer("The answer stops before its end.", code="output_truncated")
    body = _unwrapped(before, closed_after=_FENCE.fullmatch(after.strip()) is not None)
    first, _, rest = body.lstrip().partition("\n")
    if rest.strip() and _CHAT.fullmatch(first.strip().strip("*")):  # the model announces its work
        body = rest
    if body.count("\n") > MAX_ANSWER_LINES:
        raise UnusableAnswer(f"The answer has more than {MAX_ANSWER_LINES} lines.")
    return markdown.drafts_of(body)


def _cleaned(text: str) -> str:
    """Return the text without dangerous characters. Raise ``UnusableAnswer`` for an empty or too long answer."""
    if len(text) > MAX_ANSWER_CHARS:
        raise UnusableAnswer(f"The answer is longer than {MAX_ANSWER_CHARS} characters.")
    text = clean(text.replace("\r\n", "\n").replace("\r", "\n"))
    if not text.strip():
        raise UnusableAnswer("The answer is empty.")
    return text


def drafts_of(
    page: Page,
    text: str,
    *,
    marker: str = "",
    is_finished: bool = False,
    dialect: str = "",
    picture_size: tuple[int, int] = (0, 0),
) -> list[Draft]:
    """Return the blocks of an answer to a page, in order.

    ``dialect``: a name in ``model_facts.dialects``; one with a form of its own has no end line. ``picture_size``: the
    pixels of the page's picture as it was sent. Raise ``UnusableAnswer`` as ``read_answer`` does.
    """
    from apps.parsing.answers.dialects.page_scale import PageScale
    from apps.parsing.answers.dialects.readers import READERS

    if dialect not in READERS:
        return read_answer(text, marker=marker, is_finished=is_finished)
    if not is_finished:
        raise UnusableAnswer("The answer stops before its end.", code="output_truncated")
    return READERS[dialect](_cleaned(text), PageScale(page.width, page.height, *picture_size))


def page_of_drafts(page: Page, drafts: Sequence[Draft], words: PageWords | None = None) -> Page:
    """Return the page with the blocks of an answer instead of its own.

    ``words``: the words of the page, if already known.
    Raise ``UnusableAnswer`` for an empty answer to a page with words.
    """
    from apps.parsing.answers import alignment, page_knowledge

    words = words or page_words(page)
    if not drafts and words.tokens:
        raise UnusableAnswer("The answer is empty, but the page has text.")
    blocks = page_knowledge.with_pictures_of_page(alignment.align(page, drafts, words))
    blocks = page_knowledge.with_list_numbers_of_page(page, blocks)
    return msgspec.structs.replace(page, blocks=tuple(page_knowledge.with_links_of_page(page, blocks)))


def parsed_page(
    page: Page,
    text: str,
    *,
    marker: str = "",
    is_finished: bool = False,
    words: PageWords | None = None,
) -> Page:
    """Return the page with the blocks of an answer in Markdown. Raise as ``drafts_of`` and ``page_of_drafts`` do."""
    return page_of_drafts(page, drafts_of(page, text, marker=marker, is_finished=is_finished), words)


def _unwrapped(text: str, *, closed_after: bool) -> str:
    """Remove a fence around the whole answer, and the chat before and after it.

    ``closed_after``: the closing fence follows the end line. Only then is a fence without a language removed, because a
    page may consist of code.
    """
    lines = text.strip("\n").split("\n")
    fences = [(number, found) for number, line in enumerate(lines) if (found := _FENCE.fullmatch(line))]
    if not fences:
        return text
    first, opening = fences[0]
    language = opening.group(2).lower()
    is_wrapper = language in _WRAPPERS or (closed_after and not language)
    if not is_wrapper or not _is_chat(lines[:first]):
        return text
    if closed_after or len(fences) % 2:  # the closing fence is missing or follows the end line
        return "\n".join(lines[first + 1 :])
    last, closing = fences[-1]
    if closing.group(2) or not _is_chat(lines[last + 1 :]):
        return text
    return "\n".join(lines[first + 1 : last])


def _is_chat(lines: Sequence[str]) -> bool:
    """Return whether the text outside a fence around the page is empty or one short paragraph."""
    text = "\n".join(lines).strip()
    return len(text) <= MAX_CHAT_CHARS and "\n\n" not in text
