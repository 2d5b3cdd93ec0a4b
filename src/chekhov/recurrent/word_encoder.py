"""Words to vectors by their features, read from both ends: what taggers and classifiers have in common."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chekhov.errors import check_range
from chekhov.recurrent.bidirectional import Bidirectional
from chekhov.recurrent.lstm import LSTM

INITIAL_DEVIATION = 0.3  # of embeddings


class WordEncoder(nn.Module):
    """Embedding of the word and of each affix, one beside the other -> bidirectional LSTM layers.

    No layer: the embeddings themselves, a bag of them. ``word_dropout``: the share of words that training takes for
    unknown ones, so that the affixes learn to stand alone.
    """

    offsets: Tensor

    def __init__(
        self,
        words: int,
        affix_features: int,
        buckets: int,
        *,
        word_size: int,
        affix_size: int,
        hidden_size: int,
        num_layers: int,
        dropout: float,
        word_dropout: float,
    ):
        super().__init__()
        for name, size, high in (
            ("words", words, 1 << 24),
            ("word_size", word_size, 1 << 12),
            ("affix_size", affix_size, 1 << 12),
            ("hidden_size", hidden_size, 1 << 12),
        ):
            check_range(name, size, 1, high)
        check_range("num_layers", num_layers, 0, 16)
        check_range("dropout", dropout, 0.0, 0.99)
        check_range("word_dropout", word_dropout, 0.0, 0.99)
        self.dropout, self.word_dropout = dropout, word_dropout
        self.words = nn.Embedding(words, word_size)
        self.affixes = nn.Embedding(affix_features * buckets, affix_size)
        nn.init.normal_(self.words.weight, std=INITIAL_DEVIATION)
        nn.init.normal_(self.affixes.weight, std=INITIAL_DEVIATION)
        self.register_buffer("offsets", torch.arange(affix_features) * buckets, persistent=False)
        widths = [word_size + affix_features * affix_size] + [2 * hidden_size] * num_layers
        cells = [[LSTM(width, hidden_size) for width in widths[:-1]] for _ in range(2)]
        self.layers = Bidirectional(cells[0], cells[1], dropout) if num_layers else None
        self.output_size = widths[-1]

    def embed(self, features: Tensor) -> Tensor:
        """features (N, 1 + affixes) of N words -> (N, I)."""
        words = features[:, 0]
        if self.training and self.word_dropout:
            words = words.masked_fill(torch.rand(len(words)) < self.word_dropout, 0)
        affixes = self.affixes(features[:, 1:] + self.offsets).flatten(1)
        return torch.cat([self.words(words), affixes], dim=1)

    def forward(self, features: Tensor, tokens: Tensor, lengths: Tensor) -> Tensor:
        """features (types, 1 + affixes), tokens (B, T) -> (B, T, 2H), 0 after the end of a row."""
        xs = F.embedding(tokens, self.embed(features))
        xs = F.dropout(xs, self.dropout, self.training)
        if self.layers is None:
            return xs * (torch.arange(tokens.shape[1]) < lengths[:, None])[..., None]
        return F.dropout(self.layers(xs, lengths), self.dropout, self.training)
