"""Cells whose recurrence is elementwise, over a whole sequence, forward and backward: no product from step to step.

Arrays are flat. A line is a step of a row: row b at time t is line b * b_line + t * t_line. ``gates``: W x of every
step, interleaved by 16 units: 16 of each of the ``count`` gates after another. ``vectors``: by 16 units likewise, the
``count`` biases, then the cell's own vectors, ``each`` in all. ``side``: x itself, where SRU and RG-LRU take it as it
is; else empty, and the last of the gates stands for it. ``units`` is a multiple of 16. The state is float32 whatever
the gates are. A row is read in blocks of units, and on the way back its states are computed once more: they stay in the
first cache, where they would have been written to memory and read again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.core import types
from numba.extending import intrinsic

from chekhov.kernels.jit import kernel
from chekhov.kernels.vector_kernels import (
    F32,
    LANES,
    address,
    first_floats,
    load,
    load_floats,
    splat,
    store,
    store_floats,
    v16,
)
from chekhov.recurrent.elementwise_kernels import advance, back, shown

BLOCK = 64  # units
ROWS = 8  # whose sums to a vector are taken together
ZERO = np.float32(0.0)


@intrinsic
def before(context: Any, gates: Any, at: Any, vectors: Any, own: Any, inside: Any) -> Any:
    """gates[at:] + vectors[own:], what stands before a sigmoid or tanh; behind the first ``inside`` of them 0, lest 0
    times infinity spread from there. As an intrinsic: a part of a kernel that is given arrays counts who refers to
    them, at every call."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        found = []
        for array, index in ((0, 1), (2, 3)):
            place = context.cast(builder, arguments[index], kinds[index], types.intp)
            pointer = address(context, builder, kinds[array], arguments[array], place, F32)
            found.append(load_floats(builder, pointer, kinds[array].dtype))
        return first_floats(builder, builder.fadd(*found), context.cast(builder, arguments[4], kinds[4], types.int32))

    return v16(gates, at, vectors, own, inside), code


