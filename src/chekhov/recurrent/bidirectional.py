"""Two cells that read a text from both ends: for tagging and classifying what is there, never for predicting it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from chekhov.recurrent.cell import Cell
from chekhov.recurrent.dropout import dropout


class Bidirectional(nn.Module):
    """[h_forward; h_backward] at every token (Schuster & Paliwal 1997), layer upon layer, each over both directions.

    It is no `Cell`: what it says of a token depends on the tokens after it, so it has no step, and a language model
    made of it would be told the word that it is to predict.
    """

    def __init__(self, forward_cells: Sequence[Cell], backward_cells: Sequence[Cell], dropout: float = 0.0):
        super().__init__()
        self.forward_cells, self.backward_cells = nn.ModuleList(forward_cells), nn.ModuleList(backward_cells)
        self.dropout = dropout
        self.output_size = forward_cells[-1].hidden_size + backward_cells[-1].hidden_size

    def forward(self, xs: Tensor, lengths: Tensor | None = None) -> Tensor:
        """xs (B, T, I) -> (B, T, 2H). ``lengths`` (B,): tokens of each row; outputs of the padding after them are 0."""
        B, T, _ = xs.shape
        lengths = torch.full((B,), T) if lengths is None else lengths
        places = torch.arange(T)
        real = (places < lengths[:, None])[..., None]
        backwards = torch.where(real[..., 0], lengths[:, None] - 1 - places, places)[..., None]  # its own inverse
        for layer, (ahead, back) in enumerate(zip(self.forward_cells, self.backward_cells, strict=True)):
            if layer > 0:
                xs = dropout(xs, self.dropout, self.training)
            turned = torch.take_along_dim(xs, backwards, dim=1)
            seen, _ = ahead.unroll(xs, ahead.initial_state(B))  # type: ignore[operator]
            to_come, _ = back.unroll(turned, back.initial_state(B))  # type: ignore[operator]
            xs = torch.cat([seen, torch.take_along_dim(to_come, backwards, dim=1)], dim=2) * real
        return xs
