"""The languages that a request may name for OCR: LlamaParse's codes, ISO 639 codes and Tesseract's, with the script
each is written in and the Tesseract packs that know it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

LATIN, CYRILLIC, GREEK, ARABIC, HEBREW = "Latin", "Cyrillic", "Greek", "Arabic", "Hebrew"
HAN, KANA, HANGUL, DEVANAGARI, BENGALI = "Han", "Kana", "Hangul", "Devanagari", "Bengali"
TAMIL, TELUGU, KANNADA, THAI, GEORGIAN, ARMENIAN = "Tamil", "Telugu", "Kannada", "Thai", "Georgian", "Armenian"


class Language(NamedTuple):
    """``code`` is LlamaParse's if it has one, else ISO 639; ``packs`` are Tesseract's, the best first."""

    code: str
    name: str
    script: str
    packs: tuple[str, ...]


# Code, ISO 639-2 (or Tesseract's own) code, name, script; further packs after a "+" are read beside the first.
_TABLE = f"""
en eng English {LATIN}
de deu German {LATIN}
fr fra French {LATIN}
es spa Spanish {LATIN}
it ita Italian {LATIN}
pt por Portuguese {LATIN}
nl nld Dutch {LATIN}
da dan Danish {LATIN}
sv swe Swedish {LATIN}
no nor Norwegian {LATIN}
fi fin Finnish {LATIN}
is isl Icelandic {LATIN}
et est Estonian {LATIN}
lv lav Latvian {LATIN}
lt lit Lithuanian {LATIN}
pl pol Polish {LATIN}
cs ces Czech {LATIN}
sk slk Slovak {LATIN}
sl slv Slovenian {LATIN}
hr hrv Croatian {LATIN}
bs bos Bosnian {LATIN}
rs_latin srp_latn Serbian {LATIN}
sq sqi Albanian {LATIN}
hu hun Hungarian {LATIN}
ro ron Romanian {LATIN}
tr tur Turkish {LATIN}
az aze Azerbaijani {LATIN}
uz uzb Uzbek {LATIN}
ku kmr Kurdish {LATIN}
id ind Indonesian {LATIN}
ms msa Malay {LATIN}
tl fil Tagalog {LATIN}
jv jav Javanese {LATIN}
mi mri Maori {LATIN}
sw swa Swahili {LATIN}
af afr Afrikaans {LATIN}
ga gle Irish {LATIN}
cy cym Welsh {LATIN}
mt mlt Maltese {LATIN}
oc oci Occitan {LATIN}
ca cat Catalan {LATIN}
gl glg Galician {LATIN}
eu eus Basque {LATIN}
eo epo Esperanto {LATIN}
lb ltz Luxembourgish {LATIN}
la lat Latin {LATIN}
frk frk Fraktur {LATIN}
vi vie Vietnamese {LATIN}
ang Latin Old-English {LATIN}
mah Latin Marshallese {LATIN}
ru rus Russian {CYRILLIC}
uk ukr Ukrainian {CYRILLIC}
be bel Belarusian {CYRILLIC}
bg bul Bulgarian {CYRILLIC}
mk mkd Macedonian {CYRILLIC}
rs_cyrillic srp Serbian {CYRILLIC}
mn mon Mongolian {CYRILLIC}
kk kaz Kazakh {CYRILLIC}
ky kir Kyrgyz {CYRILLIC}
tt tat Tatar {CYRILLIC}
tjk tgk Tajik {CYRILLIC}
abq Cyrillic Abaza {CYRILLIC}
ady Cyrillic Adyghe {CYRILLIC}
ava Cyrillic Avar {CYRILLIC}
che Cyrillic Chechen {CYRILLIC}
dar Cyrillic Dargwa {CYRILLIC}
inh Cyrillic Ingush {CYRILLIC}
kbd Cyrillic Kabardian {CYRILLIC}
lbe Cyrillic Lak {CYRILLIC}
lez Cyrillic Lezghian {CYRILLIC}
tab Cyrillic Tabassaran {CYRILLIC}
el ell Greek {GREEK}
grc grc+lat Ancient-Greek {GREEK}
ar ara Arabic {ARABIC}
fa fas Persian {ARABIC}
ur urd Urdu {ARABIC}
ug uig Uyghur {ARABIC}
ps pus Pashto {ARABIC}
he heb Hebrew {HEBREW}
yi yid Yiddish {HEBREW}
ch_sim chi_sim Chinese-simplified {HAN}
ch_tra chi_tra Chinese-traditional {HAN}
ja jpn Japanese {KANA}
ko kor Korean {HANGUL}
hi hin Hindi {DEVANAGARI}
mr mar Marathi {DEVANAGARI}
ne nep Nepali {DEVANAGARI}
sa san Sanskrit {DEVANAGARI}
bgc Devanagari Haryanvi {DEVANAGARI}
bh Devanagari Bihari {DEVANAGARI}
bho Devanagari Bhojpuri {DEVANAGARI}
gom Devanagari Goan-Konkani {DEVANAGARI}
mai Devanagari Maithili {DEVANAGARI}
new Devanagari Newari {DEVANAGARI}
pi Devanagari Pali {DEVANAGARI}
sck Devanagari Sadri {DEVANAGARI}
bn ben Bengali {BENGALI}
as asm Assamese {BENGALI}
mni ben Manipuri {BENGALI}
ta tam Tamil {TAMIL}
te tel Telugu {TELUGU}
kn kan Kannada {KANNADA}
th tha Thai {THAI}
ka kat Georgian {GEORGIAN}
hy hye Armenian {ARMENIAN}
"""
_OTHER_NAMES = {
    "zh": "ch_sim",
    "zh-cn": "ch_sim",
    "zh-sg": "ch_sim",
    "zh-hans": "ch_sim",
    "zh-tw": "ch_tra",
    "zh-hk": "ch_tra",
    "zh-hant": "ch_tra",
    "sr": "rs_cyrillic",
    "sr-latn": "rs_latin",
    "nb": "no",
    "nn": "no",
    "iw": "he",
    "in": "id",
    "fil": "tl",
    "tg": "tjk",
    "deu-frak": "frk",
    "deu-latf": "frk",
}


# The packs for a whole script; where there is none, the packs of its most common languages.
_PACKS_OF_SCRIPT = {
    LATIN: ("Latin", "eng"),
    CYRILLIC: ("rus", "Cyrillic", "ukr", "bul"),
    GREEK: ("ell", "Greek", "grc"),
    ARABIC: ("Arabic", "ara", "fas"),
    HEBREW: ("heb", "Hebrew"),
    HAN: ("chi_sim", "HanS", "chi_tra"),
    KANA: ("jpn", "Japanese"),
    HANGUL: ("kor", "Hangul"),
    DEVANAGARI: ("hin", "Devanagari"),
    BENGALI: ("ben", "Bengali"),
    TAMIL: ("tam", "Tamil"),
    TELUGU: ("tel", "Telugu"),
    KANNADA: ("kan", "Kannada"),
    THAI: ("tha", "Thai"),
    GEORGIAN: ("kat", "Georgian"),
    ARMENIAN: ("hye", "Armenian"),
}

# Codes that are not tags of BCP 47.
_TAGS = {
    "ch_sim": "zh-Hans",
    "ch_tra": "zh-Hant",
    "frk": "de-Latf",
    "rs_cyrillic": "sr-Cyrl",
    "rs_latin": "sr-Latn",
    "tjk": "tg",
}

SCRIPTS = frozenset(_PACKS_OF_SCRIPT)


def any_language_of(script: str) -> Language:
    """Return a placeholder for any language of this script, for use when the language is unknown."""
    return Language(script.lower(), f"any language in {script} letters", script, _PACKS_OF_SCRIPT[script])


def is_guess(language: Language) -> bool:
    """Return True for a placeholder made by ``any_language_of``."""
    return language.code == language.script.lower()


def fraktur_languages(languages: Sequence[Language]) -> tuple[Language, ...]:
    """Return the languages for reading old prints with long s.

    German is read with Fraktur and German packs; other languages with the Fraktur pack, which covers old Antiqua too.
    """
    if any(language.code in ("de", "frk") for language in languages):
        return (Language("frk", "Fraktur", LATIN, ("frk", "deu")),)
    return (Language("frk", "Fraktur", LATIN, ("Fraktur",)),)


class UnknownLanguage(ValueError):
    """The code names no known language. The message lists the known codes."""


@cache
def languages_by_spelling() -> dict[str, Language]:
    """Map every accepted spelling to its language."""
    spellings: dict[str, Language] = {}
    for line in _TABLE.strip().splitlines():
        code, packs, name, script = line.split()
        language = Language(code, name.replace("-", " "), script, tuple(packs.split("+")))
        spellings[code.replace("_", "-")] = language
        if packs[0].islower():
            spellings.setdefault(language.packs[0].replace("_", "-"), language)
    for other, code in _OTHER_NAMES.items():
        spellings[other] = spellings[code.replace("_", "-")]
    return spellings


def find(code: str) -> Language:
    """Return the language of a code such as ``de``, ``ch_sim``, ``zh-CN`` or ``deu``. Raise UnknownLanguage."""
    spelled = code.strip().lower().replace("_", "-")
    language = languages_by_spelling().get(spelled) or languages_by_spelling().get(spelled.split("-")[0])
    if language is None:
        codes = ", ".join(sorted({language.code for language in languages_by_spelling().values()}))
        raise UnknownLanguage(f"{code!r} is not a language that can be read. Known are: {codes}.")
    return language


def tag_of(language: Language) -> str:
    """Return the language as HTML and PDF name it (BCP 47)."""
    return _TAGS.get(language.code, language.code)


def find_all(codes: Sequence[str]) -> tuple[Language, ...]:
    """Return the languages of these codes in order, without duplicates. Raise UnknownLanguage."""
    return tuple(dict.fromkeys(find(code) for code in codes))
