"""The elementwise recurrences in PyTorch: what `scan_kernels` computes, and how second gradients are found.

W (gH, I) and b (gH): g gates one below the other, in the order in which each formula takes them apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from chekhov.recurrent.formulas import ACTIVATIONS, States, over_time

ALPHA = 3**0.5  # of SRU: sqrt(1 + 2 e^b) for b = 0, where the bias of the reset gate starts
Coefficients = Callable[[Tensor, Sequence[Tensor], Tensor], tuple[Tensor, Tensor, Tensor | None]]
Step = Callable[[Tensor, Sequence[Tensor], Tensor, Tensor], tuple[Tensor, Tensor]]

# Linear in the state: a, b and o of c' = a c + b, which is put out, or o c' if there is an o. Of one step, or of all.


def mingru(x: Tensor, gates: Sequence[Tensor], vectors: Tensor) -> tuple[Tensor, Tensor, None]:
    z, n = torch.sigmoid(gates[0]), gates[1]
    return 1 - z, z * n, None


def minlstm(x: Tensor, gates: Sequence[Tensor], vectors: Tensor) -> tuple[Tensor, Tensor, None]:
    f, i = torch.sigmoid(gates[0]), torch.sigmoid(gates[1])
    return f / (f + i), i / (f + i) * gates[2], None


def qrnn(x: Tensor, gates: Sequence[Tensor], vectors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    z, f, o = torch.tanh(gates[0]), torch.sigmoid(gates[1]), torch.sigmoid(gates[2])
    return f, (1 - f) * z, o


def rglru(x: Tensor, gates: Sequence[Tensor], vectors: Tensor) -> tuple[Tensor, Tensor, None]:
    """vectors: log a at r = 1. A third gate, where there is one, takes the place of x."""
    r, i, *own = gates
    log_a = torch.sigmoid(r) * vectors[0]
    taken = torch.sigmoid(i) * (own[0] if own else x)
    return torch.exp(log_a), torch.sqrt(-torch.expm1(2 * log_a)) * taken, None


COEFFICIENTS: dict[str, Coefficients] = {"mingru": mingru, "minlstm": minlstm, "qrnn": qrnn, "rglru": rglru}

# Not linear: what is put out, and the state after the step.


def sru(x: Tensor, gates: Sequence[Tensor], vectors: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """A fourth gate, where there is one, takes the place of x."""
    f, r, n, *own = gates
    f, r = torch.sigmoid(f + vectors[0] * c), torch.sigmoid(r + vectors[1] * c)
    c = f * c + (1 - f) * n
    return r * c + (1 - r) * ALPHA * (own[0] if own else x), c


def indrnn(activation: str) -> Step:
    def step(x: Tensor, gates: Sequence[Tensor], vectors: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        h = ACTIVATIONS[activation](gates[0] + vectors[0] * h)
        return h, h

    return step


def linear(coefficients: Coefficients) -> Step:
    def step(x: Tensor, gates: Sequence[Tensor], vectors: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        a, b, o = coefficients(x, gates, vectors)
        c = a * c + b
        return (c if o is None else o * c), c

    return step


STEPS: dict[str, Step] = {
    **{kind: linear(coefficients) for kind, coefficients in COEFFICIENTS.items()},
    "sru": sru,
    **{f"indrnn_{activation}": indrnn(activation) for activation in ("relu", "tanh", "sigmoid")},
}


def scan_formula(
    xs: Tensor, state: Tensor, W: Tensor, b: Tensor, vectors: Tensor, lengths: Tensor | None = None,
    *, reverse: bool = False, kind: str,
) -> States:  # fmt: skip
    """vectors (V, H): what a cell has of its own -> outputs (B, T, H), the state (B, H) after the last step."""
    H = state.shape[1]

    def step(x: Tensor, states: States) -> States:
        return STEPS[kind](x, F.linear(x, W, b).split(H, dim=1), vectors, states[1])

    outputs, _, last = over_time(step, xs, (torch.zeros_like(state), state), lengths, reverse)
    return outputs, last
