"""Sentences through a word encoder that does not train: W x of the first layer is computed once a type of word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from chekhov.labels.features import Words
from chekhov.recurrent.products import LANES, linear, packed, product
from chekhov.recurrent.sequences import runs_here
from chekhov.recurrent.tagger_net import gather_rows, places_of
from chekhov.recurrent.word_encoder import WordEncoder

AT_ONCE = 1 << 25  # numbers of W x in memory
Rows = NDArray[np.int64]


@torch.inference_mode()
def read(encoder: WordEncoder, words: Words, batches: Sequence[Rows]) -> Iterator[tuple[Rows, Tensor]]:
    """Each batch of rows with what the encoder says of them, (B, T, 2H): 0 after the end of a row.

    The rows of a batch are in the order of their lengths, as `sorted_batches` has them. By our kernels a row's numbers
    are to the bit the same in every batch.
    """
    full = [rows for rows in batches if words.lengths[rows].any()]
    for rows in batches:
        if not words.lengths[rows].any():
            yield rows, torch.zeros(len(rows), 1, encoder.output_size)
    if encoder.layers is None or not runs_here(encoder.words.weight, encoder.words.weight):
        for rows in full:
            yield rows, encoder(gather_rows(words, rows)[0])
        return
    pairs = zip(encoder.layers.forward_cells, encoder.layers.backward_cells)
    layers = [[Direction.of(cell) for cell in pair] for pair in pairs]
    limit = AT_ONCE // sum(side.columns for side in layers[0])
    for group in grouped(full, words.lengths, limit):
        yield from read_group(encoder, layers, words, group)


def grouped(batches: Sequence[Rows], lengths: NDArray[np.int64], limit: int) -> Iterator[list[Rows]]:
    """Batches that follow each other, of at most ``limit`` words together; or a larger one by itself."""
    group: list[Rows] = []
    count = 0
    for rows in batches:
        own = int(lengths[rows].sum())
        if group and count + own > limit:
            yield group
            group, count = [], 0
        group.append(rows)
        count += own
    if group:
        yield group


def read_group(
    encoder: WordEncoder, layers: list[list[Direction]], words: Words, group: list[Rows]
) -> Iterator[tuple[Rows, Tensor]]:
    places = [places_of(words, rows) for rows in group]
    seen = np.zeros(len(words.features), bool)
    for own in places:
        seen[words.tokens[own]] = True  # after the end of a row stands the last word of all, which is not read
    number = np.cumsum(seen) - 1
    types = encoder.embed(torch.from_numpy(words.features[seen]))  # (N, I)
    states = words.states if encoder.state_size else None
    first = [side.project(types) for side in layers[0]] if states is None else []
    for rows, own in zip(group, places):
        lengths, which, every = words.lengths[rows], number[words.tokens[own]].reshape(-1), np.arange(own.size)
        if states is None:
            hidden = unrolled(layers[0], first, which, lengths, own.shape)
        else:  # what a word is told of its sentence is multiplied too
            told = linear(encoder.of_states, torch.from_numpy(states[own.reshape(-1)].astype(np.float32)))
            xs = torch.cat([F.embedding(torch.from_numpy(which), types), told], dim=1)
            hidden = unrolled(layers[0], [side.project(xs) for side in layers[0]], every, lengths, own.shape)
        for layer in layers[1:]:
            tables = [side.project(hidden.flatten(0, 1)) for side in layer]
            hidden = unrolled(layer, tables, every, lengths, own.shape)
        yield rows, hidden


class Direction(NamedTuple):
    """An LSTM as the kernels want it, ``units`` being H filled up to a multiple of 16."""

    W: Tensor  # panels of (I, 4 * units)
    U: Tensor  # panels of (units, 4 * units)
    bias: Tensor
    hidden_size: int
    units: int

    @classmethod
    def of(cls, cell: Any) -> Direction:
        from chekhov.recurrent.matrices import interleave, pad, up

        W, U, *biases = (parameter.detach() for parameter in cell.parameters_by_letter())
        H, units = cell.hidden_size, up(cell.hidden_size, LANES)
        bias = interleave(pad(sum(biases).view(4, H), 4, units), LANES).reshape(-1)
        return cls(packed(W, 4), packed(U, 4), bias, H, units)

    @property
    def columns(self) -> int:
        return 4 * self.units

    def project(self, lines: Tensor) -> Tensor:
        """W x of lines (N, I): (N, 4 * units)."""
        return product(lines, self.W, self.columns)


def unrolled(
    layer: list[Direction],
    tables: list[Tensor],
    which: NDArray[np.int64],
    lengths: NDArray[np.int64],
    shape: tuple[int, ...],
) -> Tensor:
    """(B, T, 2H). ``tables``: W x of the forward and the backward LSTM; which[b * T + t]: their line of word b, t."""
    from chekhov.recurrent import reading_kernels
    from chekhov.recurrent.matrices import by_rows, flat

    (B, T), units = shape, layer[0].units
    out = torch.empty(B, T, 2, units)
    for back, (side, table) in enumerate(zip(layer, tables)):
        arrays = flat(table), which, flat(side.bias), flat(side.U), lengths
        place = flat(out), 2 * units, back * units

        def part(first: int, last: int, arrays: Any = arrays, place: Any = place, back: bool = bool(back)) -> None:
            reading_kernels.lstm_read(*arrays, T, units, *place, first, last, back)

        by_rows(part, B)
    return out[..., : layer[0].hidden_size].flatten(2)
