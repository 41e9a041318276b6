"""Move the references of a formula, as a spreadsheet does when a formula is copied to another cell."""

from __future__ import annotations

import re

from apps.pages.office.sheets.content import cell_name

_PART = re.compile(r'"[^"]*"|\'[^\']*\'|(?<![A-Za-z0-9_.])(\$?)([A-Za-z]{1,3})(\$?)([0-9]{1,7})(?![A-Za-z0-9_(.])')


def moved(formula: str, rows: int, columns: int) -> str:
    """Return the formula with its relative references moved; "#REF!" for those that would leave the sheet."""

    def reference(found: re.Match[str]) -> str:
        if not found.group(2):
            return found.group()
        column = 0
        for letter in found.group(2).upper():
            column = 26 * column + ord(letter) - 64
        column += 0 if found.group(1) else columns
        row = int(found.group(4)) + (0 if found.group(3) else rows)
        if row < 1 or column < 1:
            return "#REF!"
        letters = cell_name(0, column - 1)[:-1]
        return f"{found.group(1)}{letters}{found.group(3)}{row}"

    return _PART.sub(reference, formula)
