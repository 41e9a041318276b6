"""Bold and italic by the names of fonts."""

from __future__ import annotations

import pytest

from apps.pages.pdf.fonts.font_facts import facts_of_name


@pytest.mark.parametrize(
    ("name", "bold", "italic"),
    [
        ("ABCDEF+NimbusRomNo9L-Medi", True, False),
        ("NimbusRomNo9L-MediItal", True, True),
        ("NimbusRomNo9L-Regu", False, False),
        ("CMBX12", True, False),
        ("SFBX1095", True, False),
        ("CMSSBX10", True, False),
        ("SFTI1000", False, True),
        ("ClarityCity-Medium", False, False),
        ("Helvetica-BoldOblique", True, True),
        ("Boxtician", False, False),
    ],
)
def test_weight_and_slant_follow_from_the_name(name: str, bold: bool, italic: bool) -> None:
    facts = facts_of_name(name, -1)

    assert (facts.bold, facts.italic) == (bold, italic)
