"""The characters behind glyph names of TeX's fonts of mathematics that Adobe's list of glyph names does not know.

Without them a formula keeps the codes of its font: a prime is a zero, a sum is an X, tall brackets are control codes.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import numpy as np

NEGATION = 0x338
"""The stroke that TeX draws over the relation that follows."""
# A stroke has a relation after it.
_RELATIONS = frozenset("=<>∈∋∼≃≈≅≡≤≥≺≻⊂⊃⊆⊇⊢∣∥→←↔⇒⇐⇔∃")
# Tall brackets and signs, and wide accents, have a name for each size.
_SIZE = re.compile(r"(?:(?<=.)(?:[bB]igg?|display|text)|(?<=wide)(?:r|st))$")
_NAMES = """
prime=′ negationslash=\u0338 mapsto=↦ owner=∋ element=∈ triangle=△ triangleinv=▽ bardbl=‖ radical=√ angbracketleft=⟨
angbracketright=⟩ parenleft=( parenright=) bracketleft=[ bracketright=] braceleft={ braceright=} floorleft=⌊
floorright=⌋ ceilingleft=⌈ ceilingright=⌉ slash=/ backslash=\\ vextendsingle=∣ vextenddouble=∥ arrowbothv=↕
arrowdblbothv=⇕ bracehtipdownleft=\ufe37 bracehtipdownright=\ufe37 bracehtipupleft=\ufe38 bracehtipupright=\ufe38
tildewide=˜ hatwide=ˆ summation=∑ product=∏ coproduct=∐ integral=∫ contintegral=∮ union=⋃ intersection=⋂ unionmulti=⊎
unionsq=⊔ intersectionsq=⊓ logicaland=∧ logicalor=∨ circledot=⊙ circleplus=⊕ circlemultiply=⊗ circleminus=⊖
circledivide=⊘ circlecopyrt=© diamondmath=⋄ minusplus=∓ equivasymptotic=≍ precedes=≺ follows=≻ precedesequal=⪯
followsequal=⪰ lessmuch=≪ greatermuch=≫ similarequal=≃ approxequal=≈ arrownortheast=↗ arrowsoutheast=↘
arrownorthwest=↖ arrowsouthwest=↙ Rfractur=ℜ Ifractur=ℑ latticetop=⊤ turnstileleft=⊢ turnstileright=⊣ wreathproduct=≀
nabla=∇ subsetsqequal=⊑ supersetsqequal=⊒ arrowhookleft=↩ arrowhookright=↪ triangleleft=◁ triangleright=▷ star=⋆
flat=♭ natural=♮ sharp=♯ lscript=ℓ epsilon1=ϵ theta1=ϑ pi1=ϖ rho1=ϱ sigma1=ς phi1=ϕ square=□ squaresolid=■
squaremultiply=⊠ squaredot=⊡ squareplus=⊞ squareminus=⊟ diamondsolid=⧫ trianglesolid=▲ triangleleftsld=◀
trianglerightsld=▶ lessorequalslant=⩽ greaterorequalslant=⩾ lessorsimilar=≲ greaterorsimilar=≳ lessdblequal=≦
greaterdblequal=≧ precedesorcurly=≼ followsorcurly=≽ defines=≜ measuredangle=∡ therefore=∴ because=∵ subsetnoteql=⊊
supersetnoteql=⊋ notexistential=∄ multicloseleft=⋉ multicloseright=⋊ planckover2pi=ℏ planckover2pi1=ℏ beth=ℶ gimel=ℷ
daleth=ℸ dotlessj=ȷ Bullet=•
"""
_CHARACTERS = dict(pair.split("=", 1) for pair in _NAMES.split())


def character_of(name: str) -> str:
    """Return the character of a glyph name of TeX's fonts, in any of its sizes; "" for another name."""
    return _CHARACTERS.get(name) or _CHARACTERS.get(_SIZE.sub("", name), "")


def join_negations(characters: Any, joined: int) -> None:
    """Replace, in place, a stroke and the relation that it crosses out by one character, such as U+2260.

    The stroke gets the code ``joined``. A stroke before another character stays.
    """
    for at in np.flatnonzero(characters[:-1] == NEGATION).tolist():
        relation = chr(characters[at + 1]) if characters[at + 1] < 0x10000 else ""
        composed = unicodedata.normalize("NFC", f"{relation}\u0338")
        if relation in _RELATIONS and len(composed) == 1:
            characters[at], characters[at + 1] = joined, ord(composed)
