"""Read LaTeX in a text as far as a comparison of words needs it: names of signs become signs, other names vanish."""

from __future__ import annotations

import re

_COMMAND = re.compile(r"\\(?:([a-zA-Z]{2,20})|([%$&#_{}]))")
_GREEK = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu"]
_GREEK += ["xi", "omicron", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega"]
_SIGNS = {
    **{name: chr(0x3B1 + place + (place > 16)) for place, name in enumerate(_GREEK)},
    **{name.capitalize(): chr(0x391 + place + (place > 16)) for place, name in enumerate(_GREEK)},
    "leq": "\u2264",
    "le": "\u2264",
    "geq": "\u2265",
    "ge": "\u2265",
    "pm": "\u00b1",
    "lt": "<",
    "gt": ">",
    "circ": "\u00b0",
    "degree": "\u00b0",
    "celsius": "\u00b0C",
    "percent": "%",
    "euro": "\u20ac",
    "pounds": "\u00a3",
    "textdollar": "$",
    "textperthousand": "\u2030",
}


def without_commands(text: str) -> str:
    """Return the text with the commands of LaTeX replaced by the signs that they print, or by a space."""
    if "\\" not in text:
        return text
    return _COMMAND.sub(lambda found: found[2] or _SIGNS.get(found[1], " "), text)
