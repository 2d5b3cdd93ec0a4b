"""Elementwise recurrences over whole sequences by our own kernels, as one differentiable function of PyTorch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from chekhov.recurrent import elementwise_kernels, scan_kernels
from chekhov.recurrent.formulas import through_formula
from chekhov.recurrent.matrices import (
    LANES,
    PANEL,
    ROWS,
    Projection,
    by_rows,
    flat,
    fresh_lines,
    interleave,
    pad,
    separate,
    up,
    weight_gradients,
)
from chekhov.recurrent.scan_formulas import scan_formula
from chekhov.recurrent.workspace import take

CODES = {
    "mingru": elementwise_kernels.MINGRU,
    "minlstm": elementwise_kernels.MINLSTM,
    "qrnn": elementwise_kernels.QRNN,
    "sru": elementwise_kernels.SRU,
    "rglru": elementwise_kernels.RGLRU,
    "indrnn_relu": elementwise_kernels.INDRNN_RELU,
    "indrnn_tanh": elementwise_kernels.INDRNN_TANH,
    "indrnn_sigmoid": elementwise_kernels.INDRNN_SIGMOID,
}
HEADS = {"mingru": 2, "minlstm": 3, "qrnn": 3, "sru": 3, "rglru": 2}  # gates; one more, of SRU and RG-LRU, is for x


class ScanSequence(torch.autograd.Function):
    """`scan_formula` by kernels. In bfloat16 weights, inputs, gates and outputs are rounded; the state is not."""

    @staticmethod
    def forward(
        ctx: Any,
        xs: Tensor,
        state: Tensor,
        W: Tensor,
        b: Tensor,
        vectors: Tensor,
        lengths: Tensor | None,
        reverse: bool,
        bf16: bool,
        kind: str,
        time_first: bool = False,
    ) -> tuple[Tensor, Tensor]:
        B, T, H = len(state), xs.shape[0 if time_first else 1], state.shape[1]
        b_line, t_line = (1, B) if time_first else (T, 1)
        count, units = len(W) // H, up(H, PANEL if bf16 else LANES)
        projection = Projection(xs, W, count, units, LANES, bf16=bf16)
        gates = projection.forward()
        own = interleave(pad(torch.cat([b.view(count, H), vectors]).float(), count + len(vectors), units), LANES)
        heads = HEADS.get(kind, 1)
        beside = kind in ("sru", "rglru") and count == heads
        side = pad(projection.lines, len(projection.lines), units) if beside else gates[:0]
        last = pad(state.float(), B, units).clone()
        outputs = take(*xs.shape[:2], units, dtype=gates.dtype)
        ends = torch.full((B,), T) if lengths is None else lengths
        sizes = T, H, units, heads, count, count + len(vectors), b_line, t_line
        arrays = [flat(a) for a in (gates, own, side, last, outputs)]

        def part(first: int, last: int) -> None:
            scan_kernels.scan_forward(CODES[kind], *arrays, ends.numpy(), *sizes, first, last, reverse)

        by_rows(part, B)
        ctx.save_for_backward(xs, state, W, b, vectors, ends)
        ctx.kept = projection, gates, own.contiguous(), side
        ctx.reverse, ctx.strides, ctx.kind, ctx.sizes = reverse, (b_line, t_line), kind, sizes
        return outputs[..., :H].contiguous(), last[:, :H].contiguous()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        *inputs, ends = ctx.saved_tensors
        if torch.is_grad_enabled():  # the gradient is to be differentiated in its turn
            found = through_formula(scan_formula, inputs, ends, ctx, gradients, kind=ctx.kind)
            return (*found, None, None, None, None, None)
        xs, state = inputs[:2]
        projection, gates, own, side = ctx.kept
        (B, H), I = state.shape, xs.shape[2]
        _, _, units, _, count, each, *_ = ctx.sizes
        d_outputs = pad(gradients[0].to(gates.dtype), *xs.shape[:2], units)
        d_state = pad(gradients[1].float(), B, units).clone()
        lines = xs.numel() // I
        d_gates = fresh_lines(lines, count * units, gates.dtype)
        d_side = fresh_lines(lines, units, gates.dtype) if len(side) else side
        d_own = torch.zeros(up(B, ROWS) // ROWS, units * each)
        start = pad(state.float(), B, units)
        arrays = [flat(a) for a in (gates, own, side, start, d_outputs, d_state, d_gates, d_own, d_side)]

        def part(first: int, last: int) -> None:
            scan_kernels.scan_backward(CODES[ctx.kind], *arrays, ends.numpy(), *ctx.sizes, first, last, ctx.reverse)

        by_rows(part, B)
        dx = projection.input_gradient(d_gates) if ctx.needs_input_grad[0] else None
        if dx is not None and len(side):
            dx = dx + d_side[:lines, :I].view(dx.shape)
        (dW,) = weight_gradients(d_gates, [projection.lines], [I], count, H, LANES)
        d_all = separate(d_own.sum(0), each, H, LANES, 1).view(each, H)
        return (dx, d_state[:, :H], dW, d_all[:count].reshape(-1), d_all[count:], None, None, None, None, None)
