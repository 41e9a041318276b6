"""Write the equations of Open XML files (OMML, ECMA-376 part 1, section 22.1) as LaTeX."""

from __future__ import annotations

from collections.abc import Callable

from apps.pages.model.text.safe_text import clean
from apps.pages.office.xml_parts import Element, attribute, local_name

M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
MAX_LATEX_CHARACTERS = 20_000
_LETTERS = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "ζ": "zeta", "η": "eta",
    "θ": "theta", "ι": "iota", "κ": "kappa", "λ": "lambda", "μ": "mu", "ν": "nu", "ξ": "xi", "π": "pi",
    "ρ": "rho", "σ": "sigma", "τ": "tau", "υ": "upsilon", "φ": "varphi", "χ": "chi", "ψ": "psi", "ω": "omega",
    "ϑ": "vartheta", "ϕ": "phi", "ϖ": "varpi", "ϱ": "varrho", "ς": "varsigma", "Γ": "Gamma", "Δ": "Delta",
    "Θ": "Theta", "Λ": "Lambda", "Ξ": "Xi", "Π": "Pi", "Σ": "Sigma", "Υ": "Upsilon", "Φ": "Phi", "Ψ": "Psi",
    "Ω": "Omega",
}  # fmt: skip
_SIGNS = {
    "×": "times", "÷": "div", "±": "pm", "∓": "mp", "⋅": "cdot", "·": "cdot", "∙": "bullet", "∗": "ast", "∘": "circ",
    "≤": "le", "≥": "ge", "≠": "ne", "≈": "approx", "≡": "equiv", "∼": "sim", "≅": "cong", "∝": "propto", "≪": "ll",
    "≫": "gg", "→": "to", "←": "leftarrow", "↔": "leftrightarrow", "⇒": "Rightarrow", "⇐": "Leftarrow",
    "⇔": "Leftrightarrow", "↦": "mapsto", "∞": "infty", "∂": "partial", "∇": "nabla", "∑": "sum", "∏": "prod",
    "∫": "int", "∬": "iint", "∭": "iiint", "∮": "oint", "∈": "in", "∉": "notin", "∋": "ni", "⊂": "subset",
    "⊆": "subseteq", "⊃": "supset", "⊇": "supseteq", "∪": "cup", "∩": "cap", "∅": "emptyset", "∀": "forall",
    "∃": "exists", "¬": "neg", "∧": "wedge", "∨": "vee", "⊕": "oplus", "⊗": "otimes", "…": "ldots", "⋯": "cdots",
    "⋮": "vdots", "⋱": "ddots", "ℏ": "hbar", "ℓ": "ell", "ℜ": "Re", "ℑ": "Im", "ℵ": "aleph", "∠": "angle",
    "⊥": "perp", "∥": "parallel", "†": "dagger", "√": "surd", "⟨": "langle", "⟩": "rangle", "⌈": "lceil",
    "⌉": "rceil", "⌊": "lfloor", "⌋": "rfloor", "‖": "|", "∣": "mid", "ℝ": "mathbb{R}", "ℕ": "mathbb{N}",
    "ℤ": "mathbb{Z}", "ℚ": "mathbb{Q}", "ℂ": "mathbb{C}", "∴": "therefore", "∵": "because",
}  # fmt: skip
_SPECIAL = {
    "\\": "\\backslash ", "{": "\\{", "}": "\\}", "#": "\\#", "%": "\\%", "&": "\\&", "_": "\\_", "$": "\\$",
    "^": "\\hat{}", "~": "\\sim ", "−": "-", "\u2061": "", "\u2062": "", "\u2063": "", "\u00a0": "\\ ",
    "\u2009": "\\,", "\u2003": "\\quad ", "′": "'", "″": "''",
}  # fmt: skip
_ACCENTS = {
    "\u0302": "hat", "^": "hat", "\u0303": "tilde", "~": "tilde", "\u0304": "bar", "\u0305": "overline",
    "¯": "overline", "\u20d7": "vec", "→": "vec", "\u20d6": "overleftarrow", "\u0307": "dot", "˙": "dot",
    "\u0308": "ddot", "\u20db": "dddot", "\u030c": "check", "\u0306": "breve", "\u0301": "acute", "\u0300": "grave",
}  # fmt: skip
_FUNCTIONS = {
    "sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh", "coth", "arcsin", "arccos", "arctan",
    "log", "ln", "lg", "exp", "lim", "min", "max", "sup", "inf", "det", "gcd", "deg", "dim", "ker", "hom",
    "arg", "Pr", "limsup", "liminf",
}  # fmt: skip
_N_ARY = {"∑": "sum", "∏": "prod", "∐": "coprod", "∫": "int", "∬": "iint", "∭": "iiint", "∮": "oint", "⋃": "bigcup",
          "⋂": "bigcap", "⋁": "bigvee", "⋀": "bigwedge"}  # fmt: skip
