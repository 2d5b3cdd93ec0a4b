"""A bidirectional language model of words upon a tagger's hidden states: in training only, to teach them more."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from chekhov.labels.features import UNKNOWN

COMMONEST = 4_000  # words that are told apart; all others are one
HIDDEN_SIZE = 64


class BiLM(nn.Module):
    """The next word from the half of a hidden state that has read up to here, the one before from the other half
    (Rei 2017, equations 7 to 10).

    Few sentences have few tags to learn from; their words say as much again about which stand in each other's place.
    Only over one bidirectional layer: of a second one, either half has seen the word that it is to guess.
    """

    def __init__(self, hidden_size: int, words: int):
        """``hidden_size``: of each half; ``words`` are numbered by falling frequency, 0 is unknown."""
        super().__init__()
        self.words = min(words, COMMONEST)
        self.ahead, self.back = (
            nn.Sequential(nn.Linear(hidden_size, HIDDEN_SIZE), nn.Tanh(), nn.Linear(HIDDEN_SIZE, self.words))
            for _ in range(2)
        )

    def loss(self, hidden: Tensor, numbers: Tensor, lengths: Tensor) -> Tensor:
        """Nats per guessed word, the sum of both directions': hidden (B, T, 2H), numbers (B, T) of words.

        0 where every row is of one word, which has no neighbours.
        """
        targets = torch.where(numbers < self.words, numbers, UNKNOWN)
        has_next = torch.arange(1, hidden.shape[1]) < lengths[:, None]
        if not has_next.any():
            return hidden.new_zeros(())
        seen, to_come = hidden.chunk(2, dim=2)
        ahead = F.cross_entropy(self.ahead(seen[:, :-1][has_next]), targets[:, 1:][has_next])
        return ahead + F.cross_entropy(self.back(to_come[:, 1:][has_next]), targets[:, :-1][has_next])
