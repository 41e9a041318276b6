"""Turn TeX formulas back into printed signs. LiteParse writes some runs as TeX between dollar signs.

The result must contain the text as printed. TeX is not on the page, and its backslashes would be escaped anyway.
"""

from __future__ import annotations

import re

_FORMULA = re.compile(r"\$([^$]*(?:\\|[\^_]\{)[^$]*)\$")
_COMMAND = re.compile(r"\\([A-Za-z]+|.)\s?")
_STYLED = re.compile(
    r"\\(?:mathbb|mathfrak|mathcal|mathscr|mathrm|mathbf|mathit|mathsf|mathtt|boldsymbol|text|textbf|textit|textrm"
    r"|operatorname|overline|bar|hat|tilde|vec|dot|ddot|underline|widehat|widetilde|pmb|bm|left|right|big|Big|bigg|Bigg)"
    r"(?![A-Za-z])\*?\s?"
)
_FRACTION = re.compile(r"\\[dt]?frac\s?\{([^{}]*)\}\s?\{([^{}]*)\}")
_SIGNS = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ϵ", "varepsilon": "ε", "zeta": "ζ", "eta": "η",
    "theta": "θ", "vartheta": "ϑ", "iota": "ι", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π",
    "rho": "ρ", "varrho": "ϱ", "sigma": "σ", "varsigma": "ς", "tau": "τ", "upsilon": "υ", "phi": "ϕ", "varphi": "φ",
    "chi": "χ", "psi": "ψ", "omega": "ω", "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ", "Xi": "Ξ", "Pi": "Π",
    "Sigma": "Σ", "Upsilon": "Υ", "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω", "ell": "ℓ", "hbar": "ℏ", "Re": "ℜ", "Im": "ℑ",
    "aleph": "ℵ", "partial": "∂", "nabla": "∇", "infty": "∞", "emptyset": "∅", "varnothing": "∅", "forall": "∀",
    "exists": "∃", "nexists": "∄", "neg": "¬", "lnot": "¬", "in": "∈", "notin": "∉", "ni": "∋", "subset": "⊂",
    "supset": "⊃", "subseteq": "⊆", "supseteq": "⊇", "subsetneq": "⊊", "supsetneq": "⊋", "nsubseteq": "⊈", "cup": "∪",
    "cap": "∩", "bigcup": "⋃", "bigcap": "⋂", "setminus": "\\", "smallsetminus": "∖", "times": "×", "cdot": "·",
    "div": "÷", "pm": "±", "mp": "∓", "ast": "∗", "star": "⋆", "circ": "◦", "bullet": "•", "oplus": "⊕", "ominus": "⊖",
    "otimes": "⊗", "odot": "⊙", "wedge": "∧", "land": "∧", "vee": "∨", "lor": "∨", "le": "≤", "leq": "≤", "ge": "≥",
    "geq": "≥", "leqslant": "⩽", "geqslant": "⩾", "ll": "≪", "gg": "≫", "ne": "≠", "neq": "≠", "equiv": "≡",
    "sim": "∼", "simeq": "≃", "approx": "≈", "cong": "∼=", "propto": "∝", "perp": "⊥", "parallel": "∥", "mid": "|",
    "nmid": "∤", "vert": "|", "Vert": "‖", "to": "→", "rightarrow": "→", "leftarrow": "←", "leftrightarrow": "↔",
    "Rightarrow": "⇒", "Leftarrow": "⇐", "Leftrightarrow": "⇔", "iff": "⇔", "implies": "⇒", "mapsto": "↦",
    "longrightarrow": "→", "hookrightarrow": "↪", "uparrow": "↑", "downarrow": "↓", "sum": "∑", "prod": "∏",
    "int": "∫", "oint": "∮", "coprod": "∐", "sqrt": "√", "angle": "∠", "triangle": "△", "square": "□", "dots": "…",
    "ldots": "…", "cdots": "⋯", "vdots": "⋮", "ddots": "⋱", "prime": "′", "dagger": "†", "ddagger": "‡", "S": "§",
    "langle": "⟨", "rangle": "⟩", "lceil": "⌈", "rceil": "⌉", "lfloor": "⌊", "rfloor": "⌋", "lbrace": "{",
    "rbrace": "}",
    "quad": " ", "qquad": " ", "therefore": "∴", "because": "∵", "models": "⊨", "vdash": "⊢", "top": "⊤", "bot": "⊥",
    ",": "", ";": " ", ":": " ", "!": "", " ": " ", "{": "\x02", "}": "\x03", "|": "‖", "\\": " ",
}  # fmt: skip


def as_printed(text: str) -> str:
    """Return the text with its TeX formulas as signs: ``$x\\\\in \\\\mathbb{R}^{2}$`` becomes ``x∈R2``."""
    if text.count("$") < 2:
        return text
    return _FORMULA.sub(lambda found: signs_of(found.group(1)), text)


def signs_of(tex: str) -> str:
    """Return a TeX formula as the signs that TeX prints for it; unknown commands become their names."""
    tex = _STYLED.sub("", tex)
    tex = _FRACTION.sub(r"\1/\2", tex)
    tex = _COMMAND.sub(lambda found: _SIGNS.get(found.group(1), found.group(1)), tex)
    tex = re.sub(r"[\^_](?=\{|\S)", "", tex).replace("{", "").replace("}", "")
    return tex.replace("\x02", "{").replace("\x03", "}")
