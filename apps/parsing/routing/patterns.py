"""Search a text for an untrusted regular expression with RE2, in time that is linear in the text.

Python's ``re`` backtracks, so a pattern such as ``(a+)+$`` can take hours. RE2 never does, and therefore has no back
references, look-around, atomic groups or possessive repeats. Its syntax: https://github.com/google/re2/wiki/Syntax
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from re2 import _Regexp

MAX_PATTERN_CHARS = 1000
MAX_PROGRAM_STEPS = 20_000
"""Instructions of one compiled pattern. A pattern near the limit takes about 0.2 s for 20,000 characters at worst."""
# RE2 names what it cannot read by its first signs. Each has a sentence that says what to do.
_REFUSED = {
    "invalid perl operator: (?=": "The pattern uses look-around, which is not supported.",
    "invalid perl operator: (?!": "The pattern uses look-around, which is not supported.",
    "invalid perl operator: (?<": "The pattern uses look-around, which is not supported.",
    "invalid perl operator: (?>": "The pattern uses atomic groups, which are not supported.",
    "invalid perl operator: (?(": "The pattern uses conditions, which are not supported.",
    "invalid perl operator: (?P": "The pattern uses back references by name, which are not supported.",
    "bad repetition operator: ": "The pattern repeats a repeat (possessive repeats such as a++ are not supported).",
    "invalid repetition size: ": "The pattern repeats something more than 1,000 times. Use smaller repeats.",
    "invalid escape sequence: \\Z": "The pattern uses \\Z. Write \\z for the end of the text.",
    "invalid escape sequence: \\u": "The pattern uses \\u. Write \\x{20AC} for the character U+20AC.",
    "expression nests too deeply": "The pattern is nested too deeply. Use fewer groups inside groups.",
    "pattern too large": f"The pattern has more than {MAX_PROGRAM_STEPS} steps. Use fewer or smaller repeats.",
    **{
        f"invalid escape sequence: \\{digit}": "The pattern uses back references, which are not supported."
        for digit in range(1, 10)
    },
}


class UnusablePattern(ValueError):
    """The regular expression cannot be used; the message gives the reason."""


@dataclass(frozen=True)
class Pattern:
    """A compiled pattern; ``source`` and ``flags`` as passed to ``compile_pattern``. Threads may share one."""

    source: str
    flags: str
    _compiled: _Regexp = field(repr=False)

    def __len__(self) -> int:
        """Return the number of instructions: the largest cost of a character."""
        return int(self._compiled.programsize)

    def occurs_in(self, text: str) -> bool:
        return self._compiled.search(text.encode("utf-8", "replace")) is not None


def compile_pattern(source: str, flags: str = "") -> Pattern:
    """Compile a pattern. ``flags``: the letters i, m, s; JavaScript's g and u change nothing. Raise UnusablePattern."""
    import re2

    unknown = sorted(set(flags) - set("imsgu"))
    if unknown:
        raise UnusablePattern(f"The flag {unknown[0]!r} is unknown. Use i, m, s, g or u.")
    if len(source) > MAX_PATTERN_CHARS:
        raise UnusablePattern(f"The pattern is longer than {MAX_PATTERN_CHARS} characters.")
    options = re2.Options()
    options.log_errors = False
    inline_flags = "".join(flag for flag in "ims" if flag in flags)
    try:
        compiled = re2.compile(f"(?{inline_flags}){source}" if inline_flags else source, options)
    except UnicodeEncodeError:
        raise UnusablePattern("The pattern contains half a character (a lone surrogate).") from None
    except re2.error as error:
        reason = error.args[0].decode("utf-8", "replace")
        known = next((sentence for begin, sentence in _REFUSED.items() if reason.startswith(begin)), "")
        raise UnusablePattern(known or f"The pattern is not a regular expression: {reason}.") from None
    if compiled.programsize > MAX_PROGRAM_STEPS:
        raise UnusablePattern(_REFUSED["pattern too large"])
    return Pattern(source, flags, compiled)