_GROUPS = {"⏞": "overbrace", "⏟": "underbrace", "\u0305": "overline", "\u0332": "underline", "→": "overrightarrow",
           "←": "overleftarrow"}  # fmt: skip


def latex(equation: Element) -> str:
    """Return an ``m:oMath`` without dollar signs. What is not known is written as its text."""
    return " ".join(_inside(equation).split())[:MAX_LATEX_CHARACTERS]


def sign(text: str) -> str:
    """Return characters of an equation in LaTeX."""
    parts = []
    for letter in clean(text):
        name = _LETTERS.get(letter) or _SIGNS.get(letter)
        mathematical = _plain_letter(letter)
        parts.append(f"\\{name} " if name else _SPECIAL.get(letter, mathematical))
    return "".join(parts)


def _plain_letter(letter: str) -> str:
    """Return the letter that a mathematical italic or bold letter (U+1D400...) stands for."""
    if not "\U0001d400" <= letter <= "\U0001d7ff":
        return letter
    import unicodedata

    plain = unicodedata.normalize("NFKC", letter)
    return f"\\{_LETTERS[plain]} " if plain in _LETTERS else plain


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
        return "\\text{" + clean(text).replace("{", "").replace("}", "").replace("\\", "").replace("$", "\\$") + "}"
    return sign(text)


def _fraction(element: Element) -> str:
    top, bottom, kind = _child(element, "num"), _child(element, "den"), _property(element, "type", "bar")
    if kind in ("lin", "skw"):
        return f"{{{top}}}/{{{bottom}}}"
    if kind == "noBar":
        return f"\\genfrac{{}}{{}}{{0pt}}{{}}{{{top}}}{{{bottom}}}"
    return f"\\frac{{{top}}}{{{bottom}}}"


def _scripts(element: Element) -> str:
    base, below, above = (_child(element, name) for name in ("e", "sub", "sup"))
    is_one_sign = len(base.strip()) <= 1 or (base.startswith("\\") and base.strip()[1:].isalpha())
    base = base if is_one_sign else f"{{{base}}}"
    name = local_name(element)
    return base + (f"_{{{below}}}" if name != "sSup" else "") + (f"^{{{above}}}" if name != "sSub" else "")


def _before(element: Element) -> str:
    return f"{{}}_{{{_child(element, 'sub')}}}^{{{_child(element, 'sup')}}}{_child(element, 'e')}"


def _root(element: Element) -> str:
    degree = "" if _is_set(element, "degHide") else _child(element, "deg")
    return f"\\sqrt{f'[{degree}]' if degree else ''}{{{_child(element, 'e')}}}"


def _n_ary(element: Element) -> str:
    mark = _property(element, "chr", "∫")
    below, above = _child(element, "sub"), _child(element, "sup")
    limits = (f"_{{{below}}}" if below else "") + (f"^{{{above}}}" if above else "")
    return (f"\\{_N_ARY[mark]}" if mark in _N_ARY else sign(mark)) + f"{limits}{{{_child(element, 'e')}}}"


def _delimited(element: Element) -> str:
    begin, end = _property(element, "begChr", "("), _property(element, "endChr", ")")
    separator = sign(_property(element, "sepChr", "|"))
    inside = separator.join(_inside(part) for part in element.findall(f"{M}e"))
    return f"\\left{sign(begin).strip() or '.'} {inside}\\right{sign(end).strip() or '.'} "


def _function(element: Element) -> str:
    name = _child(element, "fName")
    for word in sorted(_FUNCTIONS, key=len, reverse=True):
        if name.startswith(word) and not name[len(word) :][:1].isalpha():
            name = f"\\{name}"
            break
    return f"{name}{{{_child(element, 'e')}}}"


def _accent(element: Element) -> str:
    mark = _property(element, "chr", "\u0302")
    return f"\\{_ACCENTS.get(mark, 'hat')}{{{_child(element, 'e')}}}"


def _bar(element: Element) -> str:
    return f"\\{'overline' if _property(element, 'pos', 'bot') == 'top' else 'underline'}{{{_child(element, 'e')}}}"


def _group(element: Element) -> str:
    return f"\\{_GROUPS.get(_property(element, 'chr', '⏟'), 'underbrace')}{{{_child(element, 'e')}}}"


def _limit(element: Element) -> str:
    base, limit = _child(element, "e"), _child(element, "lim")
    if local_name(element) == "limUpp":
        return f"\\overset{{{limit}}}{{{base}}}"
    if base.strip() in _FUNCTIONS:
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
