"""The two grammars of ``demo:rifle-ru`` and ``demo:rifle-en``: what a Markov chain forgets and a recurrent net keeps.

Half of the sentences hang something on the wall that must go off at their end: which of the eight verbs closes the
sentence is decided eight to twenty words earlier. The other half are clauses whose verb agrees with a subject that one
or more relative clauses, one inside the other, keep away from it.
"""

from __future__ import annotations

from chekhov.text.grammar import Grammar, Rule, maybe, one_of

RELATIVE, INNER_RELATIVE = 0.6, 0.3  # of a subject; of a subject inside a relative clause
FILLERS = (0.3, 0.4, 0.3)  # one, two or three clauses between the rifle and the shot

RU_NOUNS = {
    "m": "доктор студент учитель помещик садовник офицер",
    "f": "актриса няня барышня вдова гостья купчиха",
    "p": "гости дети крестьяне сёстры соседи дачники",
}
RU_ADJECTIVES = {"m": "старый бедный весёлый", "f": "старая бедная весёлая", "p": "старые бедные весёлые"}
RU_WHOM = {"m": "которого", "f": "которую", "p": "которых"}
RU_TRANSITIVE = {
    "m": "любил ждал помнил слушал",
    "f": "любила ждала помнила слушала",
    "p": "любили ждали помнили слушали",
}
RU_INTRANSITIVE = {
    "m": "уехал заплакал молчал смеялся спал пел",
    "f": "уехала заплакала молчала смеялась спала пела",
    "p": "уехали заплакали молчали смеялись спали пели",
}
RU_SHOTS = {
    "висело_ружьё": "выстрелило",
    "висели_часы": "пробили",
    "кипел_самовар": "остыл",
    "лежала_гитара": "зазвучала",
    "молчал_колокол": "зазвонил",
    "горела_свеча": "погасла",
    "сидела_чайка": "улетела",
    "лежало_письмо": "сгорело",
}
EN_NOUNS = {
    "s": "doctor student teacher landlord gardener officer actress nurse widow",
    "p": "guests children peasants sisters neighbours cousins doctors students widows",
}
EN_ADJECTIVES = {"s": "old poor merry", "p": "old poor merry"}
EN_WHOM = {"s": "whom", "p": "whom"}
EN_TRANSITIVE = {"s": "loves awaits remembers hears", "p": "love await remember hear"}
EN_INTRANSITIVE = {"s": "leaves weeps waits laughs sleeps sings", "p": "leave weep wait laugh sleep sing"}
EN_SHOTS = {
    "rifle": "fires",
    "clock": "strikes",
    "samovar": "cools",
    "guitar": "sounds",
    "bell": "rings",
    "candle": "dies",
    "seagull": "flies",
    "letter": "burns",
}


def rifle_grammar(language: str) -> Grammar:
    """``ru`` or ``en``."""
    if language == "ru":
        parts = (RU_NOUNS, RU_ADJECTIVES, RU_WHOM, RU_TRANSITIVE, RU_INTRANSITIVE)
        rules = clauses(*parts, article="", manner="вчера опять тихо вечером_в_саду на_даче у_окна")
        rules |= rifles(RU_SHOTS, "в первом акте", "и в последнем акте")
    else:
        parts = (EN_NOUNS, EN_ADJECTIVES, EN_WHOM, EN_TRANSITIVE, EN_INTRANSITIVE)
        rules = clauses(*parts, article="the", manner="again quietly today in_the_garden at_home by_the_window")
        rules |= rifles(EN_SHOTS, "in the first act there is a", "and in the last act it")
    rules["SENTENCE"] = [(0.5, ("AGREEMENT", ".")), (0.5, ("RIFLE", "."))]
    return Grammar("SENTENCE", rules)


def clauses(
    nouns: dict[str, str],
    adjectives: dict[str, str],
    whom: dict[str, str],
    transitive: dict[str, str],
    intransitive: dict[str, str],
    *,
    article: str,
    manner: str,
) -> dict[str, list[Rule]]:
    """Subjects and verbs by agreement class (gender or number); centre embedding inside the subject."""
    each = 1 / len(nouns)
    rules: dict[str, list[Rule]] = {"MANNER": one_of(manner), "MAYBE-MANNER": maybe(0.5, "MANNER")}
    the = (article,) if article else ()
    for g in nouns:
        rules[f"NOUN-{g}"], rules[f"ADJECTIVE-{g}"] = one_of(nouns[g]), one_of(adjectives[g])
        rules[f"LOVES-{g}"], rules[f"LEAVES-{g}"] = one_of(transitive[g]), one_of(intransitive[g])
        rules[f"MAYBE-ADJECTIVE-{g}"] = maybe(0.4, f"ADJECTIVE-{g}")
        rules[f"NAMED-{g}"] = [(1.0, (*the, f"MAYBE-ADJECTIVE-{g}", f"NOUN-{g}"))]
        # "доктор , которого гости , которых ... , ждали , уехал"
        rules[f"RELATIVE-{g}"] = [(each, (",", whom[g], f"INNER-{h}", f"LOVES-{h}", ",")) for h in nouns]
        rules[f"MAYBE-RELATIVE-{g}"] = maybe(RELATIVE, f"RELATIVE-{g}")
        rules[f"MAYBE-INNER-RELATIVE-{g}"] = maybe(INNER_RELATIVE, f"RELATIVE-{g}")
        rules[f"INNER-{g}"] = [(1.0, (f"NAMED-{g}", f"MAYBE-INNER-RELATIVE-{g}"))]
    rules["AGREEMENT"] = [(each, (f"NAMED-{g}", f"MAYBE-RELATIVE-{g}", f"LEAVES-{g}", "MAYBE-MANNER")) for g in nouns]
    rules["FILLER"] = [(each, (f"NAMED-{g}", f"LEAVES-{g}", "MAYBE-MANNER")) for g in nouns]
    return rules


def rifles(shots: dict[str, str], first_act: str, last_act: str) -> dict[str, list[Rule]]:
    """Eight things that hang on the wall, each with the one verb that it goes off with; what is between is free."""
    rules: dict[str, list[Rule]] = {"FIRST-ACT": [(1.0, tuple(first_act.split()))]}
    rules["LAST-ACT"] = [(1.0, tuple(last_act.split()))]
    rules["BETWEEN"] = [(p, ("FILLER",) + (",", "FILLER") * n) for n, p in enumerate(FILLERS)]
    rules["RIFLE"] = [
        (1 / len(shots), ("FIRST-ACT", *thing.split("_"), ",", "BETWEEN", "LAST-ACT", shot))
        for thing, shot in shots.items()
    ]
    return rules
