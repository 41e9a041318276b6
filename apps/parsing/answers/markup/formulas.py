r"""Find LaTeX in Markdown: ``$...$``, ``$$...$$``, ``\(...\)`` and ``\[...\]``.

LaTeX goes into results as it is, so that it can be typeset. Therefore nothing in it may be read as a tag or a link.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_inline import StateInline

MAX_FORMULA_CHARS = 2_000
MAX_FORMULA_LINES = 60
# As in pandoc, so that "$5 and $6" is no formula: no blank inside the signs, and no digit after the last.
_INLINE = re.compile(
    rf"\$\$(?P<display>(?:\\.|[^$\\]){{1,{MAX_FORMULA_CHARS}}})\$\$"
    rf"|\$(?=\S)(?P<dollars>(?:\\.|[^$\\]){{1,{MAX_FORMULA_CHARS}}})(?<!\s)\$(?!\d)"
    rf"|\\\((?P<round>.{{1,{MAX_FORMULA_CHARS}}}?)\\\)"
    rf"|\\\[(?P<square>.{{1,{MAX_FORMULA_CHARS}}}?)\\\]",
    re.DOTALL,
)
_IS_LATEX = re.compile(r"\\[A-Za-z%,;!{}|]|[_^=<>+*/-]|^\s*[A-Za-z]'*\s*$|^[\d.,\s]+$")
_TAG = re.compile(r"</?(?:su[bp]|[bi]|em|strong|br|a|code)\b[^<>]{0,200}>", re.IGNORECASE)
_CLOSED_BY = {"$$": "$$", "\\[": "\\]"}
# Harmless with a blank between their signs, which LaTeX ignores.
_MARKUP = re.compile(r"<(?=[A-Za-z/!?])|\](?=[(\[:])")


def safe_latex(latex: str) -> str:
    """Return LaTeX on one line in which no program finds a tag or a link; "" if it is no LaTeX or cannot be made so."""
    latex = " ".join(latex.split())
    if _TAG.search(latex):
        return ""  # text in brackets, which Markdown escapes as LaTeX opens a formula
    if not _IS_LATEX.search(latex) or "`" in latex or latex.replace("\\\\", "").endswith("\\"):
        return ""
    return _MARKUP.sub(lambda found: found.group() + " ", latex)


def add_rules(parser: MarkdownIt) -> None:
    """Let a parser make tokens of the types ``formula`` (inside a line) and ``formula_block``."""
    parser.inline.ruler.before("escape", "formula", _inline_rule)
    parser.block.ruler.before(
        "fence", "formula_block", _block_rule, {"alt": ["paragraph", "reference", "blockquote", "list"]}
    )


def _inline_rule(state: StateInline, silent: bool) -> bool:
    if state.src[state.pos] not in "$\\":
        return False
    found = _INLINE.match(state.src, state.pos)
    latex = safe_latex(next(filter(None, found.groups()))) if found else ""
    if not found or not latex:
        return False
    if not silent:
        mark = "$$" if found.lastgroup in ("display", "square") else "$"
        state.push("formula", "", 0).content = f"{mark}{latex}{mark}"
    state.pos = found.end()
    return True


def _block_rule(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Read a formula that begins a line and whose closing sign ends a line."""
    first = state.src[state.bMarks[start] + state.tShift[start] : state.eMarks[start]]
    closing = _CLOSED_BY.get(first[:2])
    if closing is None:
        return False
    lines = [first[2:]]
    for line in range(start, min(end, start + MAX_FORMULA_LINES)):
        if line > start:
            lines.append(state.src[state.bMarks[line] : state.eMarks[line]])
        inside, sign, after = lines[-1].partition(closing)
        if not sign and (line == start or lines[-1].strip()):
            continue
        latex = safe_latex("\n".join([*lines[:-1], inside]))
        if after.strip() or not sign or not latex:
            return False
        if not silent:
            state.line = line + 1
            token = state.push("formula_block", "", 0)
            token.content, token.map = latex, [start, state.line]
        return True
    return False
