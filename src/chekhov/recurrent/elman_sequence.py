"""The simple recurrent network over whole sequences by our own kernels, as one differentiable function of PyTorch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from chekhov.recurrent import elman_kernels
from chekhov.recurrent.formulas import elman_formula, through_formula
from chekhov.recurrent.matrices import (
    PANEL,
    ROWS,
    Projection,
    arranged,
    by_rows,
    column_panels,
    flat,
    fresh_lines,
    pad,
    row_panels,
    up,
    weight_gradients,
)
from chekhov.recurrent.workspace import take

CODES = {"tanh": elman_kernels.TANH, "relu": elman_kernels.RELU, "sigmoid": elman_kernels.SIGMOID}


class ElmanSequence(torch.autograd.Function):
    """`elman_formula` by kernels. In bfloat16 weights, inputs and hidden states are rounded, sums are not."""

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
        activation: str,
        time_first: bool = False,
    ) -> tuple[Tensor, Tensor]:
        B, T, H = len(h), xs.shape[0 if time_first else 1], h.shape[1]
        b_line, t_line = (1, B) if time_first else (T, 1)
        dtype, units = torch.bfloat16 if bf16 else torch.float32, up(H, PANEL)
        projection = Projection(xs, W, 1, units, PANEL, bf16=bf16)
        U_padded = arranged([(U, units)], 1, units, dtype)
        h_last = pad(h.float(), B, units).clone()
        outputs, previous = take(*xs.shape[:2], units, dtype=dtype), fresh_lines(B * T, units, dtype)
        ends = torch.full((B,), T) if lengths is None else lengths
        panels, bias = column_panels(U_padded, PANEL), pad(b.float(), units)
        arrays = [flat(a) for a in (projection.forward(), bias, panels, h_last, outputs, previous)]
        code = CODES[activation]

        def part(first: int, last: int) -> None:
            elman_kernels.elman_forward(*arrays, ends.numpy(), T, H, units, b_line, t_line, first, last, reverse, code)

        by_rows(part, B)
        ctx.save_for_backward(xs, h, W, U, b, ends)
        ctx.kept = projection, U_padded, outputs, previous
        ctx.reverse, ctx.activation, ctx.strides = reverse, activation, (b_line, t_line)
        return outputs[..., :H].clone(), h_last[:, :H].contiguous()  # the caller may change his copy

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        *inputs, ends = ctx.saved_tensors
        if torch.is_grad_enabled():  # the gradient is to be differentiated in its turn
            found = through_formula(elman_formula, inputs, ends, ctx, gradients, activation=ctx.activation)
            return (*found, None, None, None, None, None)
        xs, h = inputs[:2]
        projection, U_padded, outputs, previous = ctx.kept
        (B, H), I, units = h.shape, xs.shape[2], U_padded.shape[1]
        T, (b_line, t_line) = xs.numel() // (B * I), ctx.strides
        d_outputs = pad(gradients[0].to(outputs.dtype), *xs.shape[:2], units)
        dh = pad(gradients[1].float(), B, units).clone()
        d_gates = fresh_lines(B * T, units, outputs.dtype)
        d_bias = torch.zeros(up(B, ROWS) // ROWS, units)
        arrays = [flat(a) for a in (row_panels(U_padded, PANEL), outputs, d_outputs, d_gates, d_bias, dh)]
        options = ctx.reverse, CODES[ctx.activation]

        def part(first: int, last: int) -> None:
            elman_kernels.elman_backward(*arrays, ends.numpy(), T, H, units, b_line, t_line, first, last, *options)

        by_rows(part, B)
        dx = projection.input_gradient(d_gates) if ctx.needs_input_grad[0] else None
        sides = [projection.lines, previous]
        dW, dU = weight_gradients(d_gates, sides, [I, H], 1, H, PANEL)
        return (dx, dh[:, :H], dW, dU, d_bias.sum(0)[:H], None, None, None, None, None)
