"""PDFs of which a few bytes were changed. All 20,000: ``python -m tests.chaos.byte_flips``."""

from __future__ import annotations

import pytest

from tests.chaos import byte_flips


@pytest.mark.parametrize(
    ("first", "count"), [(0, 40), pytest.param(40, 1960, marks=[pytest.mark.long, pytest.mark.timeout(1800)])]
)
def test_changed_bytes_end_with_a_result_or_a_code(first: int, count: int) -> None:
    assert byte_flips.violations(byte_flips.run(count, first)) == []
