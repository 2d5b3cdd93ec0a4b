"""A word's vector from its characters: convolution and the maximum over the places."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from chekhov.errors import check_range
from chekhov.labels.characters import CHARACTERS

WIDTH = 3  # characters that a filter sees


class CharacterEncoder(nn.Module):
    """max over t of ReLU(W [c_{t-1}; c_t; c_{t+1}] + b), c the characters' vectors (Ma & Hovy 2016, section 2.1).

    Character 0 is padding; a filter sees zeros there, and its places do not count.
    """

    def __init__(self, character_size: int, filters: int):
        super().__init__()
        check_range("character_size", character_size, 1, 1 << 12)
        check_range("filters", filters, 1, 1 << 12)
        self.embedding = nn.Embedding(CHARACTERS, character_size, padding_idx=0)
        self.filters = nn.Conv1d(character_size, filters, WIDTH, padding=WIDTH // 2)

    def forward(self, characters: Tensor) -> Tensor:
        """characters (N, L) of N words -> (N, filters); a word of no character is 0."""
        longest = max(1, int((characters != 0).sum(1).max())) if len(characters) else 1
        characters = characters[:, :longest]
        found = F.relu(self.filters(self.embedding(characters).transpose(1, 2)))  # (N, filters, L)
        return (found * (characters != 0)[:, None]).amax(2)
