"""A recurrent language model as it generates: the same contract, step by step through kernels made for that.

A step of one stream is nothing but reading the weights. In int8 they are a quarter of float32's bytes, in bf16 half.

    w ~ s_w q_w,   s_w = max |w| / 127 of a row of the matrix          once
    x ~ s_x q_x,   s_x = max |x| / 127 of a vector                     at every step (dynamic quantisation)
    W x ~ s_w s_x sum q_w q_x                                          the sum exact, in 32 bits

The state of a stream, its gates, biases and log-probabilities stay float32. A stream's numbers do not depend on the
streams beside it, to the bit.
"""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chekhov.errors import UsageError
from chekhov.kernels import dispatch
from chekhov.recurrent.generation_weights import Packer, Place, aligned, unit_panels, up
from chekhov.recurrent.language_model import RecurrentLM
from chekhov.recurrent.workspace import take
from chekhov.types import BOS, Arrays, Ids, LogProbs, score_stepwise

LANES, WIDE = 16, 64
GATES = {"lstm": 4, "gru": 3, "elman": 1}
ACTIVATIONS = ("tanh", "relu", "sigmoid", "identity")  # as `generation_kernels` numbers them
APART = 64  # numbers between two rounded rows, so that they do not share lines of the cache
INPUTS = 1 << 27  # bytes: so many of the first layer's inputs are kept
AT_ONCE = 1 << 28  # products: where all of the inputs take no more, they are made at the start, in float32
ROUNDED: dict[str, Any] = {"int8": np.uint8, "bf16": np.uint16, "float32": np.float32}
empty = np.empty
FRESH = 1 << 14  # numbers: a larger array comes from memory that is used again, since a fresh one costs page faults


class GeneratorState(NamedTuple):
    streams: NDArray[np.float32]  # (B, S): h and c of each layer, then what the output layer reads


def refusal(model: RecurrentLM, precision: str) -> str:
    """Why there are no generation kernels for this net in this precision on this machine; "" if there are."""
    path = dispatch.chosen()
    if model.cell not in GATES:
        return f"there are none for the cell {model.cell}"
    if model.cell_options.get("reset", "after") != "after":
        return "there are none for a GRU with reset=before"
    cell: Any = model.stack.cells[0]
    extras = [extra for extra in cell.extras if extra != "coupled gates"] if model.cell == "lstm" else []
    if extras:
        return f"there are none for an LSTM with {' and '.join(extras)}"
    if not path.compiled:
        return path.why
    if precision == "bf16" and not path.bf16:
        return "the processor does not multiply bfloat16"
    if precision == "int8" and (path.name == "avx2" or not has_vnni()):
        return "the processor has no VNNI"
    return ""


def room(*shape: int) -> NDArray[np.float32]:
    """An array that holds anything."""
    if shape[0] * shape[1] < FRESH:
        return empty(shape, np.float32)
    return take(*shape).numpy()


def has_vnni() -> bool:
    from chekhov.kernels.jit import target_features

    return {"avx512f", "avx512vnni"} <= target_features()


