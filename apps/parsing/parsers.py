"""The page parsers: parse_page_with_llm, parse_page_with_lvm, parse_page_with_agent, by the name of their queue."""

from __future__ import annotations

from apps.parsing.agent import PageWithAgent
from apps.parsing.answer_check import PageToParse
from apps.parsing.llm import PageWithLlm
from apps.parsing.lvm import PageWithLvm
from apps.parsing.page_parser import PageParser, ParsedPage

__all__ = ["PARSERS", "PageParser", "PageToParse", "ParsedPage"]

PARSERS: dict[str, PageParser] = {"llm": PageWithLlm(), "lvm": PageWithLvm(), "agent": PageWithAgent()}
