"""Where a recurrence over a whole sequence is computed: by our kernels, where they run.

Numba is loaded, and kernels are compiled, when the first sequence is asked for. xs is (B, T, I), or (T, B, I) if
``time_first``; outputs likewise.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from chekhov.kernels import dispatch


def in_bf16() -> bool:
    """Whether PyTorch's autocast asks for bfloat16 now."""
    return torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16


def runs_here(xs: Tensor, weights: Tensor) -> bool:
    """Whether there is a kernel for xs (B, T, I) and these weights; float16 and float64 are left to PyTorch."""
    if xs.device.type != "cpu" or weights.dtype != torch.float32 or xs.numel() == 0:
        return False
    return dispatch.chosen().compiled and (not torch.is_autocast_enabled("cpu") or in_bf16())


def bf16_by_kernels() -> bool:
    """Whether autocast asks for bfloat16 and the kernels multiply it; else they compute in float32, and round."""
    return in_bf16() and dispatch.chosen().bf16


def rounding(sequence: Callable[..., tuple[Tensor, ...]]) -> Callable[..., Any]:
    """Where autocast asks for bfloat16 and this processor does not multiply it: in float32, what is shown rounded."""

    @functools.wraps(sequence)
    def computed(*tensors: Tensor | None, **how: Any) -> tuple[Tensor, ...]:
        if not in_bf16() or bf16_by_kernels():
            return sequence(*tensors, **how)
        floats = [t.float() if t is not None and t.dtype == torch.bfloat16 else t for t in tensors]
        with torch.autocast("cpu", enabled=False):
            outputs, *last = sequence(*floats, **how)
        return outputs.bfloat16(), *last

    return computed


def torch_lstm_fails() -> bool:
    """Whether PyTorch's LSTM cannot compute what autocast asks for: it wants bfloat16 of oneDNN, which has it with
    AVX-512 alone."""
    return in_bf16() and torch.backends.mkldnn.is_available() and not torch.ops.mkldnn._is_mkldnn_bf16_supported()


def lstm_by_torch(forward: Callable[[Any, Any], Any], xs: Any, states: Any) -> Any:
    """PyTorch's LSTM of xs, a tensor or packed; in float32, and rounded, where it fails in bfloat16."""
    data = xs.data if isinstance(xs, PackedSequence) else xs
    ours = isinstance(data, Tensor) and data.dtype in (torch.float32, torch.bfloat16) and data.device.type == "cpu"
    if not ours or not torch_lstm_fails():
        return forward(xs, states)
    with torch.autocast("cpu", enabled=False):
        floats = tuple(s.float() for s in states) if isinstance(states, (tuple, list)) else states
        outputs, (h, c) = forward(xs.float(), floats)
    return outputs.to(torch.bfloat16), (h.bfloat16(), c.bfloat16())


WIDEST_FLOAT32_LSTM = 576  # units: beyond, the recurrent matrix is read from afar at every step, and oneDNN is faster


def torch_is_faster(hidden_size: int) -> bool:
    """Whether PyTorch's own kernel, the only good one that it has, is to be asked: a wide LSTM in float32."""
    return not bf16_by_kernels() and hidden_size > widest_float32_lstm()


def widest_float32_lstm() -> int:
    """Where there is AMX, oneDNN was the faster one in float32 at every size (`benchmarks/kernels.py`)."""
    return 0 if dispatch.chosen().name == "amx" else WIDEST_FLOAT32_LSTM


def by_formula() -> bool:
    """Whether cells are to be unrolled by their `step`: CHEKHOV_ISA=reference."""
    return dispatch.wanted() == "reference"


SCANS = ("mingru", "minlstm", "qrnn", "sru", "indrnn", "rglru")


def kernels_of(cell: str, hidden_size: int, options: dict[str, object], precision: str) -> str:
    """What unrolls a cell of this kind on this machine: a name of `dispatch.PATHS`."""
    path = dispatch.chosen()
    ours = cell in ("lstm", "gru", *SCANS) or (cell == "elman" and options.get("activation", "tanh") != "identity")
    extras = any(options.get(name) for name in ("zoneout", "peephole", "coupled", "layer_norm"))
    in_float32 = precision == "float32" or not path.bf16
    wide = cell == "lstm" and not extras and hidden_size > widest_float32_lstm() and in_float32
    return path.name if not path.compiled or (ours and not wide) else "torch"


class Zoneout(NamedTuple):
    share: float  # of the units of c and of h that keep their old value at a step
    seeds: tuple[int, int] | None  # of the masks of c and of h; None: all units keep that share, the expectation


@rounding
def lstm_sequence(
    xs: Tensor, h: Tensor, c: Tensor, W: Tensor, U: Tensor, b: Tensor, lengths: Tensor | None = None,
    *, reverse: bool = False, time_first: bool = False, zoneout: Zoneout | None = None, p: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """`lstm_formula` by kernels, in bfloat16 under autocast."""
    from chekhov.recurrent.lstm_sequence import LSTMSequence

    return LSTMSequence.apply(xs, h, c, W, U, b, lengths, reverse, in_bf16(), time_first, zoneout, p)


@rounding
def layer_norm_lstm_sequence(
    xs: Tensor, h: Tensor, c: Tensor, W: Tensor, U: Tensor, b: Tensor, *norm: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """`layer_norm_lstm_formula` by kernels, in bfloat16 under autocast."""
    from chekhov.recurrent.layer_norm_lstm_sequence import LayerNormLSTMSequence

    return LayerNormLSTMSequence.apply(xs, h, c, W, U, b, *norm, in_bf16())


@rounding
def gru_sequence(
    xs: Tensor, h: Tensor, W: Tensor, U: Tensor, b: Tensor, b_hh: Tensor, lengths: Tensor | None = None,
    *, reverse: bool = False, time_first: bool = False,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """`gru_formula` by kernels, in bfloat16 under autocast."""
    from chekhov.recurrent.gru_sequence import GRUSequence

    return GRUSequence.apply(xs, h, W, U, b, b_hh, lengths, reverse, in_bf16(), time_first)


@rounding
def gru_before_sequence(
    xs: Tensor, h: Tensor, W: Tensor, U: Tensor, b: Tensor, lengths: Tensor | None = None,
    *, reverse: bool = False, time_first: bool = False,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """`gru_before_formula` by kernels, in bfloat16 under autocast."""
    from chekhov.recurrent.gru_before_sequence import GRUBeforeSequence

    return GRUBeforeSequence.apply(xs, h, W, U, b, lengths, reverse, in_bf16(), time_first)


@rounding
def elman_sequence(
    xs: Tensor, h: Tensor, W: Tensor, U: Tensor, b: Tensor, lengths: Tensor | None = None,
    *, reverse: bool = False, time_first: bool = False, activation: str = "tanh",
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """`elman_formula` by kernels, in bfloat16 under autocast."""
    from chekhov.recurrent.elman_sequence import ElmanSequence

    return ElmanSequence.apply(xs, h, W, U, b, lengths, reverse, in_bf16(), activation, time_first)


@rounding
def scan_sequence(
    xs: Tensor, state: Tensor, W: Tensor, b: Tensor, vectors: Tensor, lengths: Tensor | None = None,
    *, kind: str, reverse: bool = False, time_first: bool = False,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """`scan_formula` by kernels; under autocast all but the state in bfloat16."""
    from chekhov.recurrent.scan_sequence import ScanSequence

    return ScanSequence.apply(xs, state, W, b, vectors, lengths, reverse, in_bf16(), kind, time_first)
