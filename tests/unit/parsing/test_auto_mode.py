"""Auto mode: rules match pages, and invalid rules are refused with the path of each invalid field."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from apps.pages.model.blocks import Block, BlockType, Cell, Page, Source
from apps.pages.model.geometry import Box
from apps.parsing.routing.auto_mode import Decision, InvalidRules, choose_mode, parse_rules, rules_from_v1
from apps.parsing.routing.triggers import COMPANIONS, TRIGGERS
from tests.unit.pages.drawing import HEIGHT, WIDTH, page, text_block

AGENTIC = {"tier": "agentic", "version": "latest"}


def table() -> Block:
    cells = tuple(Cell(row, column, f"{row}.{column}") for row in range(3) for column in range(2))
    return Block(BlockType.TABLE, Box(72, 300, 400, 400), cells=cells)


def picture(share: float = 0.1) -> Block:
    return Block(BlockType.PICTURE, Box(0, 0, WIDTH, HEIGHT * share))


PLAIN = page(text_block("Minutes of the meeting of 3 May"), text_block("All agreed.", 140))
REPORT = page(
    text_block("Executive Summary", kind=BlockType.HEADING, level=1),
    text_block("Revenue rose by 12.5 % to $1,400.50 in 2025, see https://example.org/q4 and www.example.org."),
    table(),
    picture(),
)


def scan(*, share: float = 0.95) -> Page:
    return page(picture(share), needs_ocr="no_text_layer")


def doubtful() -> Page:
    return msgspec.structs.replace(PLAIN, warnings=("ocr_low_confidence",))


def read_by_ocr(confidence: float = 0.9) -> Page:
    block = msgspec.structs.replace(text_block("Fee"), source=Source.OCR, confidence=confidence)
    return page(block)


def decision(of: Page, *rules: dict[str, Any], markdown: str | None = None, name: str = "Report 7.pdf") -> Decision:
    parsed = parse_rules([{"parsing_conf": AGENTIC, **rule} for rule in rules])
    return choose_mode(of, rules=parsed, markdown=markdown, file_name=name, base_mode="balanced")


@pytest.mark.parametrize(
    ("trigger", "matching", "other"),
    [
        ({"image_in_page": True}, REPORT, PLAIN),
        ({"image_in_page": True}, REPORT, scan()),
        ({"table_in_page": True}, REPORT, PLAIN),
        ({"text_in_page": "Executive Summary"}, REPORT, PLAIN),
        ({"text_in_page": "Minutes"}, PLAIN, REPORT),
        ({"regexp_in_page": r"\$[\d,]+\.\d{2}"}, REPORT, PLAIN),
        ({"regexp_in_page": "^minutes", "regexp_in_page_mode": "i"}, PLAIN, REPORT),
        ({"full_page_image_in_page": True}, scan(), REPORT),
        ({"full_page_image_in_page": True}, read_by_ocr(), PLAIN),
        ({"full_page_image_in_page": True, "full_page_image_in_page_threshold": "0.05"}, REPORT, PLAIN),
        ({"full_page_image_in_page": True, "full_page_image_in_page_threshold": 0.5}, scan(share=0.6), REPORT),
        ({"layout_element_in_page": "table"}, REPORT, PLAIN),
        ({"layout_element_in_page": "section-header"}, REPORT, PLAIN),
        ({"layout_element_in_page": "Figure"}, REPORT, PLAIN),
        (
            {"layout_element_in_page": "text", "layout_element_in_page_confidence_threshold": "0.8"},
            read_by_ocr(0.9),
            read_by_ocr(0.7),
        ),
        ({"page_md_error": True}, scan(), PLAIN),
        ({"page_md_error": True}, doubtful(), REPORT),
        ({"page_longer_than_n_chars": "60"}, REPORT, PLAIN),
        ({"page_shorter_than_n_chars": 60}, PLAIN, REPORT),
        ({"page_contains_at_least_n_charts": 1}, REPORT, PLAIN),
        ({"page_contains_at_most_n_charts": 0}, PLAIN, REPORT),
        ({"page_contains_at_least_n_images": "1"}, REPORT, PLAIN),
        ({"page_contains_at_most_n_images": 0}, PLAIN, REPORT),
        ({"page_contains_at_least_n_layout_elements": 4}, REPORT, PLAIN),
        ({"page_contains_at_most_n_layout_elements": 2}, PLAIN, REPORT),
        ({"page_contains_at_least_n_lines": 5}, REPORT, PLAIN),
        ({"page_contains_at_most_n_lines": "2"}, PLAIN, REPORT),
        ({"page_contains_at_least_n_links": 2}, REPORT, PLAIN),
        ({"page_contains_at_most_n_links": 0}, PLAIN, REPORT),
        ({"page_contains_at_least_n_numbers": 9}, REPORT, PLAIN),
        ({"page_contains_at_most_n_numbers": 1}, PLAIN, REPORT),
        ({"page_contains_at_least_n_percent_numbers": "30"}, REPORT, PLAIN),
        ({"page_contains_at_most_n_percent_numbers": 12.5}, PLAIN, REPORT),
        ({"page_contains_at_least_n_tables": "1"}, REPORT, PLAIN),
        ({"page_contains_at_most_n_tables": 0}, PLAIN, REPORT),
        ({"page_contains_at_least_n_words": 15}, REPORT, PLAIN),
        ({"page_contains_at_most_n_words": 10.0}, PLAIN, REPORT),
    ],
)
def test_a_trigger_matches_the_pages_that_it_describes(trigger: dict[str, Any], matching: Page, other: Page) -> None:
    name = next(iter(trigger))
    assert decision(matching, trigger).reason == f"rule 1: {name}"
    assert decision(matching, trigger).mode == "agentic"
    assert decision(other, trigger) == Decision("balanced")


@pytest.mark.parametrize(
    ("trigger", "matching", "other"),
    [
        ({"filename_match_glob": "Report*.pdf"}, "Report 7.pdf", "Invoice.pdf"),
        ({"filename_match_glob_list": ["*.xlsx", "Inv*"]}, "Invoice.pdf", "Report 7.pdf"),
        ({"filename_regexp": r"\d+\.pdf$"}, "Report 7.pdf", "Invoice.pdf"),
        ({"filename_regexp": "invoice", "filename_regexp_mode": "i"}, "INVOICE.pdf", "Report 7.pdf"),
    ],
)
def test_a_trigger_on_the_file_name_matches_every_page(trigger: dict[str, Any], matching: str, other: str) -> None:
    assert decision(PLAIN, trigger, name=matching).rule == 0
    assert decision(PLAIN, trigger, name=other).rule is None


def test_every_trigger_of_the_api_is_tested_here() -> None:
    marks = [
        *getattr(test_a_trigger_matches_the_pages_that_it_describes, "pytestmark", []),
        *getattr(test_a_trigger_on_the_file_name_matches_every_page, "pytestmark", []),
    ]
    tested = {name for mark in marks for case in mark.args[1] for name in case[0]}
    assert tested == TRIGGERS.keys() | COMPANIONS


def test_the_first_rule_that_matches_wins() -> None:
    first = {"table_in_page": True, "parsing_conf": {"custom_prompt": "Keep the units.", "high_res_ocr": True}}
    found = decision(REPORT, {"text_in_page": "Minutes"}, first, {"image_in_page": True})
    assert (found.rule, found.mode, found.reason) == (1, "balanced", "rule 2: table_in_page")
    assert found.parsing_conf is not None
    assert found.parsing_conf.custom_prompt == "Keep the units."
    assert found.parsing_conf.options == {"high_res_ocr": True}


def test_a_rule_joins_its_triggers_by_and_or_by_or() -> None:
    triggers = {"table_in_page": True, "text_in_page": "Minutes"}
    assert decision(REPORT, triggers).rule is None
    assert decision(REPORT, triggers | {"trigger_mode": "or"}).reason == "rule 1: table_in_page"
    both = {"table_in_page": True, "text_in_page": "Executive"}
    assert decision(REPORT, both).reason == "rule 1: table_in_page and text_in_page"


def test_an_unknown_trigger_never_matches() -> None:
    rule = {"parsing_conf": AGENTIC, "table_in_page": True, "signature_in_page": True}
    assert parse_rules([rule])[0].unknown == ("signature_in_page",)
    assert decision(REPORT, rule).rule is None
    assert decision(REPORT, rule | {"trigger_mode": "or"}).rule == 0
    assert decision(REPORT, {"signature_in_page": True, "trigger_mode": "or"}).rule is None


def test_null_and_false_mean_not_set() -> None:
    rule = {"image_in_page": False, "regexp_in_page": None, "table_in_page": True, "trigger_mode": None}
    assert decision(REPORT, rule).reason == "rule 1: table_in_page"


def test_a_pattern_is_matched_against_the_markdown_if_there_is_one() -> None:
    rule = {"regexp_in_page": "^## Executive", "regexp_in_page_mode": "m"}
    assert decision(REPORT, rule).rule is None
    assert decision(REPORT, rule, markdown="Page 1\n\n## Executive Summary").rule == 0


def test_triggers_of_a_page_read_by_a_model_use_its_markdown() -> None:
    found = decision(scan(), {"page_contains_at_least_n_words": 3}, markdown="Dear Sir or Madam")
    assert found.rule == 0


def test_each_chinese_character_is_a_word() -> None:
    chinese = page(text_block("本公司二零二五年度報告"))
    assert decision(chinese, {"page_contains_at_least_n_words": 10}).rule == 0


@pytest.mark.parametrize(
    ("rule", "path", "expected"),
    [
        ({"table_in_page": True}, ("parsing_conf",), "object"),
        ({"parsing_conf": "agentic", "table_in_page": True}, ("parsing_conf",), "object"),
        ({"parsing_conf": {"tier": "gold"}, "table_in_page": True}, ("parsing_conf", "tier"), "agentic_plus"),
        (
            {"parsing_conf": {"version": "latest"}, "table_in_page": True},
            ("parsing_conf", "version"),
            "together with a tier",
        ),
        ({"parsing_conf": {"custom_prompt": 7}, "table_in_page": True}, ("parsing_conf", "custom_prompt"), "text"),
        ({"parsing_conf": {}}, (), "At least one trigger"),
        ({"parsing_conf": {}, "table_in_page": False}, (), "At least one trigger"),
        ({"parsing_conf": {}, "table_in_page": "yes"}, ("table_in_page",), "true or false"),
        ({"parsing_conf": {}, "text_in_page": ""}, ("text_in_page",), "1 to 1000 characters"),
        ({"parsing_conf": {}, "page_longer_than_n_chars": "many"}, ("page_longer_than_n_chars",), "whole number"),
        ({"parsing_conf": {}, "page_contains_at_least_n_words": True}, ("page_contains_at_least_n_words",), "number"),
        ({"parsing_conf": {}, "page_contains_at_least_n_words": "1e999"}, ("page_contains_at_least_n_words",), "to 1e"),
        ({"parsing_conf": {}, "page_contains_at_least_n_words": -1}, ("page_contains_at_least_n_words",), "from 0"),
        (
            {"parsing_conf": {}, "page_contains_at_most_n_percent_numbers": 101},
            ("page_contains_at_most_n_percent_numbers",),
            "0 to 100",
        ),
        (
            {"parsing_conf": {}, "full_page_image_in_page": True, "full_page_image_in_page_threshold": "80"},
            ("full_page_image_in_page_threshold",),
            "0 to 1",
        ),
        ({"parsing_conf": {}, "layout_element_in_page": "unicorn"}, ("layout_element_in_page",), "section-header"),
        ({"parsing_conf": {}, "filename_match_glob_list": ["*.pdf", 3]}, ("filename_match_glob_list", 1), "text"),
        ({"parsing_conf": {}, "filename_match_glob_list": "*.pdf"}, ("filename_match_glob_list",), "list"),
        ({"parsing_conf": {}, "regexp_in_page": "(a"}, ("regexp_in_page",), "missing )"),
        ({"parsing_conf": {}, "regexp_in_page": r"(a)\1"}, ("regexp_in_page",), "back references"),
        (
            {"parsing_conf": {}, "regexp_in_page": "a", "regexp_in_page_mode": "q"},
            ("regexp_in_page_mode",),
            "flag 'q'",
        ),
        ({"parsing_conf": {}, "table_in_page": True, "trigger_mode": "xor"}, ("trigger_mode",), "and or or"),
    ],
)
def test_an_invalid_field_is_named_with_the_expected_value(
    rule: dict[str, Any], path: tuple[str | int, ...], expected: str
) -> None:
    with pytest.raises(InvalidRules) as refused:
        parse_rules([{"parsing_conf": {}, "image_in_page": True}, rule])
    [problem] = refused.value.problems
    assert problem.path == (1, *path)
    assert expected in problem.message


def test_every_invalid_field_is_named() -> None:
    with pytest.raises(InvalidRules) as refused:
        parse_rules([{"parsing_conf": {"tier": "x"}, "table_in_page": 1}, {"parsing_conf": {}}])
    assert {problem.path for problem in refused.value.problems} == {
        (0, "parsing_conf", "tier"),
        (0, "table_in_page"),
        (1,),
    }


def test_patterns_of_all_rules_together_have_a_limit() -> None:
    rule = {"parsing_conf": {}, "regexp_in_page": r"\p{L}{8}x"}
    assert len(parse_rules([rule] * 5)) == 5
    with pytest.raises(InvalidRules, match="together"):
        parse_rules([rule] * 6)


@pytest.mark.parametrize(
    ("conf", "mode"),
    [
        ({"parse_mode": "parse_page_with_agent"}, "agentic"),
        ({"parse_mode": "parse_page_with_lvm"}, "multimodal"),
        ({"parse_mode": "parse_page_without_llm"}, "fast"),
        ({"premium_mode": True}, "agentic"),
        ({"fast_mode": True}, "fast"),
        ({"tier": "cost_effective"}, "balanced"),
        ({"user_prompt": "In upper case."}, None),
    ],
)
def test_the_names_of_api_v1_are_accepted(conf: dict[str, Any], mode: str | None) -> None:
    [rule] = parse_rules([{"parsing_conf": conf, "table_in_page": True}])
    assert rule.parsing_conf.mode == mode
    assert rule.parsing_conf.custom_prompt == conf.get("user_prompt", "")


def test_each_trigger_of_api_v1_makes_a_rule() -> None:
    rules = rules_from_v1(table_in_page=True, regexp_in_page=r"\d{4}")
    assert [trigger.name for rule in rules for trigger in rule.triggers] == ["table_in_page", "regexp_in_page"]
    assert choose_mode(REPORT, rules=rules, markdown=None, file_name="", base_mode="balanced").mode == "agentic"
    assert choose_mode(PLAIN, rules=rules, markdown=None, file_name="", base_mode="balanced").mode == "balanced"
    assert rules_from_v1() == ()
    with pytest.raises(InvalidRules) as refused:
        rules_from_v1(image_in_page=True, regexp_in_page="(")
    assert refused.value.problems[0].path == ("auto_mode_trigger_on_regexp_in_page",)
