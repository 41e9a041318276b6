"""Languages are found by the codes of LlamaParse, ISO 639 and Tesseract."""

from __future__ import annotations

import re

import pytest

from apps.pages.model.text import languages

_CODES = """
abq ady af ang ar as ava az be bg bgc bh bho bn bs ch_sim ch_tra che cs cy da dar de en es et fa fr ga gom hi hr hu id
inh is it ja kbd kn ko ku la lbe lez lt lv mah mai mi mn mni mr ms mt ne new nl no oc pi pl pt ro rs_cyrillic rs_latin
ru sa sck sk sl sq sv sw ta tab te th tjk tl tr ug uk ur uz vi
"""
LLAMAPARSE = tuple(filter(None, re.split(r"\s+", _CODES)))


@pytest.mark.parametrize("code", LLAMAPARSE)
def test_every_code_of_llamaparse_is_known(code: str) -> None:
    assert languages.find(code).code == code


@pytest.mark.parametrize(
    ("spelled", "code"),
    [
        ("DE", "de"),
        ("deu", "de"),
        ("pt-PT", "pt"),
        ("pt_BR", "pt"),
        ("zh-CN", "ch_sim"),
        ("zh-Hant", "ch_tra"),
        ("chi_sim", "ch_sim"),
        ("el-gr", "el"),
        ("sr-Latn", "rs_latin"),
        ("grc", "grc"),
        (" fr ", "fr"),
    ],
)
def test_other_spellings_mean_the_same(spelled: str, code: str) -> None:
    assert languages.find(spelled).code == code


@pytest.mark.parametrize("code", ["", "xx", "english language", "Latin", "de;drop"])
def test_an_unknown_code_is_refused_with_the_list_of_codes(code: str) -> None:
    with pytest.raises(languages.UnknownLanguage, match=r"Known are: .*ch_sim.*"):
        languages.find(code)


def test_a_language_named_twice_counts_once() -> None:
    assert [language.code for language in languages.find_all(["de", "deu", "en"])] == ["de", "en"]
