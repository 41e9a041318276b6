"""Numbers are shown as spreadsheet programs show them."""

from __future__ import annotations

import pytest

from apps.pages.office.sheets.number_formats import shown, shown_text

EURO = '_-* #,##0.00\\ "€"_-;\\-* #,##0.00\\ "€"_-;_-* "-"??\\ "€"_-;_-@_-'


@pytest.mark.parametrize(
    ("value", "code", "text"),
    [
        (0.1 + 0.2, "General", "0.3"),
        (1e15, "General", "1E+15"),
        (0.0000123, "General", "1.23E-05"),
        (0.15, "0%", "15%"),
        (1234.5, "#,##0.00", "1,234.50"),
        (2.675, "0.00", "2.68"),
        (7, "000", "007"),
        (123.456, "0.0#", "123.46"),
        (123, "0.0#", "123.0"),
        (1_234_567, '0.0,,"M"', "1.2M"),
        (12, '0" kg"', "12 kg"),
        (-5, "#,##0_);(#,##0)", "(5)"),
        (-1234.5, '"$"#,##0.00_);[Red]("$"#,##0.00)', "($1,234.50)"),
        (0, '#,##0;-#,##0;"-"', "-"),
        (3, EURO, "3.00 €"),
        (0, EURO, "- €"),
        (1234, "[$€-407] #,##0.00", "€ 1,234.00"),
        (5, "[>=10]0.0;[<10]0.00", "5.00"),
        (1e10, "0.00E+00", "1.00E+10"),
        (12345, "##0.0E+0", "12.3E+3"),
        (2.5, "# ?/?", "2 1/2"),
        (0.3333, "# ?/?", "1/3"),
        (5_551_234_567, "(000) 000-0000", "(555) 123-4567"),
        (45292, "yyyy-mm-dd", "2024-01-01"),
        (45292.5, "m/d/yyyy h:mm", "1/1/2024 12:00"),
        (44197, "dddd, mmmm d, yyyy", "Friday, January 1, 2021"),
        (1, "yyyy-mm-dd", "1900-01-01"),
        (61, "yyyy-mm-dd", "1900-03-01"),
        (0.75, "h:mm AM/PM", "6:00 PM"),
        (1.5, "[h]:mm", "36:00"),
        (0.001, "mm:ss.0", "01:26.4"),
        (-1, "yyyy-mm-dd", "-1"),
    ],
)
def test_a_number_is_shown_in_its_format(value: float, code: str, text: str) -> None:
    assert shown(value, code) == text


def test_dates_of_older_workbooks_count_from_1904() -> None:
    assert shown(0, "yyyy-mm-dd", is_1904=True) == "1904-01-01"


def test_a_format_may_put_text_around_a_text() -> None:
    assert shown_text("a", '0;0;0;"Item "@') == "Item a"


@pytest.mark.parametrize("code", ["[", '"', "\\", ";;;;;;", "0" * 5_000, "E+", "/", "[>]0", "?/0", "0.0.0,", "\x00"])
def test_a_broken_format_still_shows_the_number(code: str) -> None:
    assert shown(12.5, code)
