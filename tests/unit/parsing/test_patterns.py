"""Untrusted patterns match as RE2 documents, and none of them can block a worker."""

from __future__ import annotations

import random
import re

import pytest

from apps.parsing.routing.patterns import UnusablePattern, compile_pattern

TEXT = "Total: 1,400.50 EUR\nInvoice No. AB-7 of 2025-03-01\n\nÜberweisung an Łódź\n"


@pytest.mark.parametrize("flags", ["", "i", "m", "s", "ims"])
@pytest.mark.parametrize(
    "source",
    [
        r"\d{4}-\d{2}-\d{2}",
        r"\d{5}",
        "invoice",
        "^Invoice",
        r"EUR.Invoice",
        r"\bAB\b",
        r"\BB\b",
        r"(total|sum): [\d,]+\.\d+",
        "[^a-zäöü\\s]{3}",
        r"^$",
        "(?:No|Nr)\\.? [A-Z]{2}-?7?",
        "x*?",
        "(?i:TOTAL)",
        "ÜBER|łódź",
        "",
    ],
)
def test_a_pattern_matches_where_python_matches(source: str, flags: str) -> None:
    python = sum(({"i": re.I, "m": re.M, "s": re.S}[flag] for flag in flags), re.NOFLAG)
    assert compile_pattern(source, flags).occurs_in(TEXT) is bool(re.search(source, TEXT, python))
    assert compile_pattern(source, flags).occurs_in("") is bool(re.search(source, "", python))


@pytest.mark.parametrize(
    ("source", "is_found"), [(r"\p{L}{11}", True), (r"Łódź\n\z", True), (r"Łódź$", False), (r"(?m)Łódź$", True)]
)
def test_letters_of_all_languages_and_the_end_of_the_text(source: str, *, is_found: bool) -> None:
    assert compile_pattern(source).occurs_in(TEXT) is is_found


def test_javascript_patterns_are_accepted() -> None:
    assert compile_pattern(r"(?<year>\d{4})\/?", "gi").occurs_in("in 2025")


@pytest.mark.parametrize("source", ["(a+)+$", "(a|aa)+$", "(.*a){20}c", "(a|a?)+c", r"(\w+\s?)+!!", "([ab]{1,9}a){4}c"])
def test_patterns_that_backtrack_forever_in_re_finish(source: str) -> None:
    """With backtracking each of these would take longer than the age of the universe."""
    assert not compile_pattern(source).occurs_in("a" * 20_000 + "!")


def test_a_pattern_with_more_states_than_the_cache_finishes() -> None:
    letters = "".join(random.Random(7).choice("ab") for _ in range(20_000))
    assert not compile_pattern("(a|b)*a(a|b){60}c").occurs_in(letters)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (r"(a)\1", "back references"),
        (r"(?P<x>a)(?P=x)", "back references"),
        ("a(?=b)", "look-around"),
        ("a(?!b)", "look-around"),
        ("(?<!a)b", "look-around"),
        ("(?<=a)b", "look-around"),
        ("(?>a)", "atomic"),
        ("a++", "possessive"),
        ("(a)?(?(1)b|c)", "conditions"),
        ("x{1001}", "1,000 times"),
        ("((a{20}){20}){20}", "1,000 times"),
        (r"\p{L}{30}", "20000 steps"),
        (r"\p{L}{900}", "20000 steps"),
        ("a" * 1001, "longer than 1000"),
        ("[", "missing ]"),
        (r"a\Z", "Write .*z for the end"),
        (r"\u20ac", "Write"),
        ("a\ud800", "half a character"),
    ],
)
def test_an_unsupported_pattern_is_refused_with_the_reason(source: str, reason: str) -> None:
    with pytest.raises(UnusablePattern, match=reason):
        compile_pattern(source)


def test_no_error_of_a_pattern_reaches_the_log_of_the_process(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UnusablePattern):
        compile_pattern("secret(")
    assert capfd.readouterr() == ("", "")
