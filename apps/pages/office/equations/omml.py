"""Write the equations of Open XML files (OMML, ECMA-376 part 1, section 22.1) as LaTeX."""

from __future__ import annotations

from collections.abc import Callable

from apps.pages.model.text.safe_text import clean
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
from apps.pages.office.xml_parts import Element, attribute, local_name

M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"


def latex(equation: Element) -> str:
    """Return an ``m:oMath`` without dollar signs. What is not known is written as its text."""
    try:
        written = _inside(equation)
    except RecursionError:
        written = clean("".join(equation.itertext()))
    return " ".join(written.split())[:MAX_LATEX_CHARACTERS]


def _inside(element: Element | None) -> str:
    if element is None:
        return ""
    return "".join(_written(child) for child in element if isinstance(child.tag, str))


def _child(element: Element, name: str) -> str:
    return _inside(element.find(M + name))


def _property(element: Element, name: str, default: str = "") -> str:
    """Return a value of the properties of an element; ``default`` where they do not have it."""
    properties = element.find(f"{M}{local_name(element)}Pr")
    child = properties.find(M + name) if properties is not None else None
    return default if child is None else attribute(child, "val")


def _is_set(element: Element, name: str) -> bool:
    return _property(element, name, "0") in ("", "1", "on", "true")


def _written(element: Element) -> str:
    name = local_name(element)
    if name.endswith("Pr"):
        return ""
    write = _ELEMENTS.get(name)
    return write(element) if write else _inside(element)


def _run(element: Element) -> str:
    text = "".join(child.text or "" for child in element if local_name(child) == "t")
    properties = element.find(f"{M}rPr")
    if properties is not None and properties.find(f"{M}nor") is not None and text.strip():
        return words(text)
    return sign(text)


def _fraction(element: Element) -> str:
    top, bottom, kind = _child(element, "num"), _child(element, "den"), _property(element, "type", "bar")
    if kind in ("lin", "skw"):
        return f"{{{top}}}/{{{bottom}}}"
    if kind == "noBar":
        return f"\\genfrac{{}}{{}}{{0pt}}{{}}{{{top}}}{{{bottom}}}"
    return f"\\frac{{{top}}}{{{bottom}}}"


def _scripts(element: Element) -> str:
    name = local_name(element)
    below = None if name == "sSup" else _child(element, "sub")
    above = None if name == "sSub" else _child(element, "sup")
    return scripted(_child(element, "e"), below, above)


def _before(element: Element) -> str:
    return f"{{}}_{{{_child(element, 'sub')}}}^{{{_child(element, 'sup')}}}{_child(element, 'e')}"


def _root(element: Element) -> str:
    degree = "" if _is_set(element, "degHide") else _child(element, "deg")
    return f"\\sqrt{f'[{degree}]' if degree else ''}{{{_child(element, 'e')}}}"


def _n_ary(element: Element) -> str:
    mark = _property(element, "chr", "∫")
    below, above = _child(element, "sub"), _child(element, "sup")
    limits = (f"_{{{below}}}" if below else "") + (f"^{{{above}}}" if above else "")
    return (f"\\{N_ARY[mark]}" if mark in N_ARY else sign(mark)) + f"{limits}{{{_child(element, 'e')}}}"


def _delimited(element: Element) -> str:
    begin, end = _property(element, "begChr", "("), _property(element, "endChr", ")")
    separator = sign(_property(element, "sepChr", "|"))
    inside = separator.join(_inside(part) for part in element.findall(f"{M}e"))
    return f"\\left{sign(begin).strip() or '.'} {inside}\\right{sign(end).strip() or '.'} "


def _function(element: Element) -> str:
    name = _child(element, "fName")
    for word in sorted(FUNCTIONS, key=len, reverse=True):
        if name.startswith(word) and not name[len(word) :][:1].isalpha():
            name = f"\\{name}"
            break
    return f"{name}{{{_child(element, 'e')}}}"


def _accent(element: Element) -> str:
    mark = _property(element, "chr", "\u0302")
    return f"\\{ACCENTS.get(mark, 'hat')}{{{_child(element, 'e')}}}"


def _bar(element: Element) -> str:
    return f"\\{'overline' if _property(element, 'pos', 'bot') == 'top' else 'underline'}{{{_child(element, 'e')}}}"


def _group(element: Element) -> str:
    return f"\\{GROUPS.get(_property(element, 'chr', '⏟'), 'underbrace')}{{{_child(element, 'e')}}}"


def _limit(element: Element) -> str:
    base, limit = _child(element, "e"), _child(element, "lim")
    if local_name(element) == "limUpp":
        return f"\\overset{{{limit}}}{{{base}}}"
    if base.strip() in FUNCTIONS:
        return f"\\{base.strip()}_{{{limit}}}"
    return f"{base}_{{{limit}}}" if base.lstrip("\\").startswith("underbrace") else f"\\underset{{{limit}}}{{{base}}}"


def _matrix(element: Element) -> str:
    rows = [" & ".join(_inside(cell) for cell in row.findall(f"{M}e")) for row in element.findall(f"{M}mr")]
    return "\\begin{matrix}" + " \\\\ ".join(rows) + "\\end{matrix}"


def _equations(element: Element) -> str:
    rows = " \\\\ ".join(_inside(row) for row in element.findall(f"{M}e"))
    return "\\begin{aligned}" + rows.replace("\\&", "&") + "\\end{aligned}"


_ELEMENTS: dict[str, Callable[[Element], str]] = {
    "r": _run,
    "f": _fraction,
    "sSup": _scripts,
    "sSub": _scripts,
    "sSubSup": _scripts,
    "sPre": _before,
    "rad": _root,
    "nary": _n_ary,
    "d": _delimited,
    "func": _function,
    "acc": _accent,
    "bar": _bar,
    "groupChr": _group,
    "limLow": _limit,
    "limUpp": _limit,
    "m": _matrix,
    "eqArr": _equations,
    "borderBox": lambda element: f"\\boxed{{{_child(element, 'e')}}}",
}
