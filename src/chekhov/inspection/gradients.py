"""How a gradient comes back through time: exactly, by autograd through the formula of the cell, in float64.

    dL/ds_{T-d} = dL/ds_T  J_T J_{T-1} ... J_{T-d+1}        J_t = ds_t / ds_{t-1}, s the state of the cell

shrinks or grows with the distance d like the product of the J_t. For the simple net J_t = diag(f') W_hh (Bengio, Simard
& Frasconi 1994; Pascanu, Mikolov & Bengio 2013): all singular values below 1 are enough for it to vanish, and one above
1 is needed, but not enough, for it to explode: tanh saturates. An LSTM's c_t / c_{t-1} is diag(f_t) beside its gates.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chekhov.errors import ModelError
from chekhov.recurrent.cell import Cell
from chekhov.recurrent.language_model import RecurrentLM
from chekhov.state import leaves, map_state
from chekhov.types import Ids

Floats = NDArray[np.float64]
PREFIX = 100  # tokens that a net has read before the window that is differentiated


@dataclass(frozen=True)
class Gradients:
    """norms: of each part of the state ((layers.0.)h, c): |dL/ds_{T-d}| (D + 1,) by distance d, mean over sequences.

    gates: the values of every gate, by name. Of a single cell also, step by step: the spectral radius and the largest
    singular value of J_t (D,), and that of the product of the last d of them (D + 1,).
    """

    name: str
    norms: dict[str, Floats]
    gates: dict[str, Floats] = field(default_factory=dict)
    radii: Floats | None = None
    singular_values: Floats | None = None
    products: Floats | None = None

    def slope(self, part: str) -> float:
        """Mean change of log |dL/ds| from step to step: 0 is flat, below it vanishes, above it explodes."""
        norms = self.norms[part]
        known = np.flatnonzero(norms > 0)
        return float(np.polyfit(known, np.log(norms[known]), 1)[0]) if len(known) > 1 else -np.inf


def parts(state: Any, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    """The tensors of a state by name: h, c, layers.0.h, ..."""
    if isinstance(state, Tensor):
        yield prefix + "h", state
    elif hasattr(state, "_fields"):
        yield from ((prefix + name, part) for name, part in zip(state._fields, state, strict=True))
    else:
        for layer, own in enumerate(state):
            yield from parts(own, f"{prefix}layers.{layer}.")


def held(state: Any, step: int) -> Any:
    """The same state, whose gradient is to be kept; `ModelError` if it is not finite."""
    for name, part in parts(state):
        if not torch.isfinite(part).all():
            what = f"{name} is not finite at step {step}"
            mend = "a linear or ReLU net may grow without bound: a shorter --distance, or smaller weights"
            raise ModelError("E-GRAD-003", what, mend=mend)
    state = map_state(lambda part: part if part.requires_grad else part.clone().requires_grad_(), state)
    for part in leaves(state):
        part.retain_grad()
    return state


def norms_of(states: list[Any], rows: int) -> dict[str, Floats]:
    """|dL/ds| (T + 1,) of every part, the last state first, after `backward`; mean over the rows."""
    found: dict[str, list[float]] = {}
    for state in reversed(states):
        for name, part in parts(state):
            gradient = torch.zeros_like(part) if part.grad is None else part.grad
            found.setdefault(name, []).append(float(gradient.reshape(rows, -1).norm(dim=1).mean()))
    return {name: np.array(values) for name, values in found.items()}


def cell_gradients(name: str, cell: Cell, xs: Tensor, *, seed: int = 0) -> Gradients:
    """Of L = v . h_T, v a random vector of length 1 for each sequence; xs (B, T, I). The cell is not changed.

    Raises `ModelError` where a state is not finite.
    """
    cell = copy.deepcopy(cell).double().requires_grad_(False)
    xs = xs.double()
    B, T, _ = xs.shape
    states, gates = [held(cell.initial_state(B), 0)], dict[str, list[Tensor]]()
    output = xs
    for t in range(T):
        output, state = cell.step(xs[:, t], states[-1])
        states.append(held(state, t + 1))
        keep_gates(cell, xs[:, t], states[-2], gates)
    generator = torch.Generator().manual_seed(seed)
    v = torch.randn(B, cell.hidden_size, generator=generator, dtype=torch.float64)
    last = next((part for name, part in parts(states[-1]) if name.endswith("h")), None)
    target = output if last is None or last.shape != output.shape else last  # of some cells the state is no output
    ((v / v.norm(dim=1, keepdim=True)) * target).sum().backward()
    radii, singular_values, products = jacobians(cell, xs[:1], [select_first(state) for state in states])
    values = {gate: torch.cat(own).numpy().ravel() for gate, own in gates.items()}
    return Gradients(name, norms_of(states, B), values, radii, singular_values, products)


@torch.no_grad()
def keep_gates(cell: Cell, x: Tensor, state: Any, gates: dict[str, list[Tensor]]) -> None:
    named, _ = cell.trace_step(x, state)
    for name, value in named.items():
        if name.endswith("_gate"):
            gates.setdefault(name, []).append(value)


def select_first(state: Any) -> Any:
    return map_state(lambda part: part[:1].detach(), state)


def step_jacobian(cell: Cell, x: Tensor, state: Any) -> Tensor:
    """ds_t / ds_{t-1} (S, S), all parts of the state one behind the other; x (1, I), a state of one row."""
    shapes = [part.shape for part in leaves(state)]
    sizes = [shape.numel() for shape in shapes]

    def step(flat: Tensor) -> Tensor:
        pieces = iter(piece.reshape(shape) for piece, shape in zip(flat.split(sizes), shapes, strict=True))
        _, after = cell.step(x, map_state(lambda part: next(pieces), state))
        return torch.cat([part.reshape(-1) for part in leaves(after)])

    flat = torch.cat([part.reshape(-1) for part in leaves(state)])
    return torch.autograd.functional.jacobian(step, flat, vectorize=True)


def jacobians(cell: Cell, xs: Tensor, states: list[Any]) -> tuple[Floats, Floats, Floats]:
    """Spectral radius and largest singular value (T,) of each J_t, and the largest singular value (T + 1,) of the
    products of the last 0, 1, ... of them."""
    own = [step_jacobian(cell, xs[:, t], states[t]) for t in range(xs.shape[1])]
    radii = np.array([float(torch.linalg.eigvals(J).abs().max()) for J in own])
    singular_values = np.array([float(torch.linalg.matrix_norm(J, 2)) for J in own])
    product, products, scale = torch.eye(len(own[0]), dtype=torch.float64), [1.0], 0.0
    for J in reversed(own):
        product = product @ J
        size = float(torch.linalg.matrix_norm(product, 2))
        if size == 0.0:
            products += [0.0] * (len(own) + 1 - len(products))
            break
        product, scale = product / size, scale + np.log(size)
        products.append(float(np.exp(scale)))
    return radii, singular_values, np.array(products)


def text_gradients(name: str, net: RecurrentLM, ids: Ids, *, distance: int, positions: int = 32) -> Gradients:
    """Of L = -log p(w_t | what came before) in nats, at ``positions`` places of a text ids (N,), at each layer.

    Before the ``distance`` tokens that are differentiated the net has read up to 100 others. N > distance + 1.
    """
    net = copy.deepcopy(net).double().eval().requires_grad_(False)
    prefix = min(PREFIX, len(ids) - distance - 1)
    first, last = prefix + distance, len(ids) - 1
    places = np.unique(np.linspace(first, last, min(positions, last - first + 1)).astype(np.int64))
    rows = torch.from_numpy(ids[places[:, None] + np.arange(-prefix - distance, 1)])  # (B, prefix + distance + 1)
    B = len(rows)
    _, state = net.stack.unroll(net.embed(rows[:, :prefix]), net.stack.initial_state(B)) if prefix else (
        None, net.stack.initial_state(B))  # fmt: skip
    states, gates = [held(state, 0)], dict[str, list[Tensor]]()
    features = rows.new_zeros(0).double()
    for t in range(distance):
        x = net.embed(rows[:, prefix + t])
        features, state = net.stack.step(x, states[-1])
        states.append(held(state, t + 1))
        keep_gates(net.stack, x, states[-2], gates)
    (-net.log_softmax(features).gather(1, rows[:, -1:])).sum().backward()
    values = {gate: torch.cat(own).numpy().ravel() for gate, own in gates.items()}
    return Gradients(name, norms_of(states, B), values)


def unroll_in_windows(cell: Cell, xs: Tensor, window: int) -> Iterator[tuple[Tensor, Any]]:
    """Truncated BPTT: outputs (B, <= window, H) and the state after them; the state goes on, its gradient does not.

    (Werbos 1990; Williams & Peng 1990.) Each window's graph can be freed before the next one is made.
    """
    state = cell.initial_state(len(xs))
    for start in range(0, xs.shape[1], window):
        outputs, state = Cell.unroll(cell, xs[:, start : start + window], map_state(torch.Tensor.detach, state))
        yield outputs, state


def bptt_bytes(cell: Cell, xs: Tensor, window: int | None = None) -> int:
    """Bytes that autograd keeps for the way back, beside weights and inputs: at most at once, window by window."""
    own = {tensor.untyped_storage().data_ptr() for tensor in (xs, *cell.parameters())}
    most = 0
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        place = tensor.untyped_storage().data_ptr()
        if place not in own:
            kept[place] = tensor  # alive, so that no other tensor comes to lie there
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        for outputs, _ in unroll_in_windows(cell, xs, window or xs.shape[1]):
            most = max(most, sum(tensor.untyped_storage().nbytes() for tensor in kept.values()))
            outputs.sum().backward()
            kept.clear()
    return most
