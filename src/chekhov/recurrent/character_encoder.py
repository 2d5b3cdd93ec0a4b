"""A word's vector from its characters: convolution and the maximum over the places."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chekhov.errors import check_range
from chekhov.labels.characters import CHARACTERS
from chekhov.recurrent.products import linear


class CharacterEncoder(nn.Module):
    """max over t of ReLU(W [c_{t-1}; c_t; c_{t+1}] + b), c the characters' vectors (Ma & Hovy 2016, section 2.1).

    Before the first and after the last character of a word c is 0.
    """

    def __init__(self, character_size: int, filters: int):
        super().__init__()
        check_range("character_size", character_size, 1, 1 << 12)
        check_range("filters", filters, 1, 1 << 12)
        self.embedding = nn.Embedding(CHARACTERS, character_size)
        self.filters = nn.Linear(3 * character_size, filters)

    def forward(self, characters: Tensor) -> Tensor:
        """characters (N, L) of N words, 0 after the end of each -> (N, filters); a word of no character is 0.

        All words one after the other, without their padding, which is most of it: one product of matrices.
        """
        real = characters != 0
        lengths = real.sum(1)  # (N,)
        ends = lengths.cumsum(0)
        there = lengths > 0
        first = torch.zeros(int(lengths.sum()), 1, dtype=torch.bool).index_fill(0, (ends - lengths)[there], True)
        last = torch.zeros_like(first).index_fill(0, ends[there] - 1, True)
        c = self.embedding(characters[real])  # (M, C)
        before = F.pad(c, (0, 0, 1, 0))[:-1].masked_fill(first, 0.0)
        after = F.pad(c, (0, 0, 0, 1))[1:].masked_fill(last, 0.0)
        found = F.relu(linear(self.filters, torch.cat([before, c, after], dim=1)))
        return torch.segment_reduce(found, "max", lengths=lengths, initial=0.0, unsafe=True)
