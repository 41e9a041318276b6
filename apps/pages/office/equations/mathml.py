"""Write equations in MathML (MathML Core, and MathML 3 for fences and scripts on the left) as LaTeX."""

from __future__ import annotations

from collections.abc import Callable

from apps.pages.model.text.safe_text import clean
from apps.pages.office.archive import Archive
from apps.pages.office.equations.signs import (
    ACCENTS,
    FUNCTIONS,
    GROUPS,
    MAX_LATEX_CHARACTERS,
    N_ARY,
    scripted,
    sign,
    words,
)
from apps.pages.office.xml_parts import Element, local_name, part

_MOVABLE_LIMITS = {f"\\{name}" for name in (*N_ARY.values(), "lim", "max", "min", "sup", "inf", "limsup", "liminf")}


def latex(equation: Element) -> str:
    """Return a ``math`` without dollar signs: its TeX if it has one, else what its elements mean.

    What is not known is written as its text.
    """
    try:
        written = _source(equation) or _inside(equation)
    except RecursionError:
        written = clean("".join(equation.itertext()))
    return " ".join(written.split())[:MAX_LATEX_CHARACTERS]


def latex_of_object(archive: Archive, address: str) -> str:
    """Return the equation that is a file inside an OpenDocument file; "" if the file is something else."""
    root = part(archive, address.removeprefix("./").rstrip("/") + "/content.xml")
    return latex(root) if root is not None and local_name(root) == "math" else ""


def _source(equation: Element) -> str:
    """Return the TeX from which the equation was made, if it says so."""
    for note in equation.iter("annotation", "{*}annotation"):
        if "tex" in note.get("encoding", "").lower():
            return "".join(note.itertext())
    return str(equation.get("alttext") or "")


def _parts(element: Element) -> list[str]:
    return [_written(child) for child in element if isinstance(child.tag, str)]


def _inside(element: Element) -> str:
    return "".join(_parts(element))


def _written(element: Element) -> str:
    write = _ELEMENTS.get(local_name(element))
    return write(element) if write else _inside(element)


def _text(element: Element) -> str:
    return clean(" ".join("".join(element.itertext()).split()))


def _identifier(element: Element) -> str:
    name = _text(element)
    if name in FUNCTIONS:
        return f"\\{name} "
    return sign(name) if len(name) < 2 or not name.isalpha() else f"\\mathrm{{{name}}}"


def _operator(element: Element) -> str:
    name = _text(element)
    return f"\\{name} " if name in FUNCTIONS else f"\\{N_ARY[name]} " if name in N_ARY else sign(name)


def _two(element: Element) -> tuple[str, str]:
    first, second, *_others = (*_parts(element), "", "")
    return first, second


def _fraction(element: Element) -> str:
    top, bottom = _two(element)
    if element.get("linethickness", "").strip("ptxemn ") in ("0", "0.0"):
        return f"\\genfrac{{}}{{}}{{0pt}}{{}}{{{top}}}{{{bottom}}}"
    return f"\\frac{{{top}}}{{{bottom}}}"


def _root(element: Element) -> str:
    base, degree = _two(element)
    return f"\\sqrt[{degree}]{{{base}}}"


def _scripts(element: Element) -> str:
    base, first, second = (*_parts(element), "", "", "")[:3]
    kind = local_name(element)
    if kind == "msubsup":
        return scripted(base, first, second)
    return scripted(base, first, None) if kind == "msub" else scripted(base, None, first)


def _below(element: Element) -> str:
    base, limit = _two(element)
    if base.strip() in _MOVABLE_LIMITS:
        return f"{base.strip()}_{{{limit}}}"
    mark = _text(element[1]) if len(element) > 1 else ""
    if mark in GROUPS or mark == "_":
        return f"\\{GROUPS.get(mark, 'underline')}{{{base}}}"
    return f"{base}_{{{limit}}}" if base.startswith("\\underbrace") else f"\\underset{{{limit}}}{{{base}}}"


def _above(element: Element) -> str:
    base, limit = _two(element)
    if base.strip() in _MOVABLE_LIMITS:
        return f"{base.strip()}^{{{limit}}}"
    mark = _text(element[1]) if len(element) > 1 else ""
    if mark in ACCENTS or mark in GROUPS:
        return f"\\{ACCENTS.get(mark) or GROUPS[mark]}{{{base}}}"
    return f"{base}^{{{limit}}}" if base.startswith("\\overbrace") else f"\\overset{{{limit}}}{{{base}}}"


def _around(element: Element) -> str:
    base, below, above = (*_parts(element), "", "", "")[:3]
    if base.strip() in _MOVABLE_LIMITS:
        return f"{base.strip()}_{{{below}}}^{{{above}}}"
    return f"\\overset{{{above}}}{{\\underset{{{below}}}{{{base}}}}}"


def _many_scripts(element: Element) -> str:
    """Return a base with scripts on its right, and after ``mprescripts`` on its left; pairs of below and above."""
    children = [child for child in element if isinstance(child.tag, str)]
    names = [local_name(child) for child in children]
    middle = names.index("mprescripts") if "mprescripts" in names else len(children)
    parts = [_written(child) for child in children]
    left = parts[middle + 1 :]
    return f"{_pairs('{}', left) if left else ''}{_pairs(parts[0] if parts else '', parts[1:middle])}"


def _pairs(base: str, scripts: list[str]) -> str:
    for below, above in zip(scripts[::2], [*scripts[1::2], ""], strict=False):
        base = scripted(base, below or None, above or None)
    return base


def _fenced(element: Element) -> str:
    separators = [sign(one) for one in element.get("separators", ",").replace(" ", "")] or [""]
    inside = ""
    for place, content in enumerate(_parts(element)):
        inside += (separators[min(place - 1, len(separators) - 1)] if place else "") + content
    begin, end = sign(element.get("open", "(")).strip() or ".", sign(element.get("close", ")")).strip() or "."
    return f"\\left{begin} {inside}\\right{end} "


def _table(element: Element) -> str:
    rows = []
    for row in element:
        cells = [cell for cell in row if isinstance(cell.tag, str)] if isinstance(row.tag, str) else []
        if isinstance(row.tag, str) and local_name(row) == "mlabeledtr":
            cells = [*cells[1:], *cells[:1]]
        rows.append(" & ".join(map(_inside, cells)))
    return "\\begin{matrix}" + " \\\\ ".join(rows) + "\\end{matrix}"


def _enclosed(element: Element) -> str:
    return f"\\boxed{{{_inside(element)}}}" if "box" in element.get("notation", "") else _inside(element)


def _first(element: Element) -> str:
    return next(iter(_parts(element)), "")


_ELEMENTS: dict[str, Callable[[Element], str]] = {
    "mi": _identifier,
    "mn": lambda element: sign(_text(element)),
    "mo": _operator,
    "mtext": lambda element: words("".join(element.itertext())) if _text(element) else "\\ ",
    "ms": lambda element: words(f'"{_text(element)}"'),
    "mspace": lambda _element: "\\ ",
    "mphantom": lambda _element: "",
    "mfrac": _fraction,
    "msqrt": lambda element: f"\\sqrt{{{_inside(element)}}}",
    "mroot": _root,
    "msub": _scripts,
    "msup": _scripts,
    "msubsup": _scripts,
    "munder": _below,
    "mover": _above,
    "munderover": _around,
    "mmultiscripts": _many_scripts,
    "mfenced": _fenced,
    "mtable": _table,
    "menclose": _enclosed,
    "maction": _first,
    "semantics": _first,
    "annotation": lambda _element: "",
    "annotation-xml": lambda _element: "",
}
