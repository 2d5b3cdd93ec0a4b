"""``nn.LSTM``, ``nn.GRU`` and ``nn.RNN`` on chekhov's kernels: put ``chekhov.nn`` where ``torch.nn`` stands.

    from chekhov import nn

    lstm = nn.LSTM(128, 256, num_layers=2, batch_first=True)

Constructor, call, shapes, defaults, errors, names of the weights, ``PackedSequence``: all PyTorch's, since the classes
are its own with another way to compute. What the kernels do not do (other devices and dtypes, ``proj_size``, what
``docs/nn.md`` lists) PyTorch computes. Under ``torch.autocast("cpu", torch.bfloat16)``, or with ``precision="bf16"``,
they multiply in bfloat16 where the processor does, else in float32. The cells, single steps, are PyTorch's own.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import GRUCell, LSTMCell, RNNCell
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from chekhov.kernels import dispatch
from chekhov.recurrent.sequences import (
    bf16_by_kernels,
    elman_sequence,
    gru_sequence,
    in_bf16,
    lstm_by_torch,
    lstm_sequence,
    runs_here,
    torch_is_faster,
)

__all__ = ["GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNCell"]

PRECISIONS = ("float32", "bf16")
States = tuple[Tensor, ...]  # each (layers * directions, B, H)
Layer = Callable[..., tuple[Tensor, ...]]  # xs, states (B, H), weights, lengths, reverse -> outputs, states


def fits(module: torch.nn.RNNBase, xs: Any, states: States | None) -> bool:
    """Whether the kernels compute this. Where shapes or dtypes do not fit they do not: PyTorch says what is wrong."""
    data = xs.data if isinstance(xs, PackedSequence) else xs
    weights: list[Any] = module._flat_weights
    if not isinstance(data, Tensor) or module.proj_size > 0 or torch.compiler.is_compiling():
        return False
    if data.dim() != (2 if isinstance(xs, PackedSequence) else 3) or data.shape[-1] != module.input_size:
        return False
    if not all(isinstance(w, Tensor) and w.dtype == torch.float32 for w in weights) or not runs_here(data, weights[0]):
        return False
    if data.dtype != torch.float32 and not (in_bf16() and data.dtype == torch.bfloat16):
        return False
    if isinstance(xs, PackedSequence):
        rows = int(xs.batch_sizes[0])
    else:
        rows = data.shape[0 if module.batch_first else 1]
    shape = (module.num_layers * (2 if module.bidirectional else 1), rows, module.hidden_size)
    dtypes = {torch.float32, torch.bfloat16} if in_bf16() else {torch.float32}
    return states is None or all(
        isinstance(s, Tensor) and s.shape == shape and s.dtype in dtypes and s.device == data.device for s in states
    )


def through_layers(
    module: torch.nn.RNNBase, layer: Layer, count: int, xs: Any, states: States | None
) -> tuple[Any, States]:
    """The stack of layers and directions; ``count`` states a layer: h, and c of an LSTM."""
    packed = xs if isinstance(xs, PackedSequence) else None
    lengths, time_first = None, packed is not None or not module.batch_first
    if packed is not None:
        xs, lengths = pad_packed_sequence(PackedSequence(packed.data, packed.batch_sizes))
    rows = xs.shape[1 if time_first else 0]
    directions = 2 if module.bidirectional else 1
    if states is None:
        zeros = xs.new_zeros(module.num_layers * directions, rows, module.hidden_size, dtype=torch.float32)
        states = (zeros,) * count
    elif packed is not None and packed.sorted_indices is not None:
        states = tuple(state.index_select(1, packed.sorted_indices) for state in states)
    last: list[States] = []
    for number in range(module.num_layers):
        if number > 0 and module.dropout > 0:
            xs = dropped(xs, module.dropout, module.training, time_first, lengths)
        both = []
        for reverse in (False, True)[:directions]:
            place = number * directions + int(reverse)
            start = tuple(state[place] for state in states)
            outputs, *ends = layer(
                xs, start, module.all_weights[place], lengths, reverse=reverse, time_first=time_first
            )
            both.append(outputs)
            last.append(tuple(end.to(outputs.dtype) for end in ends))
        xs = both[0] if directions == 1 else torch.cat(both, dim=2)
    found = tuple(torch.stack(parts) for parts in zip(*last))
    if packed is None or lengths is None:
        return xs, found
    data = pack_padded_sequence(xs, lengths).data
    if packed.unsorted_indices is not None:
        found = tuple(state.index_select(1, packed.unsorted_indices) for state in found)
    return PackedSequence(data, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices), found


def dropped(xs: Tensor, share: float, training: bool, time_first: bool, lengths: Tensor | None) -> Tensor:
    """Dropout with the draws in PyTorch's order: by time, and of a packed sequence those that are there only."""
    if lengths is not None:
        packed = pack_padded_sequence(xs, lengths)
        data = F.dropout(packed.data, share, training)
        return pad_packed_sequence(PackedSequence(data, packed.batch_sizes))[0]
    if time_first:
        return F.dropout(xs, share, training)
    return F.dropout(xs.transpose(0, 1).contiguous(), share, training).transpose(0, 1)


def unbatched(module: torch.nn.RNNBase, xs: Any, states: States | None) -> bool:
    """One sequence (T, I), with states (layers, H) or none."""
    return isinstance(xs, Tensor) and xs.dim() == 2 and (states is None or all(s.dim() == 2 for s in states))


