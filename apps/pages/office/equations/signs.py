"""The signs of equations in LaTeX."""

from __future__ import annotations

from apps.pages.model.text.safe_text import clean

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
ACCENTS = {
    "\u0302": "hat", "^": "hat", "\u0303": "tilde", "~": "tilde", "\u0304": "bar", "\u0305": "overline",
    "¯": "overline", "\u20d7": "vec", "→": "vec", "\u20d6": "overleftarrow", "\u0307": "dot", "˙": "dot",
    "\u0308": "ddot", "\u20db": "dddot", "\u030c": "check", "\u0306": "breve", "\u0301": "acute", "\u0300": "grave",
}  # fmt: skip
FUNCTIONS = {
    "sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh", "coth", "arcsin", "arccos", "arctan",
    "log", "ln", "lg", "exp", "lim", "min", "max", "sup", "inf", "det", "gcd", "deg", "dim", "ker", "hom",
    "arg", "Pr", "limsup", "liminf",
}  # fmt: skip
N_ARY = {"∑": "sum", "∏": "prod", "∐": "coprod", "∫": "int", "∬": "iint", "∭": "iiint", "∮": "oint", "⋃": "bigcup",
          "⋂": "bigcap", "⋁": "bigvee", "⋀": "bigwedge"}  # fmt: skip
GROUPS = {"⏞": "overbrace", "⏟": "underbrace", "\u0305": "overline", "\u0332": "underline", "→": "overrightarrow",
           "←": "overleftarrow"}  # fmt: skip


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


def words(text: str) -> str:
    """Return words between the signs of an equation."""
    return "\\text{" + clean(text).replace("{", "").replace("}", "").replace("\\", "").replace("$", "\\$") + "}"


def scripted(base: str, below: str | None, above: str | None) -> str:
    """Return a base with what is below and above it on the right; None: nothing."""
    base = base.strip()
    is_one_sign = len(base) <= 1 or base == "{}" or (base.startswith("\\") and base[1:].isalpha())
    base = base if is_one_sign else f"{{{base}}}"
    return base + (f"_{{{below}}}" if below is not None else "") + (f"^{{{above}}}" if above is not None else "")
