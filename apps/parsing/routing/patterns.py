"""Search a text for an untrusted regular expression, in time that is linear in the text.

Python's ``re`` backtracks, so a pattern such as ``(a+)+$`` can take hours. Here a pattern becomes a program whose
positions are followed all at once, as the bits of one number (Thompson, 1968; R. Cox, "Regular expression matching: the
virtual machine approach", 2009). The cost of a character is bounded by the length of the program, for every text. The
syntax is Python's, without the features that such a machine cannot match: back references, look-around, atomic groups
and possessive repeats.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

MAX_PATTERN_CHARS = 1000
MAX_PROGRAM_STEPS = 200
"""Instructions of one pattern; ``x{1000}`` has a thousand and is refused."""
MAX_REMEMBERED_SETS = 4000
"""Cached sets of positions; a pattern that exceeds this clears its cache and continues, slower."""

# Properties of a place between two characters.
_TEXT_START, _LINE_START, _TEXT_END, _LINE_END, _LAST_LINE_END, _EDGE, _NO_EDGE = (1 << bit for bit in range(7))
_PLACES = {
    "AT_BEGINNING": _TEXT_START,
    "AT_BEGINNING_STRING": _TEXT_START,
    "AT_END": _LAST_LINE_END,
    "AT_END_STRING": _TEXT_END,
    "AT_BOUNDARY": _EDGE,
    "AT_NON_BOUNDARY": _NO_EDGE,
}
_PLACES_OF_LINES = {"AT_BEGINNING": _LINE_START, "AT_END": _LINE_END}
_REFUSED = {
    "GROUPREF": "back references",
    "GROUPREF_IGNORE": "back references",
    "GROUPREF_EXISTS": "conditions",
    "ASSERT": "look-around",
    "ASSERT_NOT": "look-around",
    "ATOMIC_GROUP": "atomic groups",
    "POSSESSIVE_REPEAT": "possessive repeats",
}
_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "g": re.NOFLAG, "u": re.NOFLAG}
_NAMED_GROUP = re.compile(r"\(\?<(?=[A-Za-z_])")  # as JavaScript writes it

Matcher = Callable[[str], bool]


class UnusablePattern(ValueError):
    """The regular expression cannot be used; the message gives the reason."""


@dataclass(frozen=True)
class _Jump:
    """Continue at each of ``targets``, if the place has one of the properties ``place`` (0: any place)."""

    targets: tuple[int, ...]
    place: int = 0


_Instruction = Matcher | _Jump


@dataclass
class Pattern:
    """A compiled pattern; ``source`` and ``flags`` as passed to ``compile_pattern``. Threads may share one."""

    source: str
    flags: str
    _program: list[_Instruction] = field(repr=False)
    _positions_by_character: dict[str, int] = field(default_factory=dict, repr=False)
    _reached: dict[tuple[int, int], int] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        """Return the number of instructions: the largest cost of a character."""
        return len(self._program)

    def occurs_in(self, text: str) -> bool:
        has_places = any(isinstance(each, _Jump) and each.place for each in self._program)
        accepted = 1 << len(self._program)
        positions = 0
        for index in range(len(text) + 1):
            place = _place(text, index) if has_places else 0
            positions = self._follow(positions | 1, place)
            if positions & accepted:
                return True
            if index < len(text):
                positions = (positions & self._positions_of(text[index])) << 1
        return False

    def _follow(self, positions: int, place: int) -> int:
        """Return every position that is reached from ``positions`` without consuming a character."""
        known = self._reached.get((positions, place))
        if known is not None:
            return known
        reached, waiting = 0, positions
        while waiting:
            lowest = waiting & -waiting
            waiting ^= lowest
            reached |= lowest
            number = lowest.bit_length() - 1
            each = self._program[number] if number < len(self._program) else None
            if isinstance(each, _Jump) and (not each.place or each.place & place):
                for target in each.targets:
                    waiting |= (1 << target) & ~reached
        if len(self._reached) >= MAX_REMEMBERED_SETS:
            self._reached.clear()
        self._reached[positions, place] = reached
        return reached

    def _positions_of(self, character: str) -> int:
        """Return the positions whose instruction matches this character."""
        if character not in self._positions_by_character:
            if len(self._positions_by_character) >= MAX_REMEMBERED_SETS:
                self._positions_by_character.clear()
            self._positions_by_character[character] = sum(
                1 << number
                for number, each in enumerate(self._program)
                if not isinstance(each, _Jump) and each(character)
            )
        return self._positions_by_character[character]


def compile_pattern(source: str, flags: str = "") -> Pattern:
    """Compile a pattern. ``flags``: the letters i, m, s; JavaScript's g and u change nothing. Raise UnusablePattern."""
    unknown = sorted(set(flags) - set(_FLAGS))
    if unknown:
        raise UnusablePattern(f"The flag {unknown[0]!r} is unknown. Use i, m, s, g or u.")
    if len(source) > MAX_PATTERN_CHARS:
        raise UnusablePattern(f"The pattern is longer than {MAX_PATTERN_CHARS} characters.")
    given = re.NOFLAG
    for flag in flags:
        given |= _FLAGS[flag]
    try:
        tree = import_module("re._parser").parse(_NAMED_GROUP.sub("(?P<", source), int(given))
        program = _Compiler().compiled(tree, tree.state.flags)
    except (re.error, OverflowError) as error:
        raise UnusablePattern(f"The pattern is not a regular expression: {error}.") from None
    except RecursionError:
        raise UnusablePattern("The pattern is nested too deeply. Use fewer groups inside groups.") from None
    return Pattern(source, flags, program)


