"""Show a number as a spreadsheet program shows it with a number format (ECMA-376 part 1, 18.8.30 and 18.8.31).

The signs for decimals, thousands and dates are those that the formats are written with: English ones. Colours, blanks
for alignment and fill characters are left out.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from fractions import Fraction
from functools import lru_cache
from math import isfinite

from apps.pages.office.sheets import date_formats
from apps.pages.office.sheets.date_formats import Token

GENERAL = "General"
# The formats that files name only by number.
BUILT_IN = {
    0: GENERAL,
    1: "0",
    2: "0.00",
    3: "#,##0",
    4: "#,##0.00",
    5: '"$"#,##0_);("$"#,##0)',
    6: '"$"#,##0_);("$"#,##0)',
    7: '"$"#,##0.00_);("$"#,##0.00)',
    8: '"$"#,##0.00_);("$"#,##0.00)',
    9: "0%",
    10: "0.00%",
    11: "0.00E+00",
    12: "# ?/?",
    13: "# ??/??",
    14: "yyyy-mm-dd",  # the short date of the user's locale: the one that everybody understands
    15: "d-mmm-yy",
    16: "d-mmm",
    17: "mmm-yy",
    18: "h:mm AM/PM",
    19: "h:mm:ss AM/PM",
    20: "h:mm",
    21: "h:mm:ss",
    22: "yyyy-mm-dd h:mm",
    37: "#,##0_);(#,##0)",
    38: "#,##0_);(#,##0)",
    39: "#,##0.00_);(#,##0.00)",
    40: "#,##0.00_);(#,##0.00)",
    41: "#,##0_);(#,##0)",
    42: '"$"#,##0_);("$"#,##0)',
    43: "#,##0.00_);(#,##0.00)",
    44: '"$"#,##0.00_);("$"#,##0.00)',
    45: "mm:ss",
    46: "[h]:mm:ss",
    47: "mm:ss.0",
    48: "##0.0E+0",
    49: "@",
}
_TOKEN = re.compile(
    r'"(?P<text>[^"]*)"?|\\(?P<escaped>.)|_(?P<blank>.)|\*(?P<fill>.)|\[(?P<bracket>[^\]]*)\]'
    r"|(?P<ampm>AM/PM|A/P)|(?P<general>General)|(?P<exponent>E[+-])"
    r"|(?P<date>[yY]+|[mM]+|[dD]+|[hH]+|[sS]+|[bB]+|e+|g+)|(?P<digits>[0#?.,]+)|(?P<sign>.)",
    re.IGNORECASE | re.DOTALL,
)
_CONDITION = re.compile(r"(<=|>=|<>|<|>|=)\s*(-?[\d.]+)")
_CURRENCY = re.compile(r"\$([^-]*)(?:-[0-9A-Fa-f]+)?")


def shown(value: float, code: str = GENERAL, *, is_1904: bool = False) -> str:
    """Return a number as ``code`` shows it. ``is_1904``: dates count from 1904-01-01."""
    if code == GENERAL:
        return general(value)
    sections = _sections(code)
    tokens, is_signed = _chosen(sections, value)
    if any(kind == "general" for kind, _text in tokens) or not tokens:
        return "".join(general(value) if kind == "general" else text for kind, text in tokens) or general(value)
    if any(kind in ("date", "elapsed") for kind, _text in tokens):
        moment = date_formats.shown(value, tokens, is_1904=is_1904)
        return general(value) if moment is None else moment
    magnitude = abs(value) if is_signed else value
    if any(kind == "slash" for kind, _text in tokens):
        return _fraction(magnitude, tokens)
    if any(kind == "exponent" for kind, _text in tokens):
        return _scientific(magnitude, tokens)
    return _decimal(magnitude, tokens)


def shown_text(text: str, code: str) -> str:
    """Return a text as ``code`` shows it: its fourth section may put other text around it."""
    sections = _sections(code)
    if len(sections) < 4 or not any(kind == "at" for kind, _text in sections[3][0]):
        return text
    return "".join(text if kind == "at" else part for kind, part in sections[3][0] if kind in ("at", "text"))


def is_date(code: str) -> bool:
    return any(kind in ("date", "elapsed") for tokens, _condition in _sections(code)[:1] for kind, _text in tokens)


def general(value: float) -> str:
    """Return a number without a format: 15 digits at most, which is what a cell keeps; an error if it is none."""
    if not isfinite(value):
        return "#NUM!"
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    text = f"{value:.15g}"
    return text.replace("e+", "E+").replace("e-", "E-")


@lru_cache(512)
def _sections(code: str) -> tuple[tuple[tuple[Token, ...], str], ...]:
    """Return the parts of a format between semicolons, each as tokens and its condition (">=100", "" for none)."""
    parts: list[list[Token]] = [[]]
    conditions = [""]
    for match in _TOKEN.finditer(code[:1_000]):
        kind, text = str(match.lastgroup), match.group(str(match.lastgroup)) or ""
        if kind == "sign" and text == ";":
            parts.append([])
            conditions.append("")
        elif kind == "bracket" and _CONDITION.fullmatch(text):
            conditions[-1] = text
        elif token := _token(kind, text):
            parts[-1].append(token)
    return tuple((_settled(part), condition) for part, condition in zip(parts, conditions, strict=True))


def _token(kind: str, text: str) -> Token | None:
    """Return what a part of a format shows; None for colours, blanks for alignment and fill characters."""
    if kind == "bracket":
        if currency := _CURRENCY.fullmatch(text):
            return "text", currency.group(1)
        return ("elapsed", text.lower()) if re.fullmatch(r"[hH]+|[mM]+|[sS]+", text) else None
    if kind in ("text", "escaped"):
        return "text", text
    if kind == "sign":
        return {"%": "percent", "/": "slash", "@": "at"}.get(text, "text"), text
    if kind in ("ampm", "date"):
        return "date", text.upper() if kind == "ampm" else text.lower()
    return None if kind in ("blank", "fill") else (kind, text)


def _settled(tokens: list[Token]) -> tuple[Token, ...]:
    """Make minutes of the m beside hours and seconds, text of the slashes of dates, fractions of seconds of ".0"."""
    is_date = any(kind in ("date", "elapsed") for kind, _text in tokens)
    if not is_date:
        return tuple(tokens)
    settled: list[Token] = []
    clock = [(kind, text[0]) for kind, text in tokens if kind in ("date", "elapsed") and text not in ("AM/PM", "A/P")]
    place = -1
    for kind, text in tokens:
        if kind in ("date", "elapsed") and text not in ("AM/PM", "A/P"):
            place += 1
            before = clock[place - 1][1] if place else ""
            after = clock[place + 1][1] if place + 1 < len(clock) else ""
            if kind == "date" and text[0] == "m" and (before == "h" or after == "s"):
                text = "n" * len(text)
            settled.append((kind, text))
        elif kind == "digits" and text.startswith(".0"):
            settled.append(("date", text))
        elif kind in ("slash", "digits", "percent"):
            settled.append(("text", text))
        else:
            settled.append((kind, text))
    return tuple(settled)


def _chosen(sections: tuple[tuple[tuple[Token, ...], str], ...], value: float) -> tuple[tuple[Token, ...], bool]:
    """Return the section for a value, and whether the section itself shows the sign of negative numbers."""
    if any(condition for _tokens, condition in sections[:2]):
        for tokens, condition in sections[:3]:
            if not condition or _holds(condition, value):
                return tokens, False
    numeric = sections[:3]
    if value < 0 and len(numeric) > 1:
        return numeric[1][0], True
    if value == 0 and len(numeric) > 2:
        return numeric[2][0], True
    return numeric[0][0], False


def _holds(condition: str, value: float) -> bool:
    match = _CONDITION.fullmatch(condition)
    if match is None:
        return False
    try:
        bound = float(match.group(2))
    except ValueError:
        return False
    return {
        "<": value < bound,
        ">": value > bound,
        "=": value == bound,
        "<=": value <= bound,
        ">=": value >= bound,
        "<>": value != bound,
    }[match.group(1)]


def _decimal(value: float, tokens: tuple[Token, ...]) -> str:
    pattern = "".join(text for kind, text in tokens if kind == "digits")
    if not pattern:
        literal = "".join(text for kind, text in tokens if kind in ("text", "percent"))
        return ("-" + literal) if value < 0 and literal else literal if literal else general(value)
    whole, _, part = pattern.partition(".")
    last = part or whole
    scale = len(last) - len(last.rstrip(","))  # each comma behind the last digit divides by 1,000
    whole_digits, part = whole.rstrip(","), part.rstrip(",").replace(",", "")
    has_thousands = "," in whole_digits
    whole_digits = whole_digits.replace(",", "")
    try:
        number = Decimal(repr(value)) * (Decimal(100) ** sum(kind == "percent" for kind, _text in tokens))
        number = (number / (Decimal(1000) ** scale)).quantize(Decimal(1).scaleb(-len(part)), ROUND_HALF_UP)
    except InvalidOperation:
        return general(value)
    digits, _, decimals = f"{abs(number):f}".partition(".")
    if len(part) > part.count("0"):  # "#" and "?" show no closing zeros
        least = len(part.rstrip("#?"))
        decimals = decimals[:least] + decimals[least:].rstrip("0")
    digits = digits.lstrip("0").rjust(whole_digits.count("0"), "0")
    minus = "-" if number < 0 else ""
    places = [place for place, (kind, _text) in enumerate(tokens) if kind == "digits"]
    if any(kind == "text" for kind, _text in tokens[places[0] : places[-1]]) and "." not in pattern:
        return minus + _masked(digits, tokens)
    if has_thousands and digits:
        digits = f"{int(digits):,}".rjust(len(digits), "0")
    shown_number = digits + ("." + decimals if decimals or (part == "" and "." in pattern) else "")
    pieces, placed = [], False
    for kind, text in tokens:
        if kind == "digits":
            pieces.append("" if placed else shown_number)
            placed = True
        elif kind in ("text", "percent"):
            pieces.append(text)
    return minus + "".join(pieces)


def _masked(digits: str, tokens: tuple[Token, ...]) -> str:
    """Fill digits from the right into a format with text between its digits: telephone numbers, "000-00-0000"."""
    places = [place for place, (kind, _text) in enumerate(tokens) if kind == "digits"]
    pieces: list[str] = []
    for place in range(len(tokens) - 1, -1, -1):
        kind, text = tokens[place]
        if kind == "digits":
            size = len(digits) if place == places[0] else min(len(digits), len(text))
            pieces.append(digits[len(digits) - size :])
            digits = digits[: len(digits) - size]
        elif kind in ("text", "percent"):
            pieces.append(text)
    return "".join(reversed(pieces))


def _scientific(value: float, tokens: tuple[Token, ...]) -> str:
    place = next(place for place, (kind, _text) in enumerate(tokens) if kind == "exponent")
    mantissa = "".join(text for kind, text in tokens[:place] if kind == "digits")
    decimals = len(mantissa.partition(".")[2])
    width = next((len(text) for kind, text in tokens[place:] if kind == "digits"), 1)
    step = max(1, len(mantissa.partition(".")[0]))
    exponent = 0 if value == 0 else Decimal(repr(value)).adjusted() // step * step
    number = f"{value / 10.0**exponent:.{decimals}f}"
    sign = "-" if exponent < 0 else "+" if tokens[place][1].endswith("+") else ""
    return f"{number}E{sign}{abs(exponent):0{width}d}"


def _fraction(value: float, tokens: tuple[Token, ...]) -> str:
    place = next(place for place, (kind, _text) in enumerate(tokens) if kind == "slash")
    before = [text for kind, text in tokens[:place] if kind == "digits"]
    after = "".join(text for kind, text in tokens[place + 1 :] if kind in ("digits", "text")).strip()
    exact = Fraction(Decimal(repr(abs(value))))
    if after.isdigit() and int(after):
        fraction = Fraction(round(exact * int(after)), int(after))
        base = int(after)
    else:
        fraction = exact.limit_denominator(10 ** max(1, len(after)) - 1)
        base = fraction.denominator
    minus = "-" if value < 0 else ""
    whole, rest = divmod(fraction, 1) if len(before) > 1 else (0, fraction)
    if not rest:
        return f"{minus}{whole}"
    shown_rest = f"{rest.numerator * (base // rest.denominator)}/{base}"
    return f"{minus}{whole} {shown_rest}" if whole else f"{minus}{shown_rest}"
