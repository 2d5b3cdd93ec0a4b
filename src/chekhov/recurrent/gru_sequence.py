"""The GRU over whole sequences by our own kernels, as one differentiable function of PyTorch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from chekhov.recurrent import gru_kernels
from chekhov.recurrent.formulas import gru_formula, through_formula
from chekhov.recurrent.matrices import (
    PANEL,
    ROWS,
    Projection,
    arranged,
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
from chekhov.recurrent.workspace import take


class GRUSequence(torch.autograd.Function):
    """`gru_formula` by kernels. In bfloat16 weights, inputs, gates and hidden states are rounded, sums are not."""

    @staticmethod
    def forward(
        ctx: Any,
        xs: Tensor,
        h: Tensor,
        W: Tensor,
        U: Tensor,
        b: Tensor,
        b_hh: Tensor,
        lengths: Tensor | None,
        reverse: bool,
        bf16: bool,
        time_first: bool = False,
    ) -> tuple[Tensor, Tensor]:
        B, T, H = len(h), xs.shape[0 if time_first else 1], h.shape[1]
        b_line, t_line = (1, B) if time_first else (T, 1)
        dtype, units = torch.bfloat16 if bf16 else torch.float32, up(H, PANEL)
        both = torch.cat([(b + b_hh)[: 2 * H], b[2 * H :]])  # of n, b' stays inside: r multiplies it
        bias = interleave(pad(both.view(3, H), 3, units), PANEL).reshape(-1).float()
        inner_bias = pad(b_hh[2 * H :].float(), units)
        projection = Projection(xs, W, 3, units, PANEL, bf16=bf16)
        gates = projection.forward()
        U_padded = arranged([(U, units)], 3, units, dtype)
        h_last = pad(h.float(), B, units).clone()
        outputs, inner = (take(*xs.shape[:2], units, dtype=dtype) for _ in range(2))
        previous = fresh_lines(B * T, units, dtype)
        ends = torch.full((B,), T) if lengths is None else lengths
        panels = column_panels(U_padded, PANEL)
        arrays = [flat(a) for a in (gates, bias, inner_bias, panels, h_last, outputs, previous, inner)]

        def part(first: int, last: int) -> None:
            gru_kernels.gru_forward(*arrays, ends.numpy(), T, H, units, b_line, t_line, first, last, reverse)

        by_rows(part, B)
        ctx.save_for_backward(xs, h, W, U, b, b_hh, ends)
        ctx.kept = projection, U_padded, gates, previous, inner
        ctx.reverse, ctx.strides = reverse, (b_line, t_line)
        return outputs[..., :H].contiguous(), h_last[:, :H].contiguous()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        *inputs, ends = ctx.saved_tensors
        if torch.is_grad_enabled():  # the gradient is to be differentiated in its turn
            return (*through_formula(gru_formula, inputs, ends, ctx, gradients), None, None, None, None)
        xs, h = inputs[:2]
        projection, U_padded, gates, previous, inner = ctx.kept
        (B, H), I, units = h.shape, xs.shape[2], U_padded.shape[1]
        T, (b_line, t_line) = xs.numel() // (B * I), ctx.strides
        d_outputs = pad(gradients[0].to(gates.dtype), *xs.shape[:2], units)
        dh = pad(gradients[1].float(), B, units).clone()
        d_gates, d_inner = (fresh_lines(B * T, 3 * units, gates.dtype) for _ in range(2))
        d_bias, d_inner_bias = (torch.zeros(up(B, ROWS) // ROWS, gates_of * units) for gates_of in (3, 1))
        panels = row_panels(U_padded, PANEL)
        arrays = [
            flat(a) for a in (gates, panels, previous, inner, d_outputs, d_gates, d_inner, d_bias, d_inner_bias, dh)
        ]

        def part(first: int, last: int) -> None:
            gru_kernels.gru_backward(*arrays, ends.numpy(), T, H, units, b_line, t_line, first, last, ctx.reverse)

        by_rows(part, B)
        dx = projection.input_gradient(d_gates) if ctx.needs_input_grad[0] else None
        (dW,) = weight_gradients(d_gates, [projection.lines], [I], 3, H, PANEL)
        (dU,) = weight_gradients(d_inner, [previous], [H], 3, H, PANEL)
        db = separate(d_bias.sum(0), 3, H, PANEL, 1).view(-1)
        db_hh = torch.cat([db[: 2 * H], d_inner_bias.sum(0)[:H]])
        return (dx, dh[:, :H], dW, dU, db, db_hh, None, None, None, None)
