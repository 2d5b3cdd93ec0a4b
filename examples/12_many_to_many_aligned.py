"""Many to many, aligned: an answer for every input. Parts of speech, of words that may be two: in «мой пол чисто !»
мой is a verb, in «мой пол чист .» a determiner, and what tells comes later. A net that reads from both ends sees it.
"""

from __future__ import annotations

import random
from collections import Counter

import torch
import torch.nn.functional as F
from learn import flags, learn, padded

import chekhov
from chekhov.inspection.unrolled import plot_unrolled
from chekhov.recurrent.lstm import LSTM
from chekhov.text.grammar import Grammar, maybe, one_of
from chekhov.training.memory_tasks import TaskNet


def words(tag: str, text: str) -> list[tuple[float, tuple[str, ...]]]:
    """Each word with its tag: мой/DET."""
    return one_of(" ".join(f"{word}/{tag}" for word in text.split()))


SENTENCE = Grammar(
    "S",
    {
        "S": [
            (0.2, ("мой/VERB", "ADJ", "THING", "WHERE", "ADV", "!/PUNCT")),
            (0.2, ("мой/DET", "ADJ", "THING", "WHERE", "SHORT", "./PUNCT")),
            (0.15, ("WHO", "пила/VERB", "ADV?", "DRINK", "./PUNCT")),
            (0.15, ("SHARP", "пила/NOUN", "WHERE", "LIES", "./PUNCT")),
            (0.15, ("DRINK", "ADV?", "стекло/VERB", "на/ADP", "THING", "./PUNCT")),
            (0.15, ("стекло/NOUN", "WHERE", "LIES", "ADV?", "./PUNCT")),
        ],
        "ADJ": maybe(0.5, "QUALITY"),
        "QUALITY": words("ADJ", "старый новый большой дубовый"),
        "THING": words("NOUN", "пол стол стакан двор подоконник паркет"),
        "WHERE": maybe(0.6, "PLACE"),
        "PLACE": [(0.5, ("в/ADP", "ROOM")), (0.5, ("за/ADP", "FENCE"))],
        "ROOM": words("NOUN", "доме комнате сенях флигеле"),
        "FENCE": words("NOUN", "окном дверью садом"),
        "ADV": words("ADV", "чисто быстро тщательно хорошо"),
        "ADV?": maybe(0.4, "ADV"),
        "SHORT": words("ADJ", "чист светел стар мал"),
        "WHO": words("PRON", "она та эта"),
        "DRINK": words("NOUN", "молоко вино какао"),
        "SHARP": words("ADJ", "острая ржавая тяжёлая"),
        "LIES": words("VERB", "лежит блестит звенит"),
    },
)
TWOFOLD = {"мой", "пила", "стекло"}


def sentences(count: int, rng: random.Random) -> tuple[list[list[str]], list[list[str]]]:
    drawn = [[word.split("/") for word in SENTENCE.sentence(rng)] for _ in range(count)]
    return [[word for word, _ in s] for s in drawn], [[tag for _, tag in s] for s in drawn]


def left_to_right(train: tuple, test: tuple, steps: int) -> list[list[str]]:
    """The tags that a one-way LSTM gives to the test part."""
    ids = {word: id for id, word in enumerate(sorted({w for s in train[0] + test[0] for w in s}))}
    tags = sorted({t for s in train[1] for t in s})
    net = TaskNet(LSTM(len(ids), 48), len(tags))
    read = [padded([[ids[word] for word in s] for s in part[0]], 0) for part in (train, test)]
    xs, new = (F.one_hot(rows, len(ids)).float() for rows in read)
    targets = padded([[tags.index(t) for t in s] for s in train[1]], -1)
    generator = torch.Generator().manual_seed(1)

    def loss() -> torch.Tensor:
        rows = torch.randint(len(xs), (32,), generator=generator)
        return F.cross_entropy(net(xs[rows]).flatten(0, 1), targets[rows].flatten(), ignore_index=-1)

    learn(net, loss, steps, lr=0.01)
    with torch.no_grad():
        found = net(new).argmax(2).tolist()
    return [[tags[k] for k in row[: len(s)]] for row, s in zip(found, test[0], strict=True)]


def accuracy(test: tuple, found: list[list[str]], only: set[str] | None = None) -> float:
    """Per cent; ``only``: of these words."""
    rows = [row for sentence in zip(*test, found, strict=True) for row in zip(*sentence, strict=True)]
    hits = [right == own for word, right, own in rows if only is None or word in only]
    return 100 * sum(hits) / len(hits)


def main() -> None:
    given = flags(__doc__.splitlines()[0], steps=400)
    torch.manual_seed(0)
    rng = random.Random(0)
    train, valid, test = sentences(800, rng), sentences(100, rng), sentences(500, rng)
    commonest = {}
    for ws, ts in zip(*train, strict=True):
        for word, tag in zip(ws, ts, strict=True):
            commonest.setdefault(word, Counter())[tag] += 1
    tagger = chekhov.Tagger(hidden_size=48, epochs=max(1, given.steps // 80), features="affixes", dropout=0.2)
    tagger.fit(*train, valid=valid)
    rows = {
        "every word's commonest tag": [[commonest[w].most_common(1)[0][0] for w in ws] for ws in test[0]],
        "LSTM, from left to right": left_to_right(train, test, given.steps),
        "Tagger, from both ends": tagger.predict(test[0]),
    }
    for name, found in rows.items():
        every, twofold = accuracy(test, found), accuracy(test, found, TWOFOLD)
        print(f"{name:<27}{every:5.1f} % of all words, {twofold:5.1f} % of мой, пила, стекло")
    print(f"held out: {accuracy(test, rows['Tagger, from both ends']):.1f} %")
    if given.plot:
        shown = ["мой", "пол", "чисто", "!"]
        tags = tagger.predict([shown])[0]
        plot_unrolled(tagger, given.plot, inputs=shown, outputs=tags, title="many to many, aligned")


if __name__ == "__main__":
    main()
