"""Read LaTeX in a text as far as a comparison of words needs it: names of signs become signs, other names vanish."""

from __future__ import annotations

import re
from collections.abc import Sequence

from apps.pages.model.blocks import TextSpan

_COMMAND = re.compile(r"\\(?:([a-zA-Z]{2,20})|([%$&#_{}]))")
_GREEK = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu"]
_GREEK += ["xi", "omicron", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega"]
_NAMES = ["log", "ln", "lg", "exp", "sin", "cos", "tan", "cot", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh"]
_NAMES += ["max", "min", "sup", "inf", "lim", "det", "dim", "ker", "deg", "arg", "gcd", "hom", "Pr", "mod"]
_OPERATORS = {
    "cup": "\u222a",
    "cap": "\u2229",
    "subset": "\u2282",
    "supset": "\u2283",
    "in": "\u2208",
    "notin": "\u2209",
}
_OPERATORS |= {"subseteq": "\u2286", "supseteq": "\u2287", "ni": "\u220b", "emptyset": "\u2205", "varnothing": "\u2205"}
_OPERATORS |= {
    "forall": "\u2200",
    "exists": "\u2203",
    "neg": "\u00ac",
    "lnot": "\u00ac",
    "wedge": "\u2227",
    "land": "\u2227",
}
_OPERATORS |= {"vee": "\u2228", "lor": "\u2228", "sum": "\u2211", "prod": "\u220f", "int": "\u222b", "oint": "\u222e"}
_OPERATORS |= {
    "partial": "\u2202",
    "nabla": "\u2207",
    "infty": "\u221e",
    "sqrt": "\u221a",
    "times": "\u00d7",
    "div": "\u00f7",
}
_OPERATORS |= {"mp": "\u2213", "neq": "\u2260", "ne": "\u2260", "approx": "\u2248", "equiv": "\u2261", "cong": "\u2245"}
_OPERATORS |= {"simeq": "\u2243", "propto": "\u221d", "to": "\u2192", "rightarrow": "\u2192", "leftarrow": "\u2190"}
_OPERATORS |= {"leftrightarrow": "\u2194", "mapsto": "\u21a6", "Rightarrow": "\u21d2", "implies": "\u21d2"}
_OPERATORS |= {"Leftarrow": "\u21d0", "Leftrightarrow": "\u21d4", "iff": "\u21d4", "perp": "\u22a5", "oplus": "\u2295"}
_OPERATORS |= {"otimes": "\u2297", "ell": "l", "varepsilon": "\u03b5", "varphi": "\u03c6", "vartheta": "\u03b8"}
_OPERATORS |= {"checkmark": "\u2713", "square": "\u2610"}
_SIGNS = {
    **{name: chr(0x3B1 + place + (place > 16)) for place, name in enumerate(_GREEK)},
    **{name.capitalize(): chr(0x391 + place + (place > 16)) for place, name in enumerate(_GREEK)},
    **{name: f" {name} " for name in _NAMES},
    **_OPERATORS,
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


def without_dollars(text: str, spans: Sequence[TextSpan]) -> str:
    """Return the text with spaces for the dollar signs around its formulas."""
    for span in spans:
        if span.latex:
            formula = text[span.start : span.end]
            text = f"{text[: span.start]}{formula.replace('$', ' ')}{text[span.end :]}"
    return text


def without_commands(text: str) -> str:
    """Return the text with the commands of LaTeX replaced by the signs that they print, or by a space."""
    if "\\" not in text:
        return text
    return _COMMAND.sub(lambda found: found[2] or _SIGNS.get(found[1], " "), text)