@intrinsic
def add(context: Any, array: Any, index: Any, value: Any) -> Any:
    """array[index : index + 16] += value, float32."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind, index_type, _ = signature.args
        place = context.cast(builder, arguments[1], index_type, types.intp)
        pointer = address(context, builder, kind, arguments[0], place, F32)
        total = builder.fadd(load_floats(builder, pointer, kind.dtype), arguments[2])
        store_floats(context, builder, total, pointer, kind.dtype)
        return context.get_dummy_value()

    return types.void(array, index, value), code


@kernel
def scan_forward(
    kind, gates, vectors, side, state, outputs, lengths, T, H, units, heads, count, each, b_line, t_line, first, last,
    reverse,
):  # fmt: skip
    """``state`` (B, units): before the first step, in, and after the last, out."""
    cell = np.zeros(BLOCK, np.float32)
    second, third, fourth = min(1, count - 1) * LANES, min(2, count - 1) * LANES, (count - 1) * LANES
    own_first, own_second = min(count, each - 1) * LANES, min(count + 1, each - 1) * LANES
    for b in range(first, last):
        length = min(T, lengths[b])
        for u0 in range(0, units, BLOCK):
            end = min(units, u0 + BLOCK)
            for u in range(u0, end, LANES):
                store(cell, u - u0, load(state, b * units + u))
            for s in range(length, T):
                for u in range(u0, end, LANES):
                    store(outputs, (b * b_line + s * t_line) * units + u, splat(ZERO))
            for s in range(length):
                line = b * b_line + (length - 1 - s if reverse else s) * t_line
                for u in range(u0, end, LANES):
                    place, inside, own = line * units + u, H - u, u * each
                    at = place * count
                    a = before(gates, at, vectors, own, inside)
                    a_2 = before(gates, at + second, vectors, own + second, inside)
                    a_3 = before(gates, at + third, vectors, own + third, inside)
                    if len(side) > 0:
                        x = load(side, place)
                    else:
                        x = before(gates, at + fourth, vectors, own + fourth, inside)
                    v, v_2, c = load(vectors, own + own_first), load(vectors, own + own_second), load(cell, u - u0)
                    new = advance(kind, a, a_2, a_3, v, x, c)
                    store(cell, u - u0, new)
                    store(outputs, place, shown(kind, a_2, a_3, v_2, x, c, new))
            for u in range(u0, end, LANES):
                store(state, b * units + u, load(cell, u - u0))


@kernel
def scan_backward(
    kind, gates, vectors, side, state, d_outputs, d_state, d_gates, d_vectors, d_side, lengths, T, H, units, heads,
    count, each, b_line, t_line, first, last, reverse,
):  # fmt: skip
    """``state`` (B, units): before the first step. ``d_state``: the gradient of the last, in, and of the first, out.
    ``d_vectors``: sums of every 8 rows."""
    states = np.zeros((T + 1) * BLOCK, np.float32)
    cell = np.zeros(BLOCK, np.float32)
    second, third, fourth = min(1, count - 1) * LANES, min(2, count - 1) * LANES, (count - 1) * LANES
    own_first, own_second = min(count, each - 1) * LANES, min(count + 1, each - 1) * LANES
    for b in range(first, last):
        length = min(T, lengths[b])
        for u0 in range(0, units, BLOCK):
            end = min(units, u0 + BLOCK)
            for u in range(u0, end, LANES):
                store(states, u - u0, load(state, b * units + u))
                store(cell, u - u0, load(d_state, b * units + u))
            for s in range(length):
                line = b * b_line + (length - 1 - s if reverse else s) * t_line
                for u in range(u0, end, LANES):
                    place, inside, own = line * units + u, H - u, u * each
                    at = place * count
                    a = before(gates, at, vectors, own, inside)
                    a_2 = before(gates, at + second, vectors, own + second, inside)
                    a_3 = before(gates, at + third, vectors, own + third, inside)
                    if len(side) > 0:
                        x = load(side, place)
                    else:
                        x = before(gates, at + fourth, vectors, own + fourth, inside)
                    v, c = load(vectors, own + own_first), load(states, s * BLOCK + u - u0)
                    store(states, (s + 1) * BLOCK + u - u0, advance(kind, a, a_2, a_3, v, x, c))
            for s in range(length, T):
                line = b * b_line + s * t_line
                for u in range(u0 * count, end * count, LANES):
                    store(d_gates, line * units * count + u, splat(ZERO))
                if len(side) > 0:
                    for u in range(u0, end, LANES):
                        store(d_side, line * units + u, splat(ZERO))
            for s in range(length - 1, -1, -1):
                line = b * b_line + (length - 1 - s if reverse else s) * t_line
                for u in range(u0, end, LANES):
                    place, inside, own = line * units + u, H - u, u * each
                    at, sums = place * count, b // ROWS * units * each + own
                    a = before(gates, at, vectors, own, inside)
                    a_2 = before(gates, at + second, vectors, own + second, inside)
                    a_3 = before(gates, at + third, vectors, own + third, inside)
                    if len(side) > 0:
                        x = load(side, place)
                    else:
                        x = before(gates, at + fourth, vectors, own + fourth, inside)
                    v, v_2 = load(vectors, own + own_first), load(vectors, own + own_second)
                    c, new = load(states, s * BLOCK + u - u0), load(states, (s + 1) * BLOCK + u - u0)
                    d_out, d_new = load(d_outputs, place), load(cell, u - u0)
                    d_a, d_a_2, d_a_3, d_v, d_v_2, d_x, d_c = back(kind, a, a_2, a_3, v, v_2, x, c, new, d_out, d_new)
                    store(cell, u - u0, d_c)
                    store(d_gates, at, d_a)
                    add(d_vectors, sums, d_a)
                    if heads > 1:
                        store(d_gates, at + second, d_a_2)
                        add(d_vectors, sums + second, d_a_2)
                    if heads > 2:
                        store(d_gates, at + third, d_a_3)
                        add(d_vectors, sums + third, d_a_3)
                    if count > heads:
                        store(d_gates, at + fourth, d_x)
                        add(d_vectors, sums + fourth, d_x)
                    elif len(side) > 0:
                        store(d_side, place, d_x)
                    if each > count:
                        add(d_vectors, sums + own_first, d_v)
                    if each > count + 1:
                        add(d_vectors, sums + own_second, d_v_2)
            for u in range(u0, end, LANES):
                store(d_state, b * units + u, load(cell, u - u0))