class Generator:
    """A model in ``int8``, ``bf16`` or ``float32``. Its weights are copied: what is changed later is not seen.

    Keeps the contract of `chekhov.types.LanguageModel`, with a state of its own. `score` is step by step, so that it
    is what this arithmetic gives. Raises `UsageError` where there are no kernels (`refusal`).
    """

    def __init__(self, model: RecurrentLM, precision: str):
        why = refusal(model, precision)
        if why:
            raise UsageError("E-GENERATE-006", f"no generation kernels for {precision}: {why}", mend="use float32")
        from chekhov.recurrent import generation_kernels as kernels

        self.model, self.precision = model, precision
        self.vocab_size, self.kind = model.vocab_size, model.kind
        self.kernels, self.lock = kernels, threading.Lock()
        self.gates, self.states = GATES[model.cell], 2 if model.cell == "lstm" else 1
        self.width = 48 if self.gates == 3 else 64  # of a panel
        self.units = up(model.stack.hidden_size, self.width // self.gates)
        states = self.states * len(model.stack.cells)
        self.shown = (states if model.stack.residual else states - self.states) * self.units
        self.stream_size = (states + model.stack.residual) * self.units + LANES  # an odd number of lines of a cache
        with torch.no_grad():
            self._pack()
        self._make_room(1)

    def _pack(self) -> None:
        model, k = self.model, self.kernels
        packer, units = Packer(self.precision), self.units
        for layer, cell in enumerate(model.stack.cells):
            W, U, bias, b_hh = self._weights(cell)
            hidden = unit_panels(U, b_hh, self.gates, units, self.width, units)
            if layer == 0:
                packer.add(hidden)
                first = W * model.stack.hidden_size**0.5 if model.tied else W, bias
            else:
                packer.add(unit_panels(W, bias, self.gates, units, self.width, units), hidden)
        head = packer.add(unit_panels(model.head.weight, model.head.bias, 1, up(self.vocab_size, WIDE), WIDE, units))
        beside = unit_panels(*first, self.gates, units, self.width)
        self._keep_inputs(*first)
        into = packer.add(beside) if (self.kept < 0).any() else Place(0, 0)
        self.matrices, self.numbers = packer.arrays()
        embedding = model.embedding.embedding_dim if model.embedding is not None else 0
        self.plan = np.zeros(k.PLAN, np.int64)
        for place, value in (
            (k.LAYERS, len(model.stack.cells)),
            (k.UNITS, units),
            (k.HIDDEN, model.stack.hidden_size),
            (k.GATES, self.gates),
            (k.STATES, self.states),
            (k.ACTIVATION, ACTIVATIONS.index(model.cell_options.get("activation", "tanh"))),
            (k.STREAM, self.stream_size),
            (k.RESIDUAL, model.stack.residual),
            (k.VOCABULARY, self.vocab_size),
            (k.ROW, max(units, up(embedding, LANES)) + APART),
            (k.EMBEDDING, up(embedding, LANES)),
            (k.HEAD, head.matrices),
            (k.HEAD_NUMBERS, head.numbers),
            (k.INPUT, into.matrices),
            (k.INPUT_NUMBERS, into.numbers),
            (k.SHOWN, self.shown),
            (k.KEPT_ROW, self.gates * units + LANES),
        ):
            self.plan[place] = value

    def _weights(self, cell: Any) -> tuple[Tensor, ...]:
        """W, U and what is added to W x and to U h: of a GRU two vectors, else their sum to the first."""
        if self.gates == 4:
            W, U, bias, _ = cell.as_four_gates()
            return W, U, bias, torch.zeros_like(bias)
        W, U, b_ih, b_hh = cell.parameters_by_letter()
        if self.gates != 3:
            return W, U, b_ih + b_hh, torch.zeros_like(b_hh)
        if cell.update == "replace":  # sigmoid(-z) is what stays
            sign = torch.tensor([1.0, -1.0, 1.0]).repeat_interleave(cell.hidden_size)
            return W * sign[:, None], U * sign[:, None], b_ih * sign, b_hh * sign
        return W, U, b_ih, b_hh

    def _keep_inputs(self, W: Any, bias: Any) -> None:
        """Room for W x + b of the tokens; all of them now, in float32, where that takes no time."""
        model, (V, G) = self.model, (self.vocab_size, self.gates * self.units)
        whole = model.embedding is None or V * W.numel() <= AT_ONCE
        slots = V if whole else max(1, min(V, INPUTS // (4 * G)))
        self.inputs, self.kept = aligned(slots * (G + LANES), np.float32), np.full(slots, -1, np.int64)
        self.embedding = np.zeros((1, 1), np.float32)
        if model.embedding is not None:
            self.embedding = model.embedding.weight.numpy().copy()
        if whole:
            columns = W.t() if model.embedding is None else model.embedding.weight @ W.t()
            panels = unit_panels((columns + bias).t().contiguous(), bias, self.gates, self.units, self.width).weights
            self.inputs.reshape(V, -1)[:, :G] = panels.reshape(G, -1)[:, :V].t().numpy()
            self.kept[:] = np.arange(V)

    def _make_room(self, B: int) -> None:
        k = self.kernels
        gathered = 0 if len(self.kept) == self.vocab_size else B * self.gates * self.units
        self.rows = B
        self.rounded = aligned((2 * B + k.ROWS) * int(self.plan[k.ROW]), ROUNDED[self.precision])
        self.floats = aligned(2 * B + int(self.plan[k.EMBEDDING]) + 3 * k.TILE + gathered, np.float32)
        self.sources = np.zeros(B, np.int64)

    # The contract.

    def initial_state(self, batch_size: int) -> GeneratorState:
        start = GeneratorState(np.zeros((1, self.stream_size), np.float32))
        one = self.advance(start, np.array([BOS]))
        return GeneratorState(np.repeat(one.streams, batch_size, axis=0))

    def advance(self, state: GeneratorState, tokens: Ids) -> GeneratorState:
        streams, B = self._streams(state), len(tokens)
        if streams.shape[0] != B:
            raise ValueError(f"{len(streams)} streams cannot read {B} tokens")
        after = room(B, self.stream_size)
        with self.lock:
            if self.rows < B:
                self._make_room(B)
            known = self.kernels.advance_step(
                self.matrices, self.numbers, self.plan, self.inputs, self.kept, self.embedding,
                np.ascontiguousarray(tokens, np.int64), streams.reshape(-1), after.reshape(-1),
                self.rounded, self.floats, self.sources,
            )  # fmt: skip
        if not known:
            raise IndexError(f"a token is none of 0 .. {self.vocab_size - 1}")
        return GeneratorState(after)

    def log_probs(self, state: GeneratorState) -> LogProbs:
        streams = self._streams(state)
        out = room(len(streams), self.vocab_size)
        with self.lock:
            if self.rows < len(streams):
                self._make_room(len(streams))
            self.kernels.log_probs_step(
                self.matrices, self.numbers, self.plan, streams.reshape(-1), out.reshape(-1), self.rounded, self.floats
            )
        return out

    def score(self, state: GeneratorState, ids: Ids) -> tuple[LogProbs, GeneratorState]:
        scores, state = score_stepwise(self, state, ids)
        return scores, state

    def _streams(self, state: GeneratorState) -> NDArray[np.float32]:
        streams = np.ascontiguousarray(state.streams, np.float32)
        if streams.ndim != 2 or streams.shape[1] != self.stream_size:
            raise ValueError(f"a state is (B, {self.stream_size}), not {streams.shape}: it is another model's")
        return streams

    def sizes(self) -> dict[str, Any]:
        return self.model.sizes()

    def arrays(self) -> Arrays:
        return self.model.arrays()

    @property
    def parameter_count(self) -> int:
        return self.model.parameter_count
