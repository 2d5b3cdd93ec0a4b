"""The LSTM over whole sequences by our own kernels, as one differentiable function of PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from chekhov.recurrent import lstm_kernels
from chekhov.recurrent.dropout import dropped, threshold
from chekhov.recurrent.formulas import lstm_formula, through_formula
from chekhov.recurrent.matrices import (
    LANES,
    PANEL,
    ROWS,
    Projection,
    by_rows,
    column_panels,
    flat,
    fresh_lines,
    interleave,
    pad,
    row_panels,
    separate,
    up,
    weight_gradients,
)
from chekhov.recurrent.sequences import Zoneout
from chekhov.recurrent.workspace import take

Zone = tuple[np.float32, int, int, int]  # as the kernels want it


def as_numbers(zoneout: Zoneout | None) -> Zone:
    if zoneout is None:
        return np.float32(0), 0, 0, 0
    if zoneout.seeds is None:
        return np.float32(zoneout.share), 0, 0, 0
    return np.float32(zoneout.share), threshold(zoneout.share), *zoneout.seeds


def zoneout_masks(
    zoneout: Zoneout | None, B: int, T: int, H: int, *, time_first: bool = False
) -> tuple[Tensor, Tensor] | None:
    """What the kernels draw, for `lstm_formula`: what share of c and of h stays at each step, (B, T, H)."""
    if zoneout is None:
        return None
    if zoneout.seeds is None:
        stays = torch.full((B, T, H), zoneout.share)
        return stays, stays
    ones = torch.ones(*((T, B) if time_first else (B, T)), H)
    c, h = ((dropped(ones, zoneout.share, 1, seed) == 0).float() for seed in zoneout.seeds)
    return (c.transpose(0, 1), h.transpose(0, 1)) if time_first else (c, h)


def peephole_arrays(p: Tensor | None, H: int, units: int) -> list[Any]:
    """Whether there are any, and p (3H) as the kernels want it."""
    if p is None:
        return [False, np.zeros(0, np.float32)]
    return [True, flat(interleave(pad(p.view(3, H), 3, units), LANES).reshape(-1).float())]


def with_peepholes(
    xs: Tensor, h: Tensor, c: Tensor, W: Tensor, U: Tensor, b: Tensor, *rest: Tensor, **options: Any
) -> tuple[Tensor, ...]:
    *p, lengths = rest
    return lstm_formula(xs, h, c, W, U, b, lengths, p=p[0] if p else None, **options)


class LSTMSequence(torch.autograd.Function):
    """`lstm_formula` by kernels. In bfloat16 weights, inputs, gates and hidden states are rounded, sums are not."""

    @staticmethod
    def forward(
        ctx: Any,
        xs: Tensor,
        h: Tensor,
        c: Tensor,
        W: Tensor,
        U: Tensor,
        b: Tensor,
        lengths: Tensor | None,
        reverse: bool,
        bf16: bool,
        time_first: bool = False,
        zoneout: Zoneout | None = None,
        p: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        B, T, H = len(h), xs.shape[0 if time_first else 1], h.shape[1]
        b_line, t_line = (1, B) if time_first else (T, 1)
        dtype = torch.bfloat16 if bf16 else torch.float32
        units = up(H, PANEL if bf16 else LANES)
        bias = interleave(pad(b.view(4, H), 4, units), LANES).reshape(-1).float()
        projection = Projection(xs, W, 4, units, LANES, bf16=bf16, U=U)
        gates, weights = projection.forward(), projection.recurrent
        h_last, c_last = (pad(state.float(), B, units).clone() for state in (h, c))
        c_start = c_last.clone()
        cells, outputs = take(B * T, units), take(*xs.shape[:2], units, dtype=dtype)
        previous = fresh_lines(B * T, units, dtype)
        ends = torch.full((B,), T) if lengths is None else lengths
        arrays = [
            flat(a) for a in (gates, bias, column_panels(weights, LANES), h_last, c_last, cells, outputs, previous)
        ]
        arrays += peephole_arrays(p, H, units)
        inputs, width_x, zone = flat(projection.lines), projection.inside, as_numbers(zoneout)

        def part(first: int, last: int) -> None:
            lstm_kernels.lstm_forward(
                inputs, width_x, *arrays, zone, ends.numpy(), T, H, units, b_line, t_line, first, last, reverse
            )

        by_rows(part, B)
        ctx.save_for_backward(xs, h, c, W, U, b, ends, p)
        ctx.kept = projection, gates, cells, previous, c_start
        ctx.reverse, ctx.strides, ctx.zoneout, ctx.time_first = reverse, (b_line, t_line), zoneout, time_first
        return outputs[..., :H].contiguous(), h_last[:, :H].contiguous(), c_last[:, :H].contiguous()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        xs, h, c, W, U, b, ends, p = ctx.saved_tensors
        if torch.is_grad_enabled():  # the gradient is to be differentiated in its turn
            B, H = h.shape
            zones = zoneout_masks(ctx.zoneout, B, xs.numel() // (B * xs.shape[2]), H, time_first=ctx.time_first)
            inputs, needed = [xs, h, c, W, U, b], list(ctx.needs_input_grad[:6])
            if p is not None:
                inputs, needed = [*inputs, p], [*needed, ctx.needs_input_grad[11]]
            found = through_formula(with_peepholes, inputs, ends, ctx, gradients, needed, zones=zones)
            return (*found[:6], *[None] * 5, found[6] if p is not None else None)
        projection, gates, cells, previous, c_start = ctx.kept
        (B, H), I, units = h.shape, xs.shape[2], cells.shape[1]
        T, (b_line, t_line) = xs.numel() // (B * I), ctx.strides
        d_outputs, dh, dc = gradients
        d_outputs = pad(d_outputs.to(gates.dtype), *xs.shape[:2], units)
        dh, dc = (pad(d.float(), B, units).clone() for d in (dh, dc))
        d_gates = fresh_lines(B * T, 4 * units, gates.dtype)
        d_bias = torch.zeros(up(B, ROWS) // ROWS, 4 * units)
        d_inputs = take(*projection.lines.shape, dtype=gates.dtype) if projection.inside else d_gates
        arrays = [flat(a) for a in (cells, c_start, d_outputs, d_gates, d_inputs, d_bias, dh, dc)]
        d_peepholes = torch.zeros(len(d_bias), 3 * units if p is not None else 0)
        arrays += [*peephole_arrays(p, H, units), flat(d_peepholes)]
        panels, zone = flat(row_panels(projection.recurrent, LANES)), as_numbers(ctx.zoneout)

        def part(first: int, last: int) -> None:
            lstm_kernels.lstm_backward(
                flat(gates),
                panels,
                projection.inside,
                *arrays,
                zone,
                ends.numpy(),
                T,
                H,
                units,
                b_line,
                t_line,
                first,
                last,
                ctx.reverse,
            )

        by_rows(part, B)
        dx = projection.input_gradient(d_gates, d_inputs) if ctx.needs_input_grad[0] else None
        dW, dU = weight_gradients(d_gates, [projection.lines, previous], [I, H], 4, H, LANES)
        db = separate(d_bias.sum(0), 4, H, LANES, 1).view(-1)
        dp = None if p is None else separate(d_peepholes.sum(0), 3, H, LANES, 1).view(-1)
        return (dx, dh[:, :H], dc[:, :H], dW, dU, db, *[None] * 5, dp)
