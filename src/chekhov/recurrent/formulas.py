"""The recurrences in a loop over time, in PyTorch: what the kernels compute, and how second gradients are found.

xs (B, T, I), states (B, H), weights as in `TorchCell`. A row ends after its length: its state stays and its outputs
are 0. ``reverse`` reads a row from its last step to its first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "identity": lambda a: a,
}
States = tuple[Tensor, ...]


def over_time(
    step: Callable[..., States], xs: Tensor, states: States, lengths: Tensor | None, reverse: bool,
    beside: Sequence[Tensor] = (),
) -> States:  # fmt: skip
    """``step`` takes x (B, I), the states and what lies ``beside`` x, each (B, T, ..), at its time to the next states,
    h first -> outputs (B, T, H) and the last states."""
    rows, T = torch.arange(len(xs), device=xs.device), xs.shape[1]
    ends = torch.full_like(rows, T) if lengths is None else lengths
    outputs = xs.new_zeros(len(xs), T, states[0].shape[1])
    for s in range(T):
        alive = s < ends
        t = torch.where(alive, ends - 1 - s, s) if reverse else torch.full_like(rows, s)
        new = step(xs[rows, t], states, *[each[rows, t] for each in beside])
        states = tuple(torch.where(alive[:, None], one, other) for one, other in zip(new, states))
        outputs = outputs.index_put((rows, t), torch.where(alive[:, None], new[0], torch.zeros_like(new[0])))
    return (outputs, *states)


def lstm_formula(
    xs: Tensor, h: Tensor, c: Tensor, W: Tensor, U: Tensor, b: Tensor, lengths: Tensor | None = None,
    *, reverse: bool = False, zones: tuple[Tensor, Tensor] | None = None, p: Tensor | None = None,
) -> States:  # fmt: skip
    """W (4H, I), U (4H, H), b (4H): i, f, g, o -> outputs (B, T, H), h, c after the last step.

    ``zones``: for zoneout, what share of c and of h stays at a step, each (B, T, H). ``p`` (3H): peepholes."""
    p_i, p_f, p_o = c.new_zeros(3, 1) if p is None else p.chunk(3)

    def step(x: Tensor, states: States, *zones: Tensor) -> States:
        h, c = states
        i, f, g, o = (x @ W.t() + h @ U.t() + b).chunk(4, dim=1)
        c_new = torch.sigmoid(f + p_f * c) * c + torch.sigmoid(i + p_i * c) * torch.tanh(g)
        h_new = torch.sigmoid(o + p_o * c_new) * torch.tanh(c_new)
        if zones:
            c_stays, h_stays = zones
            return h_stays * h + (1 - h_stays) * h_new, c_stays * c + (1 - c_stays) * c_new
        return h_new, c_new

    return over_time(step, xs, (h, c), lengths, reverse, zones or ())


def normalised(a: Tensor) -> Tensor:
    """(a - mean) / sqrt(variance + 1e-5) of each row (Ba, Kiros & Hinton 2016)."""
    return F.layer_norm(a, a.shape[-1:], eps=1e-5)


def layer_norm_lstm_formula(
    xs: Tensor, h: Tensor, c: Tensor, W: Tensor, U: Tensor, b: Tensor, gain_ih: Tensor, gain_hh: Tensor, gain_c: Tensor,
    bias_c: Tensor, lengths: Tensor | None = None, *, reverse: bool = False,
) -> States:  # fmt: skip
    """As `lstm_formula`, but W x, U h and, before it is shown, c are normalised: gain_ih, gain_hh (4H), gain_c, bias_c
    (H)."""

    def step(x: Tensor, states: States) -> States:
        h, c = states
        i, f, g, o = (normalised(x @ W.t()) * gain_ih + normalised(h @ U.t()) * gain_hh + b).chunk(4, dim=1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(normalised(c) * gain_c + bias_c), c

    return over_time(step, xs, (h, c), lengths, reverse)


def gru_formula(
    xs: Tensor, h: Tensor, W: Tensor, U: Tensor, b: Tensor, b_hh: Tensor, lengths: Tensor | None = None,
    *, reverse: bool = False,
) -> States:  # fmt: skip
    """W (3H, I), U (3H, H), b and b_hh (3H): r, z, n -> outputs (B, T, H), h after the last step. r multiplies U h."""

    def step(x: Tensor, states: States) -> States:
        (h,) = states
        (x_r, x_z, x_n), (h_r, h_z, h_n) = (x @ W.t() + b).chunk(3, dim=1), (h @ U.t() + b_hh).chunk(3, dim=1)
        z, n = torch.sigmoid(x_z + h_z), torch.tanh(x_n + torch.sigmoid(x_r + h_r) * h_n)
        return (n + z * (h - n),)

    return over_time(step, xs, (h,), lengths, reverse)


def gru_before_formula(
    xs: Tensor, h: Tensor, W: Tensor, U: Tensor, b: Tensor, lengths: Tensor | None = None, *, reverse: bool = False
) -> States:
    """As `gru_formula`, but r multiplies h, and b (3H) is the sum of both vectors."""
    U_two, U_n = U.split([2 * h.shape[1], h.shape[1]])

    def step(x: Tensor, states: States) -> States:
        (h,) = states
        (x_r, x_z, x_n), (h_r, h_z) = (x @ W.t() + b).chunk(3, dim=1), (h @ U_two.t()).chunk(2, dim=1)
        n = torch.tanh(x_n + (torch.sigmoid(x_r + h_r) * h) @ U_n.t())
        return (n + torch.sigmoid(x_z + h_z) * (h - n),)

    return over_time(step, xs, (h,), lengths, reverse)


def elman_formula(
    xs: Tensor, h: Tensor, W: Tensor, U: Tensor, b: Tensor, lengths: Tensor | None = None,
    *, reverse: bool = False, activation: str = "tanh",
) -> States:  # fmt: skip
    """W (H, I), U (H, H), b (H) -> outputs (B, T, H), h after the last step."""

    def step(x: Tensor, states: States) -> States:
        return (ACTIVATIONS[activation](x @ W.t() + states[0] @ U.t() + b),)

    return over_time(step, xs, (h,), lengths, reverse)


def through_formula(
    formula: Callable[..., States], inputs: Sequence[Tensor], ends: Tensor, ctx: Any, gradients: Sequence[Tensor],
    needed: Sequence[bool] | None = None, **options: Any,
) -> list[Tensor | None]:  # fmt: skip
    """The gradients of a kernel's inputs as functions that can be differentiated themselves: by autograd, through the
    formula, in float32. ``needed``: which, if they are not the first of the kernel's arguments."""
    wanted = ctx.needs_input_grad[: len(inputs)] if needed is None else needed
    xs, *rest = inputs
    time_first = ctx.strides[0] == 1 and (ctx.strides[1] != 1 or len(xs) != len(rest[0]))
    lines = (xs.transpose(0, 1) if time_first else xs).float()
    outputs, *states = formula(lines, *rest, ends, reverse=ctx.reverse, **options)
    found = (outputs.transpose(0, 1) if time_first else outputs, *states)
    asked = [tensor for tensor, want in zip(inputs, wanted) if want]
    slopes = [g.float() for g in gradients]
    results = iter(torch.autograd.grad(found, asked, slopes, create_graph=True, allow_unused=True))
    return [next(results) if want else None for want in wanted]
