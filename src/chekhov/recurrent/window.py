"""The fixed-window neural language model: the bridge from n-grams to recurrent nets."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from chekhov.errors import check_range
from chekhov.recurrent.cell import Cell


class FixedWindow(Cell):
    r"""h_t = tanh(W [x_{t-w+1}; ...; x_t] + b): Bengio, Ducharme, Vincent & Jauvin 2003, equation 1.

    Its direct path from the words to the output is left out. Like an n-gram with n = width + 1 the net sees ``width``
    tokens and no more; unlike it, it knows that words are alike. As a cell its state is what it still sees: the last
    width - 1 inputs (B, width - 1, I), zeros before the text.
    """

    def __init__(self, input_size: int, hidden_size: int, *, width: int = 8):
        super().__init__()
        check_range("width", width, 1, 1 << 10)
        self.input_size, self.hidden_size, self.width = input_size, hidden_size, width
        self.hidden = nn.Linear(width * input_size, hidden_size)

    def initial_state(self, batch_size: int) -> Tensor:
        return self.hidden.weight.new_zeros(batch_size, self.width - 1, self.input_size)

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        named, state = self.trace_step(x, state)
        return named["hidden_state"], state

    def trace_step(self, x: Tensor, state: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        seen = torch.cat([state, x[:, None]], dim=1)  # (B, width, I), oldest first
        a = self.hidden(seen.flatten(1))
        return {"pre_activation": a, "hidden_state": torch.tanh(a)}, seen[:, 1:]

    def unroll(self, xs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        B, T, _ = xs.shape
        seen = torch.cat([state.to(xs.dtype), xs], dim=1)  # (B, width - 1 + T, I)
        windows = seen.unfold(1, self.width, 1).transpose(2, 3)  # (B, T, width, I)
        outputs = torch.tanh(self.hidden(windows.reshape(B, T, self.width * self.input_size)))
        return outputs, seen[:, T:].contiguous()
