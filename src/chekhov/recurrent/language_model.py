"""A recurrent language model: embedding -> stack of cells -> softmax over the vocabulary.

    x_t = E[w_t]        h_t = cell(x_t, h_{t-1})        o_t = p(w_{t+1} | w_1 .. w_t) = softmax(W_ho h_t + b)

Inside, tensors (`forward`); at the boundary the contract of ``chekhov.types`` in NumPy (float32, int64).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chekhov.errors import ModelError, UsageError, check_range
from chekhov.recurrent.cell import Cell
from chekhov.recurrent.dropout import dropout
from chekhov.recurrent.elman import Elman
from chekhov.recurrent.embedding import embedding
from chekhov.recurrent.gru import GRU
from chekhov.recurrent.indrnn import IndRNN
from chekhov.recurrent.lstm import LSTM
from chekhov.recurrent.mingru import MinGRU
from chekhov.recurrent.minlstm import MinLSTM
from chekhov.recurrent.qrnn import QRNN
from chekhov.recurrent.rglru import RGLRU
from chekhov.recurrent.shapes import shapes_alone
from chekhov.recurrent.sru import SRU
from chekhov.recurrent.stack import Stack
from chekhov.recurrent.weights import TorchCell, weights_dropped
from chekhov.recurrent.window import FixedWindow
from chekhov.state import map_state
from chekhov.types import BOS, EOS, Arrays, Ids, LogProbs

CELLS: dict[str, Callable[..., Cell]] = {
    "window": FixedWindow,
    "elman": Elman,
    "gru": GRU,
    "mingru": MinGRU,
    "minlstm": MinLSTM,
    "qrnn": QRNN,
    "sru": SRU,
    "indrnn": IndRNN,
    "rglru": RGLRU,
    "lstm": LSTM,
}
WITH_MATRIX = ("elman", "gru", "lstm")
MAX_LOGITS = 1 << 24  # floats of one block of logits: 64 MiB


class RecurrentState(NamedTuple):
    features: Any  # (B, H) what the head reads
    cells: Any  # the stack's state, a tuple over layers


class RecurrentLM(nn.Module):
    """``cell_options`` are the keyword arguments of the cell. ``embedding_size`` 0 feeds one-hot vectors.

    ``tied``: the output matrix is the embedding (Press & Wolf 2017; Inan, Khosravi & Socher 2017), so that both have
    the hidden size. ``dropout`` is that of embeddings, between layers and before the softmax; ``locked_dropout``: it
    takes the same units of a row at every step; ``weight_drop``: dropout of the recurrent matrices' weights.
    Raises `UsageError` for a size out of range, or weights to drop where the cell has no recurrent matrix.
    """

    def __init__(
        self,
        cell: str,
        vocab_size: int,
        *,
        embedding_size: int = 128,
        hidden_size: int = 256,
        num_layers: int = 1,
        dropout: float = 0.0,
        locked_dropout: bool = False,
        weight_drop: float = 0.0,
        tied: bool = False,
        residual: bool = False,
        cell_options: dict[str, Any] | None = None,
    ):
        super().__init__()
        for name, size, high in (
            ("vocab_size", vocab_size, 1 << 24),
            ("hidden_size", hidden_size, 1 << 14),
            ("num_layers", num_layers, 64),
        ):
            check_range(name, size, 1, high)
        check_range("embedding_size", embedding_size, 0, 1 << 14)
        check_range("dropout", dropout, 0.0, 0.99)
        check_range("weight_drop", weight_drop, 0.0, 0.99)
        self.cell, self.vocab_size, self.dropout = cell, vocab_size, dropout
        self.tied, self.cell_options = tied, cell_options or {}
        self.embedding = nn.Embedding(vocab_size, embedding_size) if embedding_size else None  # unit variance
        widths = [embedding_size or vocab_size] + [hidden_size] * num_layers
        cells = [CELLS[cell](i, h, **self.cell_options) for i, h in itertools.pairwise(widths)]
        self.locked_dropout, self.weight_drop = locked_dropout, weight_drop
        if weight_drop and not isinstance(cells[0], TorchCell):
            mend = f"leave it out, or train one of {', '.join(WITH_MATRIX)}"
            raise UsageError("E-TRAIN-019", f"{cell} has no recurrent matrix to drop weights of", mend=mend)
        self.stack = Stack(cells, dropout, residual=residual, locked=locked_dropout)
        self.head = nn.Linear(hidden_size, vocab_size)
        nn.init.zeros_(self.head.bias)
        if tied:
            self._tie(hidden_size)

    def _tie(self, hidden_size: int) -> None:
        if self.embedding is None or self.embedding.embedding_dim != hidden_size:
            raise UsageError(
                "E-TRAIN-011",
                "tied weights need an embedding of the hidden size",
                mend=f"give --embedding-size {hidden_size} too",
            )
        nn.init.normal_(self.embedding.weight, std=hidden_size**-0.5)  # as a head; `embed` scales it up again
        self.head.weight = self.embedding.weight

    def forward(self, ids: Tensor, cells: Any) -> tuple[Tensor, Any]:
        """ids (B, T) -> features (B, T, H), the stack's state after them."""
        outputs, cells = self.outputs(ids, cells)
        return self.dropped(outputs), cells

    def outputs(self, ids: Tensor, cells: Any) -> tuple[Tensor, Any]:
        """The features before their dropout."""
        share = self.weight_drop if self.training else 0.0
        with weights_dropped(self.stack.cells, share) if share else nullcontext():
            return self.stack.unroll(self.dropped(self.embed(ids)), cells)

    def dropped(self, x: Tensor) -> Tensor:
        return dropout(x, self.dropout, self.training, locked=self.locked_dropout)

    def embed(self, ids: Tensor) -> Tensor:
        """<s> and </s> share a vector: what begins here has ended there, and training sees </s> often."""
        ids = ids.masked_fill(ids == BOS, EOS)
        if self.embedding is None:
            return F.one_hot(ids, self.vocab_size).to(self.head.weight.dtype)
        x = embedding(ids, self.embedding.weight)
        return x * self.stack.hidden_size**0.5 if self.tied else x

    # The contract, in NumPy.

    @torch.inference_mode()
    def initial_state(self, batch_size: int) -> RecurrentState:
        cells = self.stack.initial_state(batch_size)
        features = torch.zeros(batch_size, self.stack.hidden_size)  # of no token yet: read by nobody
        start = map_state(lambda tensor: tensor.numpy(), RecurrentState(features, cells))
        return self.advance(start, np.full(batch_size, BOS, np.int64))

    @torch.inference_mode()
    def log_probs(self, state: RecurrentState) -> LogProbs:
        return self.log_softmax(torch.from_numpy(state.features)).numpy()

    @torch.inference_mode()
    def advance(self, state: RecurrentState, tokens: Ids) -> RecurrentState:
        cells = map_state(torch.from_numpy, state.cells)
        features, cells = self.stack.step(self.embed(torch.from_numpy(tokens)), cells)
        return map_state(lambda tensor: tensor.numpy(), RecurrentState(features, cells))

    @torch.inference_mode()
    def score(self, state: RecurrentState, ids: Ids) -> tuple[LogProbs, RecurrentState]:
        B, T = ids.shape
        out = np.empty((B, T), np.float32)
        tokens, features = torch.from_numpy(np.ascontiguousarray(ids)), torch.from_numpy(state.features)
        cells = map_state(torch.from_numpy, state.cells)
        block = max(1, min(1024, MAX_LOGITS // (B * self.vocab_size)))
        for start in range(0, T, block):
            targets = tokens[:, start : start + block]
            outputs, cells = self.stack.unroll(self.embed(targets), cells)
            before = torch.cat([features[:, None], outputs[:, :-1]], dim=1)  # the features that predict each target
            log_probs = self.log_softmax(before).gather(2, targets[..., None])
            out[:, start : start + block] = log_probs[..., 0].numpy()
            features = outputs[:, -1]
        return out, map_state(lambda tensor: tensor.numpy(), RecurrentState(features.clone(), cells))

    def log_softmax(self, features: Tensor) -> Tensor:
        logits = self.head(features)
        logits[..., BOS] = -torch.inf  # the start symbol is conditioned on, never predicted
        return F.log_softmax(logits, dim=-1)

    # What is stored.

    def sizes(self) -> dict[str, Any]:
        return {
            "cell": self.cell,
            "vocab_size": self.vocab_size,
            "embedding_size": self.embedding.embedding_dim if self.embedding else 0,
            "hidden_size": self.stack.hidden_size,
            "num_layers": len(self.stack.cells),
            "dropout": self.dropout,
            "locked_dropout": self.locked_dropout,
            "weight_drop": self.weight_drop,
            "tied": self.tied,
            "residual": self.stack.residual,
            "cell_options": self.cell_options,
        }

    def arrays(self) -> Arrays:
        return {name: tensor.detach().float().numpy() for name, tensor in self._stored().items()}

    def _stored(self) -> dict[str, Tensor]:
        """Every parameter once: a tied head is the embedding."""
        return {name: t for name, t in self.state_dict().items() if not (self.tied and name == "head.weight")}

    @classmethod
    def from_arrays(cls, sizes: dict[str, Any], arrays: Arrays) -> RecurrentLM:
        if sizes.get("cell") not in CELLS:
            raise ModelError(
                "E-MODEL-012", f"the cell {sizes.get('cell')!r} is unknown", mend=f"known: {', '.join(CELLS)}"
            )
        with shapes_alone():
            expected = {name: tuple(tensor.shape) for name, tensor in cls(**sizes)._stored().items()}
        found = {name: tuple(array.shape) for name, array in arrays.items()}
        for name in sorted(expected.keys() | found.keys()):
            if expected.get(name) != found.get(name):
                what = f"the weight {name} has shape {found.get(name)}, expected {expected.get(name)}"
                raise ModelError("E-MODEL-013", what, mend="train the model again")
            if not np.isfinite(arrays[name]).all():
                raise ModelError(
                    "E-MODEL-014", f"the weight {name} holds NaN or infinity", mend="train the model again"
                )
        model = cls(**sizes)
        model.load_arrays(arrays)
        return model.eval()

    def load_arrays(self, arrays: Arrays) -> None:
        """Take over weights of these very shapes."""
        weights = {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
        if self.tied:
            weights["head.weight"] = weights["embedding.weight"]
        self.load_state_dict(weights)

    @property
    def kind(self) -> str:
        return self.cell

    @property
    def parameter_count(self) -> int:
        return sum(tensor.numel() for tensor in self._stored().values())
