"""Is one model better than another, or was it the text? A paired bootstrap over blocks of the text.

Both models have read the same text; block by block of about 1,000 characters their bits are subtracted, and blocks are
drawn with replacement (Koehn 2004; blocks and not tokens, because what stands together is hard or easy together).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chekhov.evaluation.perplexity import Evaluation
from chekhov.tokens.tokenizer import Tokenizer

BLOCK_CHARACTERS = 200, 1_000  # as many as make some 40 blocks of the text, within these bounds
DRAWS = 10_000
LEVEL = 0.01
FEWEST_BLOCKS = 10
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """``difference``: bits per character of the first model less those of the second; below 0 the first is better.

    ``low`` and ``high`` bound it with 95 %; ``p_value`` is two-sided. NaN where there are too few blocks to say.
    """

    difference: float
    low: float
    high: float
    p_value: float
    blocks: int

    @property
    def tie(self) -> bool:
        return not self.p_value < LEVEL


def block_size(documents: Sequence[str]) -> int:
    least, most = BLOCK_CHARACTERS
    return max(least, min(most, sum(map(len, documents)) // 40))


def cut_blocks(text: str, size: int) -> list[str]:
    """The text in pieces of ``size`` characters and more, each cut behind a line end; a long line behind a blank."""
    pieces, start = [], 0
    while start < len(text):
        end = start + size
        place = text.find("\n", end - 1)
        if place < 0 or place > end + size:
            place = text.find(" ", end - 1)
        end = len(text) if place < 0 else place + 1
        pieces.append(text[start:end])
        start = end
    return pieces


def block_bits(bits: Floats, text: str, tokenizer: Tokenizer, size: int) -> tuple[Floats, Floats]:
    """bits (N,), one for each token of a document -> the bits and the characters (blocks,) of each block."""
    pieces = cut_blocks(text, size)
    for lengths in ([len(tokenizer.encode(p)) for p in pieces], [len(tokenizer.encode_prompt(p)) for p in pieces]):
        if len(bits) - sum(lengths) in (0, 1):  # a stream has one </s> more, at the end of the document
            break
    ends = np.minimum(np.cumsum(lengths), len(bits))
    if len(ends):
        ends[-1] = len(bits)
    starts = np.concatenate([[0], ends[:-1]])
    sums = np.array([bits[start:end].sum() for start, end in zip(starts, ends, strict=True)])
    return sums, np.array([len(piece) for piece in pieces], np.float64)


def paired_bootstrap(first: Floats, second: Floats, characters: Floats, *, seed: int = 0) -> Comparison:
    """Blocks of two models, in the same order: bits (n,), bits (n,), characters (n,)."""
    n = len(characters)
    nan = float("nan")
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        return Comparison(nan, nan, nan, nan, n)
    gap = first - second
    difference = float(gap.sum() / characters.sum()) if n else nan
    if n < FEWEST_BLOCKS:
        return Comparison(difference, nan, nan, nan, n)
    rng = np.random.default_rng(seed)
    drawn = np.empty(DRAWS)
    for start in range(0, DRAWS, 500):
        rows = rng.integers(n, size=(min(500, DRAWS - start), n))
        drawn[start : start + 500] = gap[rows].sum(axis=1) / characters[rows].sum(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    tail = min((drawn <= 0).mean(), (drawn >= 0).mean())
    return Comparison(difference, float(low), float(high), float(max(2 * tail, 1 / DRAWS)), n)


def compare_all(
    results: Sequence[Evaluation], tokenizers: Sequence[Tokenizer], documents: Sequence[str]
) -> list[tuple[Evaluation, Evaluation, Comparison]]:
    """The best model against each of the others: (best, other, comparison), on the text that all have read.

    Where some pay for the whole text and others do not (``*``), those that do are compared.
    """
    paired = list(zip(results, tokenizers, strict=True))
    paired = [pair for pair in paired if not pair[0].star] or paired
    blocks, size = [], block_size(documents)
    for result, tokenizer in paired:
        rows = zip(result.token_bits, documents, strict=True)
        blocks.append([block_bits(bits, text, tokenizer, size) for bits, text in rows])
    bits = [np.concatenate([sums for sums, _ in row]) for row in blocks]
    best = min(range(len(paired)), key=lambda i: paired[i][0].bits_per_character)
    characters = np.concatenate([sizes for _, sizes in blocks[best]])
    return [
        (paired[best][0], paired[i][0], paired_bootstrap(bits[best], bits[i], characters))
        for i in range(len(paired))
        if i != best
    ]


def describe(names: Sequence[str], comparison: Comparison) -> str:
    """One sentence: who is better by how much, or that it cannot be told."""
    first, second = names
    if np.isnan(comparison.p_value):
        reason = f"{comparison.blocks} blocks" if np.isfinite(comparison.difference) else "an infinite perplexity"
        return f"{first} and {second}: cannot be told from {reason}"
    if comparison.tie:
        return f"{first} and {second}: a tie (p = {comparison.p_value:.2g})"
    better, worse = (first, second) if comparison.difference < 0 else (second, first)
    bounds = "{:.3f} to {:.3f}".format(*sorted(map(abs, (comparison.low, comparison.high))))
    return (
        f"{better} is better than {worse}: {abs(comparison.difference):.3f} bits/char "
        f"(95 %: {bounds}), p <= {comparison.p_value:.2g}"
    )
