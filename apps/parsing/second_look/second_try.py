"""The second try: it lists the faults of the first answer, and asks only for the parts that were wrong.

The parts are shown enlarged, and what the model answers for them replaces them in its first answer. The result is
checked as a whole. If an answer is wrong as a whole, or in many parts, the whole page is asked for again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from apps.pages.model.errors import PageError
from apps.parsing import requests
from apps.parsing.answer_check import CheckedAnswer, PageToParse, check_drafts, findings, source_of
from apps.parsing.answers.drafts import Draft
from apps.parsing.answers.parse_answer import drafts_of, end_line, read_answer
from apps.parsing.errors import UnusableAnswer
from apps.parsing.prompts import parts as prompting
from apps.parsing.prompts.messages import Message, Prompt, load
from apps.parsing.second_look.enlarged import enlarged
from apps.parsing.second_look.failing_parts import FailingPart, failing_parts, fails, part_fidelity
from apps.providers.calls.client import CompletionRequest
from apps.providers.catalog import Target


@dataclass(frozen=True)
class _Refused:
    """The blocks of a refused answer, what was wrong with it, and the parts that are asked for again."""

    drafts: Sequence[Draft]
    wrong: str
    parts: Sequence[FailingPart] = ()


@dataclass
class SecondTry:
    """The tries at one page: what each deployment answered last, by its id, if that was refused."""

    page: PageToParse
    prompt: Prompt
    marker: str
    _refused: dict[int, _Refused] = field(default_factory=dict)

    @property
    def sees_picture(self) -> bool:
        return self.prompt.parser != "llm"

    def asks_for_parts(self, target: Target) -> bool:
        """Return whether the next request to the deployment is for parts of the page."""
        return target.id in self._refused and bool(self._refused[target.id].parts)

    def request(
        self,
        target: Target,
        whole: Callable[[], Sequence[Message]],
        tools: Sequence[Message] = (),
    ) -> CompletionRequest:
        """Return the next request to the deployment. ``whole``: the messages that ask for the whole page."""
        refused = self._refused.get(target.id)
        if refused is None:
            return requests.request_of(whole(), self.page.page, target, tools)
        if refused.parts:
            try:
                return self._request_for_parts(target, refused.parts)
            except PageError:  # a part cannot be shown enlarged
                refused = self._refused[target.id] = replace(refused, parts=())
        messages = whole()
        if not target.own_prompt:
            messages = prompting.with_refusal(messages, refused.wrong, self.marker)
        return requests.request_of(messages, self.page.page, target, tools)

    def _request_for_parts(self, target: Target, parts: Sequence[FailingPart]) -> CompletionRequest:
        shown = [
            prompting.ShownPart(
                page=msgspec.structs.replace(self.page.page, blocks=part.blocks),
                image=enlarged(self.page, part.box, target) if self.sees_picture else None,
                wrong=part.wrong,
            )
            for part in parts
        ]
        # The agent needs no tools for a part, and its prompt is about them.
        prompt = load("lvm") if self.prompt.parser == "agent" else self.prompt
        marks = prompting.marks(self.marker, len(shown))
        messages = prompting.part_messages(prompt, shown, instructions=self.page.instructions, marks=marks)
        asked = tuple(block for part in parts for block in part.blocks)
        return requests.request_of(messages, msgspec.structs.replace(self.page.page, blocks=asked), target)

    def checked(
        self,
        target: Target,
        text: str,
        *,
        is_finished: bool,
        picture_size: tuple[int, int] = (0, 0),
    ) -> CheckedAnswer:
        """Return the page that an answer makes. Raise ``UnusableAnswer``; the next request then says what is wrong."""
        refused = self._refused.get(target.id)
        if refused is not None and refused.parts:
            return self._checked_parts(refused, text, is_finished=is_finished)
        marker = "" if target.dialect else self.marker
        drafts = drafts_of(
            self.page.page,
            text,
            marker=marker,
            is_finished=is_finished,
            dialect=target.dialect,
            picture_size=picture_size,
        )
        must_pass = self.page.refuses or not (target.dialect or end_line(marker) in text)
        try:
            return check_drafts(self.page, drafts, sees_picture=self.sees_picture, must_pass=must_pass)
        except UnusableAnswer as error:
            can_ask = not target.own_prompt and not self.page.instructions.texts
            parts = failing_parts(self.page, drafts, sees_picture=self.sees_picture) if can_ask else []
            self._refused[target.id] = _Refused(drafts, error.detail, parts)
            raise

    def check_parts(self, target: Target, text: str, *, is_finished: bool) -> None:
        """Raise ``UnusableAnswer`` for an answer of which only parts are wrong: the next request asks for them."""
        try:
            self.checked(target, text, is_finished=is_finished)
        except UnusableAnswer:
            if self.asks_for_parts(target):
                raise
            self._refused.pop(target.id, None)

    def _checked_parts(self, refused: _Refused, text: str, *, is_finished: bool) -> CheckedAnswer:
        try:
            drafts = self._with_parts(refused, text, is_finished=is_finished)
            answer = check_drafts(self.page, drafts, sees_picture=self.sees_picture, must_pass=True)
        except UnusableAnswer:  # some models write the whole page again, whatever they are asked for
            drafts = read_answer(text, marker=self.marker, is_finished=is_finished)
            return check_drafts(self.page, drafts, sees_picture=self.sees_picture, must_pass=True)
        return replace(answer, repaired_parts=len(refused.parts))

    def _with_parts(self, refused: _Refused, text: str, *, is_finished: bool) -> list[Draft]:
        """Return the blocks of the first answer with those of the failing parts replaced.

        Raise ``UnusableAnswer`` if what was answered for a part fails the check against the words of its blocks.
        """
        drafts = list(refused.drafts)
        texts = prompting.texts_of_parts(text, prompting.marks(self.marker, len(refused.parts)))
        for part, (own, mark) in reversed(list(zip(refused.parts, texts, strict=True))):
            said = read_answer(own, marker=mark, is_finished=is_finished)
            found = part_fidelity(self.page, part.blocks, said, sees_picture=self.sees_picture)
            if fails(found, source_of(self.page.page)):
                raise UnusableAnswer(findings(found), code="output_altered")
            drafts[part.first : part.last] = said
        return drafts
