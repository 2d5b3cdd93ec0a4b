"""Many to many, not aligned: an encoder reads a Roman number, and only then a decoder writes the Arabic one. CMXCIX is
999 and M is 1000: neither the length nor the order of one tells those of the other. The encoder is many to one, the
decoder one to many, and all that passes between them is one vector.

Five hundred numbers are kept aside.
"""

from __future__ import annotations

import random

import torch
from learn import flags, learn, padded

from chekhov.generation.beam import beam_search
from chekhov.inspection.unrolled import plot_unrolled
from chekhov.recurrent.encoder_decoder import NOTHING, EncoderDecoder
from chekhov.types import EOS

SIGNS = {"M": 1000, "CM": 900, "D": 500, "CD": 400, "C": 100, "XC": 90, "L": 50, "XL": 40, "X": 10, "IX": 9, "V": 5}
SIGNS |= {"IV": 4, "I": 1}
LETTERS, FIRST_DIGIT = "IVXLCDM", EOS + 1  # before the digits: <unk>, <s>, </s>


def roman(n: int) -> str:
    """1895 -> MDCCCXCV"""
    text = ""
    for sign, value in SIGNS.items():
        text += sign * (n // value)
        n %= value
    return text


def read(text: str) -> list[int]:
    return [LETTERS.index(letter) for letter in text]


def main() -> None:
    given = flags(__doc__.splitlines()[0], steps=600)
    torch.manual_seed(0)
    rng = random.Random(0)
    numbers = list(range(1, 4000))
    rng.shuffle(numbers)
    test, train = numbers[:500], numbers[500:]
    net = EncoderDecoder("gru", len(LETTERS), FIRST_DIGIT + 10, embedding_size=32, hidden_size=96)

    def loss() -> torch.Tensor:
        batch = rng.choices(train, k=64)
        sources = [read(roman(n)) for n in batch]
        targets = [[*(FIRST_DIGIT + int(digit) for digit in str(n)), EOS] for n in batch]
        return net.loss(padded(sources, 0), torch.tensor([len(s) for s in sources]), padded(targets, NOTHING))

    learn(net, loss, given.steps, lr=5e-3)

    def translate(text: str) -> str:
        """The likeliest target that a beam of four finds."""
        model = net.given(torch.tensor(read(text)))
        return "".join(str(id - FIRST_DIGIT) for id in beam_search(model, [], beam=4, max_tokens=6)[0].ids)

    found = [translate(roman(n)) for n in test]
    for n, text in list(zip(test, found, strict=True))[:4]:
        print(f"{roman(n)}: {text}")
    right = sum(text == str(n) for n, text in zip(test, found, strict=True))
    print(f"held out: {100 * right / len(test):.1f} % of {len(test)} numbers, every digit right")
    if given.plot:
        target = [*translate("MCMIV"), "</s>"]
        plot_unrolled(net, given.plot, inputs=list("MCMIV"), outputs=target, title="many to many, not aligned")


if __name__ == "__main__":
    main()