class _Compiler:
    """Write the program of a syntax tree of ``re``. An instruction that matches a character is followed by the next."""

    def __init__(self) -> None:
        self._program: list[_Instruction] = []

    def compiled(self, tree: Iterable[Any], flags: int) -> list[_Instruction]:
        self._sequence(tree, flags)
        return self._program

    def _add(self, instruction: _Instruction) -> int:
        if len(self._program) >= MAX_PROGRAM_STEPS:
            raise UnusablePattern(
                f"The pattern has more than {MAX_PROGRAM_STEPS} steps once its repeats are written out. "
                "Use fewer or smaller repeats such as {1,50}."
            )
        self._program.append(instruction)
        return len(self._program) - 1

    def _sequence(self, nodes: Iterable[Any], flags: int) -> None:
        for operator, value in nodes:
            name = str(operator)
            if name in _REFUSED:
                raise UnusablePattern(f"The pattern uses {_REFUSED[name]}, which are not supported.")
            if name == "BRANCH":
                self._branch(value[1], flags)
            elif name in ("MAX_REPEAT", "MIN_REPEAT"):
                self._repeat(value[0], value[1], value[2], flags)
            elif name == "SUBPATTERN":
                _group, added, removed, inner = value
                self._sequence(inner, (flags | added) & ~removed)
            elif name == "AT":
                self._place(str(value), flags)
            else:
                self._add(_matcher(name, value, flags))

    def _place(self, name: str, flags: int) -> None:
        place = (_PLACES_OF_LINES.get(name) if flags & re.MULTILINE else None) or _PLACES[name]
        self._add(_Jump((len(self._program) + 1,), place))

    def _branch(self, branches: list[Any], flags: int) -> None:
        fork = self._add(_Jump(()))
        starts, ends = [], []
        for branch in branches:
            starts.append(len(self._program))
            self._sequence(branch, flags)
            ends.append(self._add(_Jump(())))
        self._program[fork] = _Jump(tuple(starts))
        for end in ends:
            self._program[end] = _Jump((len(self._program),))

    def _repeat(self, least: int, most: Any, inner: Any, flags: int) -> None:
        """Repeat ``least`` times, then optionally up to ``most`` times or, in a loop, without limit."""
        for _ in range(int(least)):
            before = len(self._program)
            self._sequence(inner, flags)
            if len(self._program) == before:  # (?:){1000000000}
                break
        if str(most) == "MAXREPEAT":
            fork = self._add(_Jump(()))
            self._sequence(inner, flags)
            self._add(_Jump((fork,)))
            self._program[fork] = _Jump((fork + 1, len(self._program)))
            return
        forks = []
        for _ in range(int(most) - int(least)):
            forks.append(self._add(_Jump(())))
            self._sequence(inner, flags)
        for fork in forks:
            self._program[fork] = _Jump((fork + 1, len(self._program)))


def _matcher(name: str, value: Any, flags: int) -> Matcher:
    if name == "ANY":
        return (lambda _character: True) if flags & re.DOTALL else (lambda character: character != "\n")
    if name == "NOT_LITERAL":
        return _any_of([("LITERAL", value)], negated=True, flags=flags)
    if name == "IN":
        negated = str(value[0][0]) == "NEGATE"
        return _any_of(value[negated:], negated=negated, flags=flags)
    return _any_of([(name, value)], negated=False, flags=flags)


def _any_of(parts: Iterable[Any], *, negated: bool, flags: int) -> Matcher:
    matchers = [_class(str(name), value) for name, value in parts]

    def matches(character: str) -> bool:
        cases = {character, character.lower(), character.upper()} if flags & re.IGNORECASE else (character,)
        return any(matches_it(case) for matches_it in matchers for case in cases) is not negated

    return matches


def _class(name: str, value: Any) -> Matcher:
    if name == "LITERAL":
        return chr(value).__eq__
    if name == "RANGE":
        first, last = chr(value[0]), chr(value[1])
        return lambda character: len(character) == 1 and first <= character <= last
    if name == "CATEGORY":
        return _CATEGORIES[str(value)]
    raise UnusablePattern(f"The pattern uses {name}, which is not supported.")


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


_CATEGORIES: Mapping[str, Matcher] = {
    "CATEGORY_DIGIT": str.isdecimal,
    "CATEGORY_NOT_DIGIT": lambda character: not character.isdecimal(),
    "CATEGORY_SPACE": str.isspace,
    "CATEGORY_NOT_SPACE": lambda character: not character.isspace(),
    "CATEGORY_WORD": _is_word,
    "CATEGORY_NOT_WORD": lambda character: not _is_word(character),
}


def _place(text: str, index: int) -> int:
    """Return the properties of the place before ``text[index]``."""
    before = text[index - 1] if index else ""
    after = text[index] if index < len(text) else ""
    place = _EDGE if _is_word(before) is not _is_word(after) else _NO_EDGE
    if not before:
        place |= _TEXT_START | _LINE_START
    elif before == "\n":
        place |= _LINE_START
    if not after:
        place |= _TEXT_END | _LINE_END | _LAST_LINE_END
    elif after == "\n":
        place |= _LINE_END | (_LAST_LINE_END if index == len(text) - 1 else 0)
    return place
