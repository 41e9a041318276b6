"""Lines in a script that the reading of their page does not have."""

from __future__ import annotations

from ocr_worker.lines.strange_lines import lines_inside, strange_lines, without_lines
from tests.unit.ocr_worker.test_lost_lines import line, quad

LATIN, OTHER, MARK = quad(0, 0, 400, 20), quad(0, 30, 400, 50), quad(0, 60, 60, 80)
READ = line(("forty", 0, 110), ("letters", 120, 260), ("hereabouts", 270, 398))


def test_a_line_with_few_letters_or_without_any_is_strange() -> None:
    garbage = line(("D", 0, 10), ("'", 200, 204), top=30)

    assert [found.tolist() for found in strange_lines([LATIN, OTHER], [READ, garbage])] == [OTHER.tolist()]
    assert [found.tolist() for found in strange_lines([LATIN, OTHER], [READ])] == [OTHER.tolist()]


def test_short_marks_are_not_strange() -> None:
    assert strange_lines([LATIN, MARK], [READ]) == []


def test_words_of_strange_lines_are_parted_from_the_others() -> None:
    garbage = line(("D", 0, 10), top=30)

    assert without_lines([READ, garbage], [OTHER]) == [READ]
    assert lines_inside([READ, garbage], [OTHER]) == [garbage]
