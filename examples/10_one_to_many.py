"""One to many: one vector in, a sequence out. A number, as three one-hot digits, is said in Russian words. The vector
makes the first state; from then on the net reads what it wrote itself.

A fifth of the numbers is kept aside: the net has never seen how they are said.
"""

from __future__ import annotations

import random

import torch
import torch.nn.functional as F
from learn import flags, learn, padded

from chekhov.generation.beam import beam_search
from chekhov.inspection.unrolled import plot_unrolled
from chekhov.recurrent.encoder_decoder import NOTHING, ConditionalLM
from chekhov.recurrent.language_model import RecurrentLM
from chekhov.types import EOS

HUNDREDS = ["", "сто", "двести", "триста", "четыреста", "пятьсот", "шестьсот", "семьсот", "восемьсот", "девятьсот"]
TENS = ["", "", "двадцать", "тридцать", "сорок", "пятьдесят", "шестьдесят", "семьдесят", "восемьдесят", "девяносто"]
ONES = ["", "один", "два", "три", "четыре", "пять", "шесть", "семь", "восемь", "девять", "десять"]
ONES += [f"{stem}надцать" for stem in ("один", "две", "три", "четыр", "пят", "шест", "сем", "восем", "девят")]


def said(n: int) -> list[str]:
    """21 -> двадцать один"""
    hundreds, rest = divmod(n, 100)
    tens, ones = divmod(rest, 10) if rest >= 20 else (0, rest)
    return [word for word in (HUNDREDS[hundreds], TENS[tens], ONES[ones]) if word] or ["ноль"]


def vectors(numbers: list[int]) -> torch.Tensor:
    """(N, 30)"""
    digits = torch.tensor([[n // 100, n // 10 % 10, n % 10] for n in numbers])
    return F.one_hot(digits, 10).float().flatten(1)


WORDS = sorted({word for n in range(1000) for word in said(n)})
IDS = {word: id for id, word in enumerate(WORDS, start=EOS + 1)}  # before them: <unk>, <s>, </s>


def main() -> None:
    given = flags(__doc__.splitlines()[0], steps=600)
    torch.manual_seed(0)
    numbers = list(range(1000))
    random.Random(0).shuffle(numbers)
    test, train = numbers[:200], numbers[200:]
    lm = RecurrentLM("gru", EOS + 1 + len(WORDS), embedding_size=32, hidden_size=96)
    net = ConditionalLM(30, lm)
    xs, targets = vectors(train), padded([[*(IDS[word] for word in said(n)), EOS] for n in train], NOTHING)
    generator = torch.Generator().manual_seed(1)

    def loss() -> torch.Tensor:
        rows = torch.randint(len(train), (64,), generator=generator)
        return net.loss(xs[rows], targets[rows])

    learn(net, loss, given.steps, lr=5e-3)

    def say(n: int) -> list[str]:
        model = net.given(vectors([n])[0])
        return [WORDS[id - EOS - 1] for id in beam_search(model, [], beam=1, max_tokens=10)[0].ids]

    found = [say(n) for n in test]
    for n, words in list(zip(test, found, strict=True))[:4]:
        print(f"{n}: {' '.join(words)}")
    right = sum(words == said(n) for n, words in zip(test, found, strict=True))
    print(f"held out: {100 * right / len(test):.1f} % of {len(test)} numbers, every word right")
    if given.plot:
        n = test[0]
        plot_unrolled(net, given.plot, inputs=[str(n)], outputs=[*say(n), "</s>"], title="one to many")


if __name__ == "__main__":
    main()
