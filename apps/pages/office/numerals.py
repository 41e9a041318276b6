"""Write numbers as lists do: decimal, Roman, with letters, and in the scripts of East Asia."""

from __future__ import annotations

from collections.abc import Callable

_ROMAN = (
    (1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"),
    (50, "l"), (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"),
)  # fmt: skip
_CHINESE = "〇一二三四五六七八九"
_GANADA = "가나다라마바사아자차카타파하"
_AIUEO = "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワヲン"
_RUSSIAN = "абвгдежзиклмнопрстуфхцчшщыэюя"
MAX_ROMAN = 4_000


def roman(value: int) -> str:
    if not 0 < value < MAX_ROMAN:
        return str(value)
    text = ""
    for size, sign in _ROMAN:
        text += sign * (value // size)
        value %= size
    return text


def letters(value: int) -> str:
    """Return a, b ... z, aa, bb: a letter is repeated."""
    if not 0 < value <= 780:
        return str(value)
    times, letter = divmod(value - 1, 26)
    return chr(ord("a") + letter) * (times + 1)


def chinese(value: int) -> str:
    """Return a number below 100 as it is counted: 十二."""
    tens, ones = divmod(value, 10)
    if not 0 < tens < 10:
        return _CHINESE[ones] if tens == 0 else str(value)
    return ("" if tens == 1 else _CHINESE[tens]) + "十" + (_CHINESE[ones] if ones else "")


def _ordinal(value: int) -> str:
    ending = "th" if value % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(value % 10, "th")
    return f"{value}{ending}"


def _of(alphabet: str) -> Callable[[int], str]:
    return lambda value: alphabet[value - 1] if 0 < value <= len(alphabet) else str(value)


_KINDS: dict[str, Callable[[int], str]] = {
    "lowerRoman": roman,
    "upperRoman": lambda value: roman(value).upper(),
    "lowerLetter": letters,
    "upperLetter": lambda value: letters(value).upper(),
    "decimalZero": lambda value: f"{value:02}",
    "ordinal": _ordinal,
    "none": lambda _value: "",
    "decimalFullWidth": lambda value: "".join(chr(ord(digit) + 0xFEE0) for digit in str(value)),
    "decimalEnclosedCircle": lambda value: chr(0x245F + value) if 0 < value <= 20 else str(value),
    "decimalEnclosedCircleChinese": lambda value: chr(0x245F + value) if 0 < value <= 20 else str(value),
    "chineseCounting": chinese,
    "chineseCountingThousand": chinese,
    "japaneseCounting": chinese,
    "taiwaneseCounting": chinese,
    "taiwaneseCountingThousand": chinese,
    "ideographDigital": chinese,
    "ganada": _of(_GANADA),
    "aiueoFullWidth": _of(_AIUEO),
    "aiueo": _of(_AIUEO),
    "russianLower": _of(_RUSSIAN),
    "russianUpper": lambda value: _of(_RUSSIAN)(value).upper(),
}


def numeral(value: int, kind: str) -> str:
    """Return a number in one of the formats of ST_NumberFormat; decimal for those that are not known."""
    write = _KINDS.get(kind)
    return write(value) if write else str(value)
