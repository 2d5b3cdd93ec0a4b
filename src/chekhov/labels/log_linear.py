"""A log-linear tagger: p(tag | word in its place) is the softmax of a sum of weights, one for each feature and tag.

It is the maximum entropy tagger of Ratnaparkhi (1996) without the tags before: it looks at the word, its affixes and
its neighbours, and at pairs of these. What it knows, it knows by heart, where a recurrent net sees likeness; so that
the two are wrong in different places, and better together than each.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chekhov.labels.features import AFFIX_FEATURES, PREFIXES, Words

NUMBER, SUFFIX, SHAPE = 0, PREFIXES + 3, AFFIX_FEATURES  # columns: the word's number, suffix of three, shape
ALONE = -1  # in place of a second column
TEMPLATES = (
    *((0, column, 0, ALONE) for column in range(1 + AFFIX_FEATURES)),
    *((0, NUMBER, 0, SHAPE), (0, SUFFIX, 0, SHAPE)),
    *((0, 1, 0, SUFFIX), (0, 2, 0, SUFFIX), (0, PREFIXES, 0, SUFFIX - 1)),
    *((offset, NUMBER, 0, ALONE) for offset in (-2, -1, 1, 2)),
    *((offset, column, 0, ALONE) for offset in (-1, 1) for column in (SUFFIX, SHAPE)),
    *((-1, NUMBER, 0, NUMBER), (0, NUMBER, 1, NUMBER), (-1, NUMBER, 1, NUMBER)),
    *((-2, NUMBER, -1, NUMBER), (1, NUMBER, 2, NUMBER)),
    *((-1, SUFFIX, 0, SUFFIX), (0, SUFFIX, 1, SUFFIX), (-1, NUMBER, 0, SUFFIX), (0, SUFFIX, 1, NUMBER)),
    *((-1, SHAPE, 0, SHAPE), (0, SHAPE, 1, SHAPE), (-1, NUMBER, 0, SHAPE), (0, SHAPE, 1, NUMBER)),
)  # an offset and a column, and a second pair
REACH = max(abs(offset) for first, _, second, _ in TEMPLATES for offset in (first, second))
MOST_FEATURES = 1 << 20  # of a model: the most frequent ones
MOST_COUNTED = 1 << 22  # seen twice, of which those are chosen
SEEN_BITS = 1 << 16, 1 << 27  # of the set of what was seen once, at least and at most; some are taken for others
PASSES, RATE, FIRST_SQUARE = 4, 0.3, 1.0  # of AdaGrad; the dev parts of EWT and Taiga hardly tell others apart
LANES = 16
FIRST_FACTOR, SECOND_FACTOR = 0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93  # of the hash


@dataclass(frozen=True)
class LogLinear:
    """``codes`` (features), uint64: of those that the training text has at least twice, the most frequent first.
    ``rows`` (features, tags filled up to a multiple of 16): their weights. ``slots``: a hash table from codes to
    rows."""

    codes: NDArray[np.uint64]
    rows: NDArray[np.float32]
    tags: int
    slots: NDArray[np.uint64]

    @classmethod
    def fit(cls, words: Words, at: int, targets: NDArray[np.int64], tags: int, seed: int) -> LogLinear:
        """``at``: where the affixes begin in ``words.features``; targets (words): numbers of tags."""
        from chekhov.labels.log_linear_kernels import learn

        given = in_context(words, at)
        codes = frequent_features(*given)
        model = cls.of(codes, np.zeros((len(codes), tags), np.float32))
        width = model.rows.shape[1]
        squares = np.full(model.rows.size, FIRST_SQUARE, np.float32)
        draws = np.random.Generator(np.random.Philox(seed))
        for _ in range(PASSES):
            order = draws.permutation(len(words.begins) - 1)
            learn(*given, order, targets, model.slots, model.rows.reshape(-1), squares, width, tags, np.float32(RATE))
        return model

    @classmethod
    def of(cls, codes: NDArray[np.uint64], weights: NDArray[np.float32]) -> LogLinear:
        """weights (features, tags)."""
        from chekhov.labels.log_linear_kernels import fill

        features, tags = weights.shape
        rows = np.zeros((features, -(-tags // LANES) * LANES), np.float32)
        rows[:, :tags] = weights
        slots = np.zeros(slots_for(features), np.uint64)
        fill(slots, codes)
        return cls(codes, rows, tags, slots)

    @property
    def weights(self) -> NDArray[np.float32]:
        return np.ascontiguousarray(self.rows[:, : self.tags])

    def scores(self, words: Words, at: int) -> NDArray[np.float32]:
        """(words, tags), in nats but for a constant of each word."""
        from chekhov.labels.log_linear_kernels import score

        out = np.empty((len(words.tokens), self.tags), np.float32)
        score(*in_context(words, at), REACH, self.slots, self.rows.reshape(-1), self.rows.shape[1], self.tags, out)
        return out


def slots_for(features: int) -> int:
    """A power of two; at least half of the slots stay empty."""
    return 1 << (2 * features + 1).bit_length()


def frequent_features(
    features: NDArray[np.int64], tokens: NDArray[np.int64], begins: NDArray[np.int64], templates: NDArray[np.int64]
) -> NDArray[np.uint64]:
    """The codes of features that stand there at least twice. What stood once says little, and much by chance."""
    from chekhov.labels.log_linear_kernels import count

    total = len(tokens) * len(templates)
    bits = min(max(1 << (16 * total).bit_length(), SEEN_BITS[0]), SEEN_BITS[1])
    most = min(total // 2 + 1, MOST_COUNTED)
    codes, counts = np.empty(most, np.uint64), np.empty(most, np.int64)
    slots = np.zeros(slots_for(most), np.uint64)
    found = count(features, tokens, begins, templates, np.zeros(bits // 8, np.uint8), slots, codes, counts)
    return codes[np.argsort(-counts[:found], kind="stable")[:MOST_FEATURES]]


def in_context(words: Words, at: int) -> tuple[NDArray[np.int64], ...]:
    """What the kernels want: features (types + 2, 1 + AFFIX_FEATURES) of each type, of what stands before a sentence
    and after it; which type each word is; where sentences begin; the templates."""
    own = words.features[:, [NUMBER, *range(at, at + AFFIX_FEATURES)]]
    features = np.concatenate([own, np.full((1, own.shape[1]), -1), np.full((1, own.shape[1]), -2)])
    return features, words.tokens, words.begins, np.array(TEMPLATES)


def reference_scores(model: LogLinear, words: Words, at: int) -> NDArray[np.float64]:
    """`LogLinear.scores`, plainly: its oracle."""
    weights = dict(zip(model.codes.tolist(), model.weights.astype(np.float64)))
    out = np.zeros((len(words.tokens), model.tags))
    for place, codes in enumerate(reference_codes(words, at)):
        for code in codes:
            out[place] += weights.get(code, 0.0)
    return out


def reference_codes(words: Words, at: int) -> list[list[int]]:
    """The codes of the features of each word."""
    features, tokens, begins, _ = in_context(words, at)
    out: list[list[int]] = [[] for _ in tokens]
    for begin, end in itertools.pairwise(begins.tolist()):
        kinds = {place: int(tokens[place]) for place in range(begin, end)}
        for place in range(begin, end):
            for j, template in enumerate(TEMPLATES):
                values = []
                for offset, column in (template[:2], template[2:]):
                    if column != ALONE:
                        beyond = -2 if place + offset < begin else -1  # rows of ``features``, from their end
                        values.append((column, int(features[kinds.get(place + offset, beyond), column])))
                if (NUMBER, 0) not in values:
                    out[place].append(reference_code(j, [value for _, value in values]))
    return out


def reference_code(template: int, values: list[int]) -> int:
    """A hash of a template's number and its values."""
    code = (template + 1) * FIRST_FACTOR % 2**64
    for value in values:
        code = (code ^ value % 2**64) * SECOND_FACTOR % 2**64
        code ^= code >> 32
    return code
