"""Words to vectors by their features, read from both ends: what taggers and classifiers have in common."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from chekhov.errors import check_range
from chekhov.labels.features import AFFIX_FEATURES, BUCKETS
from chekhov.recurrent.bidirectional import Bidirectional
from chekhov.recurrent.character_encoder import CharacterEncoder
from chekhov.recurrent.dropout import dropout
from chekhov.recurrent.embedding import embedding
from chekhov.recurrent.lstm import LSTM
from chekhov.recurrent.products import linear

INITIAL_DEVIATION = 0.3  # of embeddings
CHARACTER_FILTERS = 3  # times the size of a character's vector


class Rows(NamedTuple):
    """A batch: N types of words, and which of them stand where."""

    features: Tensor  # (N, F)
    tokens: Tensor  # (B, T), rows of ``features``
    lengths: Tensor  # (B,)
    states: Tensor | None = None  # (B, T, S) of language models


class WordEncoder(nn.Module):
    """The word's embedding beside those of its affixes, its characters, its vector -> bidirectional LSTM layers.

    No layer: the embeddings themselves, a bag of them. ``word_dropout``: the share of words that training takes for
    unknown ones, so that the rest learns to stand alone. Of size 0 is what there is not. ``vector_size``: of vectors
    given, which are not trained but taken through a linear layer; they are set by `give_vectors` and not stored here.
    ``state_size``: of the states of language models that come with each batch, and go through a linear layer too.
    """

    offsets: Tensor
    vectors: Tensor

    def __init__(
        self,
        words: int,
        *,
        word_size: int,
        affix_size: int,
        hidden_size: int,
        num_layers: int,
        dropout: float,
        word_dropout: float,
        character_size: int = 0,
        vector_size: int = 0,
        state_size: int = 0,
        projection_size: int = 0,
    ):
        super().__init__()
        for name, size, low, high in (
            ("words", words, 1, 1 << 24),
            ("word_size", word_size, 1, 1 << 12),
            ("affix_size", affix_size, 0, 1 << 12),
            ("hidden_size", hidden_size, 1, 1 << 12),
            ("character_size", character_size, 0, 1 << 12),
            ("vector_size", vector_size, 0, 1 << 14),
            ("state_size", state_size, 0, 1 << 16),
            ("projection_size", projection_size, 1 if vector_size or state_size else 0, 1 << 12),
            ("num_layers", num_layers, 0, 16),
        ):
            check_range(name, size, low, high)
        check_range("dropout", dropout, 0.0, 0.99)
        check_range("word_dropout", word_dropout, 0.0, 0.99)
        self.dropout, self.word_dropout = dropout, word_dropout
        self.words = nn.Embedding(words, word_size)
        nn.init.normal_(self.words.weight, std=INITIAL_DEVIATION)
        width = word_size
        if affix_size:
            self.affixes = nn.Embedding(AFFIX_FEATURES * BUCKETS, affix_size)
            nn.init.normal_(self.affixes.weight, std=INITIAL_DEVIATION)
            width += AFFIX_FEATURES * affix_size
        self.register_buffer("offsets", torch.from_numpy(np.arange(AFFIX_FEATURES) * BUCKETS), persistent=False)
        self.register_buffer("vectors", torch.zeros(1, vector_size), persistent=False)
        self.affix_size, self.vector_size, self.state_size = affix_size, vector_size, state_size
        if character_size:
            self.characters = CharacterEncoder(character_size, CHARACTER_FILTERS * character_size)
            width += CHARACTER_FILTERS * character_size
        self.character_size = character_size
        if vector_size:
            self.of_vectors = nn.Linear(vector_size, projection_size)
            width += projection_size
        if state_size:
            self.of_states = nn.Linear(state_size, projection_size)
            width += projection_size
        widths = [width] + [2 * hidden_size] * num_layers
        cells = [[LSTM(width, hidden_size) for width in widths[:-1]] for _ in range(2)]
        self.layers = Bidirectional(cells[0], cells[1], dropout) if num_layers else None
        self.output_size = widths[-1]

    def give_vectors(self, vectors: Tensor) -> None:
        """(rows, vector_size), of which row 0 is that of words without one: zeros."""
        self.vectors = vectors

    def embed(self, features: Tensor) -> Tensor:
        """features (N, F) of N words -> (N, I) but for the states."""
        words = features[:, 0]
        vectors, hashed, characters = self.columns(features)
        if self.training and self.word_dropout:
            words = words.masked_fill(torch.rand(len(words)) < self.word_dropout, 0)
        parts = [embedding(words, self.words.weight)]
        if self.vector_size:
            parts.append(linear(self.of_vectors, self.vectors[vectors]))
        if self.affix_size:
            parts.append(embedding(hashed, self.affixes.weight).flatten(1))
        if self.character_size:
            parts.append(self.characters(characters))
        return torch.cat(parts, dim=1)

    def columns(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of features (N, F): rows of vectors (N,), of ``affixes`` (N, AFFIX_FEATURES), characters (N, L)."""
        at = 1 + (self.vector_size > 0)
        end = at + AFFIX_FEATURES * (self.affix_size > 0)
        hashed = features[:, at:end] + self.offsets if self.affix_size else features[:, :0]
        return features[:, at - 1], hashed, features[:, end:]

    def silence_unseen(self, features: Tensor) -> None:
        """Before training on words of these features (N, F): affixes and characters that none of them has get no
        vector, and keep none. What nothing has taught would be noise, where there is much of it in unknown words."""
        _, hashed, characters = self.columns(features)
        tables = [(self.affixes.weight, hashed)] if self.affix_size else []
        tables += [(self.characters.embedding.weight, characters)] if self.character_size else []
        for table, rows in tables:
            unseen = torch.ones(len(table), 1).index_fill(0, rows.flatten(), 0.0) > 0
            with torch.no_grad():
                table.masked_fill_(unseen, 0.0)

    def embed_rows(self, rows: Rows) -> Tensor:
        """(B, T, I)."""
        xs = embedding(rows.tokens, self.embed(rows.features))
        if self.state_size and rows.states is not None:
            xs = torch.cat([xs, linear(self.of_states, rows.states)], dim=2)
        return xs

    def read(self, xs: Tensor, lengths: Tensor) -> Tensor:
        """Embedded rows (B, T, I) -> (B, T, 2H), 0 after the end of a row."""
        xs = dropout(xs, self.dropout, self.training)
        if self.layers is None:
            return xs * (torch.arange(xs.shape[1]) < lengths[:, None])[..., None]
        return dropout(self.layers(xs, lengths), self.dropout, self.training)

    def forward(self, rows: Rows) -> Tensor:
        return self.read(self.embed_rows(rows), rows.lengths)
