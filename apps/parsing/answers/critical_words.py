"""Words that change what a sentence says: none of them may be lost or added, however short they are."""

from __future__ import annotations

from apps.parsing.answers.normalized_words import is_number, is_sign

_NEGATIONS = """
    not no never none nor neither cannot without nothing nobody nowhere
    nicht kein keine keinen keinem keiner keines nie niemals ohne weder noch nichts
    pas jamais aucun aucune sans ni rien personne
    non mai nessun nessuno nessuna senza nulla niente
    nunca ningun ningún ninguna jamás sin ni nada tampoco
    não nenhum nenhuma sem nem
    niet geen nooit zonder
    inte ingen inget aldrig utan ikke aldri uden
    nie nigdy bez żaden żadna ne nikdy nem soha nélkül
    nu niciodată fără değil hayır asla ei
    не нет ни никогда без
    δεν μην μη όχι χωρίς
    لا لم لن ليس
    ليست غير دون
    לא אין בלי ללא نه
    tidak bukan tanpa jangan không chưa
    不 没 沒 未 非 无 無 勿 否 莫 ぬ 않 못
"""
_LIMITS = """
    only except unless must shall should may might can could all any every each both either
    nur außer muss müssen soll sollen darf dürfen kann können alle jeder jede
    seulement sauf doit doivent peut peuvent tous toutes solo sólo excepto debe deben puede pueden todos todas
    more less fewer least most over under above below before after until mehr weniger mindestens höchstens
"""
_NUMERALS = """
    zero two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
    nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion trillion dozen half
    double twice third quarter
    zwei drei vier fünf sechs sieben acht neun zehn elf zwölf zwanzig dreißig vierzig fünfzig
    sechzig siebzig achtzig neunzig hundert tausend millionen milliarden
    deux trois quatre cinq sept huit neuf dix vingt trente quarante cinquante soixante cent mille milliard
    dos tres cuatro cinco seis siete ocho nueve diez veinte treinta cuarenta cincuenta sesenta
    cien ciento mil millón millones due tre quattro cinque sei sette otto nove dieci venti trenta cento milioni
"""
_UNITS = """
    eur usd gbp chf jpy cny inr aud cad sek nok dkk pln czk huf try brl zar krw rub euro euros dollar dollars pound
    pounds yen cent cents percent prozent
    mm cm dm km nm kg mg lb lbs oz ml cl dl kw mw gw kwh mwh gwh kv mv ma hz khz mhz ghz kb mb gb tb ms ns
    hpa kpa mpa bar psi mol ppm ppb db ft yd mi ha kj mj kcal kn nm rpm bn mio mrd
    seconds minutes hours days weeks months years
"""
CRITICAL_WORDS = frozenset(f"{_NEGATIONS} {_LIMITS} {_NUMERALS} {_UNITS}".split())


def is_critical(word: str) -> bool:
    """Return whether a normalized word is a number, a sign, a unit, a negation or a limit."""
    return is_number(word) or is_sign(word) or word in CRITICAL_WORDS or word.endswith("n't")
