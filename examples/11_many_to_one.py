"""Many to one: a sequence in, one answer out. Who overtook whom? In «автобус обогнал трамвай» only the order of the
words tells, since both nouns look the same in both cases: a bag of words must guess, and a net that reads need not.

Whole pairs of nouns are kept aside, in both orders.
"""

from __future__ import annotations

import random

from learn import flags

import chekhov
from chekhov.inspection.unrolled import plot_unrolled
from chekhov.text.grammar import Grammar, maybe, one_of

NOUNS = ["автобус", "трамвай", "троллейбус", "поезд", "грузовик", "мотоцикл", "велосипед", "паровоз", "экипаж"]
SENTENCE = Grammar(
    "S",
    {
        "S": [(1.0, ("WHEN", "ADJECTIVE", "FIRST", "WHERE", "HOW", "VERB", "ADJECTIVE", "SECOND", "LAST"))],
        "WHEN": maybe(0.5, "DAY"),
        "DAY": one_of("вчера утром сегодня однажды зимой"),
        "ADJECTIVE": maybe(0.6, "COLOUR"),
        "COLOUR": one_of("старый красный новый зелёный полупустой"),
        "WHERE": maybe(0.5, "PLACE"),
        "PLACE": one_of("на_мосту у_вокзала за_городом , который_вышел_из_депо_, , что_шёл_в_Мелихово_,"),
        "HOW": maybe(0.4, "MANNER"),
        "MANNER": one_of("легко едва быстро наконец"),
        "VERB": one_of("обогнал догнал заметил пропустил задел"),
        "LAST": maybe(0.3, "END"),
        "END": one_of("и_уехал у_переезда на_повороте"),
    },
)


def sentence(first: str, second: str, rng: random.Random) -> str:
    return " ".join(SENTENCE.sentence(rng)).replace("FIRST", first).replace("SECOND", second)


def main() -> None:
    given = flags(__doc__.splitlines()[0], steps=6)
    rng = random.Random(0)
    pairs = [(a, b) for i, a in enumerate(NOUNS) for b in NOUNS[i + 1 :]]
    rng.shuffle(pairs)
    parts = []
    for part, size in ((pairs[6:], 1500), (pairs[:3], 150), (pairs[3:6], 500)):
        rows = [rng.sample(pair, 2) for pair in rng.choices(part, k=size)]
        parts.append(([sentence(a, b, rng) for a, b in rows], [a for a, _ in rows]))
    train, valid, test = parts
    print(f"{train[0][0]}: {train[1][0]}")
    settings = {"hidden_size": 48, "epochs": given.steps, "batch_size": 16}
    bag = chekhov.Classifier(model="bag", pooling="mean", **settings).fit(*train, valid=valid)
    net = chekhov.Classifier(model="net", pooling="last", **settings).fit(*train, valid=valid)
    print(f"bag of embeddings: {100 * bag.score(*test):.1f} % of {len(test[0])} new sentences")
    print(f"held out: {100 * net.score(*test):.1f} %")
    if given.plot:
        words = ["автобус", "на", "мосту", "обогнал", "трамвай"]
        plot_unrolled(net, given.plot, inputs=words, outputs=net.predict([" ".join(words)]), title="many to one")


if __name__ == "__main__":
    main()
