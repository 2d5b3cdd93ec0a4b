"""The LSTM with layer norm over whole sequences by our own kernels, as one differentiable function of PyTorch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from chekhov.recurrent import layer_norm_lstm_kernels
from chekhov.recurrent.formulas import layer_norm_lstm_formula, through_formula
from chekhov.recurrent.matrices import (
    LANES,
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

OWN = layer_norm_lstm_kernels.OWN


class LayerNormLSTMSequence(torch.autograd.Function):
    """`layer_norm_lstm_formula` by kernels. In bfloat16 weights, inputs, what is normalised, gates and hidden states
    are rounded; sums, gains and cell states are not."""

    @staticmethod
    def forward(
        ctx: Any,
        xs: Tensor,
        h: Tensor,
        c: Tensor,
        W: Tensor,
        U: Tensor,
        b: Tensor,
        gain_ih: Tensor,
        gain_hh: Tensor,
        gain_c: Tensor,
        bias_c: Tensor,
        bf16: bool,
    ) -> tuple[Tensor, Tensor, Tensor]:
        (B, T, _), H = xs.shape, h.shape[1]
        dtype, units = (torch.bfloat16, up(H, PANEL)) if bf16 else (torch.float32, up(H, LANES))
        vectors = torch.cat([gain_ih, gain_hh, b, gain_c, bias_c]).float().view(OWN, H)
        own = interleave(pad(vectors, OWN, units), LANES).reshape(-1)
        projection = Projection(xs, W, 4, units, LANES, bf16=bf16)
        inputs, U_padded = projection.forward(), arranged([(U, units)], 4, units, dtype)
        h_last, c_last = (pad(state.float(), B, units).clone() for state in (h, c))
        c_start = c_last.clone()
        recurrent, gates = (take(B * T, 4 * units, dtype=dtype) for _ in range(2))
        cells, outputs, scales = take(B * T, units), take(B, T, units, dtype=dtype), take(B * T, 4)
        previous = fresh_lines(B * T, units, dtype)
        panels = column_panels(U_padded, LANES)
        arrays = [
            flat(a)
            for a in (inputs, recurrent, gates, own, panels, h_last, c_last, cells, outputs, previous, scales)
        ]  # fmt: skip

        def part(first: int, last: int) -> None:
            layer_norm_lstm_kernels.layer_norm_lstm_forward(*arrays, T, H, units, first, last)

        by_rows(part, B)
        ctx.save_for_backward(xs, h, c, W, U, b, gain_ih, gain_hh, gain_c, bias_c)
        ctx.kept = projection, inputs, recurrent, gates, own, U_padded, cells, c_start, scales, previous
        ctx.reverse, ctx.strides = False, (T, 1)
        return outputs[..., :H].contiguous(), h_last[:, :H].contiguous(), c_last[:, :H].contiguous()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        xs, h, *_ = ctx.saved_tensors
        (B, T, I), H = xs.shape, h.shape[1]
        if torch.is_grad_enabled():  # the gradient is to be differentiated in its turn
            ends = torch.full((B,), T)
            return (*through_formula(layer_norm_lstm_formula, ctx.saved_tensors, ends, ctx, gradients), None)
        projection, inputs, recurrent, gates, own, U_padded, cells, c_start, scales, previous = ctx.kept
        units, dtype = cells.shape[1], gates.dtype
        d_outputs = pad(gradients[0].to(dtype), B, T, units)
        dh, dc = (pad(d.float(), B, units).clone() for d in gradients[1:])
        d_inputs, d_recurrent = (fresh_lines(B * T, 4 * units, dtype) for _ in range(2))
        d_own = torch.zeros(up(B, ROWS) // ROWS, OWN * units)
        panels = row_panels(U_padded, LANES)
        kept = [flat(a) for a in (inputs, recurrent, gates, own, panels, cells, c_start, scales)]
        found = [flat(a) for a in (d_outputs, d_inputs, d_recurrent, d_own, dh, dc)]

        def part(first: int, last: int) -> None:
            layer_norm_lstm_kernels.layer_norm_lstm_backward(*kept, *found, T, H, units, first, last)

        by_rows(part, B)
        dx = projection.input_gradient(d_inputs) if ctx.needs_input_grad[0] else None
        (dW,) = weight_gradients(d_inputs, [projection.lines], [I], 4, H, LANES)
        (dU,) = weight_gradients(d_recurrent, [previous], [H], 4, H, LANES)
        vectors = separate(d_own.sum(0), OWN, H, LANES, 1).view(-1)
        d_gain_ih, d_gain_hh, db, d_gain_c, d_bias_c = vectors.split([4 * H, 4 * H, 4 * H, H, H])
        return dx, dh[:, :H], dc[:, :H], dW, dU, db, d_gain_ih, d_gain_hh, d_gain_c, d_bias_c, None