def bias_of(weights: list[Tensor]) -> tuple[Tensor, Tensor]:
    """b_ih and b_hh, zeros for a module without."""
    if len(weights) > 2:
        return weights[2], weights[3]
    zeros = weights[1].new_zeros(len(weights[1]))
    return zeros, zeros


def lstm_layer(xs: Tensor, states: States, weights: list[Tensor], lengths: Tensor | None, **how: Any) -> States:
    (h, c), (b_ih, b_hh) = states, bias_of(weights)
    return lstm_sequence(xs, h, c, weights[0], weights[1], b_ih + b_hh, lengths, **how)


def gru_layer(xs: Tensor, states: States, weights: list[Tensor], lengths: Tensor | None, **how: bool) -> States:
    b_ih, b_hh = bias_of(weights)
    return gru_sequence(xs, states[0], weights[0], weights[1], b_ih, b_hh, lengths, **how)


class InPrecision:
    """The argument ``precision`` of a module: "float32", or "bf16", which computes as under autocast and gives what its
    input is. Raises ValueError for another one."""

    precision = "float32"

    def __init__(self, *arguments: Any, precision: str = "float32", **flags: Any):
        super().__init__(*arguments, **flags)
        if precision not in PRECISIONS:
            raise ValueError(f"precision {precision!r} is none of {', '.join(PRECISIONS)}")
        self.precision = precision

    def computed(self, input: Any, hx: Any) -> Any:
        raise NotImplementedError

    def forward(self, input: Any, hx: Any = None) -> Any:
        data = input.data if isinstance(input, PackedSequence) else input
        if self.precision == "float32" or not isinstance(data, Tensor) or data.device.type != "cpu":
            return self.computed(input, hx)
        with torch.autocast("cpu", torch.bfloat16):
            outputs, states = self.computed(input, hx)
        states = tuple(s.to(data.dtype) for s in states) if isinstance(states, tuple) else states.to(data.dtype)
        return outputs.to(data.dtype), states


def torch_is_as_fast() -> bool:
    """Whether PyTorch's LSTM is to be asked, whatever its size: in float32 with one thread, where oneDNN is seldom
    slower than our kernels and often faster (`benchmarks/kernels.py`), and with several that spin between two steps:
    they are slow if they sleep, and in the way of ours if they spin. Not where ``CHEKHOV_ISA`` names our kernels."""
    if bf16_by_kernels() or dispatch.wanted():
        return False
    return torch.get_num_threads() == 1 or os.environ.get("OMP_WAIT_POLICY", "").lower() != "passive"


class LSTM(InPrecision, torch.nn.LSTM):
    """`torch.nn.LSTM` on our kernels."""

    def computed(self, input: Any, hx: Any) -> Any:
        theirs = torch_is_as_fast() or torch_is_faster(self.hidden_size)
        by_torch = functools.partial(torch.nn.LSTM.forward, self)
        if (theirs and not isinstance(input, PackedSequence)) or (isinstance(hx, (tuple, list)) and len(hx) != 2):
            return lstm_by_torch(by_torch, input, hx)
        batch = 0 if self.batch_first else 1
        alone = unbatched(self, input, hx)
        xs = input.unsqueeze(batch) if alone else input
        states = tuple(s.unsqueeze(1) for s in hx) if alone and hx is not None else hx
        if not fits(self, xs, states):
            return lstm_by_torch(by_torch, input, hx)
        outputs, (h, c) = through_layers(self, lstm_layer, 2, xs, states)
        return (outputs.squeeze(batch), (h.squeeze(1), c.squeeze(1))) if alone else (outputs, (h, c))


class GRU(InPrecision, torch.nn.GRU):
    """`torch.nn.GRU` on our kernels."""

    def computed(self, input: Any, hx: Any) -> Any:
        return with_one_state(self, gru_layer, torch.nn.GRU.forward, input, hx)


class RNN(InPrecision, torch.nn.RNN):
    """`torch.nn.RNN` on our kernels, with ``tanh`` or ``relu``."""

    def computed(self, input: Any, hx: Any) -> Any:
        return with_one_state(self, self._layer, torch.nn.RNN.forward, input, hx)

    def _layer(self, xs: Tensor, states: States, weights: list[Tensor], lengths: Tensor | None, **how: bool) -> States:
        b_ih, b_hh = bias_of(weights)
        W, U, b, (h,) = weights[0], weights[1], b_ih + b_hh, states
        return elman_sequence(xs, h, W, U, b, lengths, activation=self.nonlinearity, **how)


def with_one_state(
    module: torch.nn.RNNBase, layer: Layer, otherwise: Callable[..., Any], xs: Any, h: Tensor | None
) -> Any:
    given = None if h is None else (h,)
    if given is not None and not isinstance(h, Tensor):
        return otherwise(module, xs, h)
    batch = 0 if module.batch_first else 1
    alone = unbatched(module, xs, given)
    sequence = xs.unsqueeze(batch) if alone else xs
    states = tuple(s.unsqueeze(1) for s in given) if alone and given is not None else given
    if not fits(module, sequence, states):
        return otherwise(module, xs, h)
    outputs, (last,) = through_layers(module, layer, 1, sequence, states)
    if isinstance(module, torch.nn.GRU):  # whose state PyTorch keeps in its dtype under autocast
        dtype = xs.data.dtype if given is None else given[0].dtype
        outputs, last = outputs.to(dtype), last.to(dtype)
    return (outputs.squeeze(batch), last.squeeze(1)) if alone else (outputs, last)
