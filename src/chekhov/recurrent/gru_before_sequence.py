"""The GRU with the reset gate before the product over whole sequences, as one differentiable function of PyTorch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from chekhov.recurrent import gru_before_kernels
from chekhov.recurrent.formulas import gru_before_formula, through_formula
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


class GRUBeforeSequence(torch.autograd.Function):
    """`gru_before_formula` by kernels. In bfloat16 weights, inputs, gates, h and r h are rounded, sums are not."""

    @staticmethod
    def forward(
        ctx: Any,
        xs: Tensor,
        h: Tensor,
        W: Tensor,
        U: Tensor,
        b: Tensor,
        lengths: Tensor | None,
        reverse: bool,
        bf16: bool,
        time_first: bool = False,
    ) -> tuple[Tensor, Tensor]:
        B, T, H = len(h), xs.shape[0 if time_first else 1], h.shape[1]
        b_line, t_line = (1, B) if time_first else (T, 1)
        dtype, units = torch.bfloat16 if bf16 else torch.float32, up(H, PANEL)
        bias = interleave(pad(b.view(3, H), 3, units), PANEL).reshape(-1).float()
        projection = Projection(xs, W, 3, units, PANEL, bf16=bf16)
        gates = projection.forward()
        U_padded = arranged([(U, units)], 3, units, dtype)
        h_last = pad(h.float(), B, units).clone()
        outputs = take(*xs.shape[:2], units, dtype=dtype)
        previous, inner = (fresh_lines(B * T, units, dtype) for _ in range(2))
        ends = torch.full((B,), T) if lengths is None else lengths
        panels = column_panels(U_padded, PANEL)
        arrays = [flat(a) for a in (gates, bias, panels, h_last, outputs, previous, inner)]
        sizes = T, H, units, b_line, t_line

        def part(first: int, last: int) -> None:
            gru_before_kernels.gru_before_forward(*arrays, ends.numpy(), *sizes, first, last, reverse)

        by_rows(part, B)
        ctx.save_for_backward(xs, h, W, U, b, ends)
        ctx.kept = projection, U_padded, gates, previous, inner
        ctx.reverse, ctx.strides, ctx.sizes = reverse, (b_line, t_line), sizes
        return outputs[..., :H].contiguous(), h_last[:, :H].contiguous()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        *inputs, ends = ctx.saved_tensors
        if torch.is_grad_enabled():  # the gradient is to be differentiated in its turn
            return (*through_formula(gru_before_formula, inputs, ends, ctx, gradients), None, None, None, None)
        xs, h = inputs[:2]
        projection, U_padded, gates, previous, inner = ctx.kept
        (B, H), I, units = h.shape, xs.shape[2], U_padded.shape[1]
        d_outputs = pad(gradients[0].to(gates.dtype), *xs.shape[:2], units)
        dh = pad(gradients[1].float(), B, units).clone()
        d_gates, d_two, d_inner = (fresh_lines(B * ctx.sizes[0], count * units, gates.dtype) for count in (3, 2, 1))
        d_bias = torch.zeros(up(B, ROWS) // ROWS, 3 * units)
        panels, inner_panels = row_panels(U_padded[:2], PANEL), row_panels(U_padded[2:], PANEL)
        arrays = [
            flat(a)
            for a in (gates, panels, inner_panels, previous, d_outputs, d_gates, d_two, d_inner, d_bias, dh)
        ]  # fmt: skip

        def part(first: int, last: int) -> None:
            gru_before_kernels.gru_before_backward(*arrays, ends.numpy(), *ctx.sizes, first, last, ctx.reverse)

        by_rows(part, B)
        dx = projection.input_gradient(d_gates) if ctx.needs_input_grad[0] else None
        (dW,) = weight_gradients(d_gates, [projection.lines], [I], 3, H, PANEL)
        (dU_two,) = weight_gradients(d_two, [previous], [H], 2, H, PANEL)
        (dU_inner,) = weight_gradients(d_inner, [inner], [H], 1, H, PANEL)
        db = separate(d_bias.sum(0), 3, H, PANEL, 1).view(-1)
        return (dx, dh[:, :H], dW, torch.cat([dU_two, dU_inner]), db, None, None, None, None)
