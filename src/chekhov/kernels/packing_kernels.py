"""Weight matrices into panels of 32 columns, as `matmul_kernels` reads them; words of 32 bits are what is moved.

``W`` is (gates, units, K). The columns of a step's product stand gate-interleaved, ``width`` (16 or 32) units of gate
0, the same of gate 1, ...: a block of units is complete where it is used. ``units`` is a multiple of ``width``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from chekhov.kernels.jit import kernel
from chekhov.kernels.vector_kernels import HALVES, I64, LANES, WORDS, address, load, splat_word, store


def exchange(builder: Any, rows: list[Any]) -> list[Any]:
    """Sixteen vectors of words, transposed."""
    distance = LANES // 2
    while distance:  # swap the off-diagonal blocks of each square of 2 * distance
        low = [j if not j & distance else LANES + (j ^ distance) for j in range(LANES)]
        high = [j | distance if not j & distance else LANES + j for j in range(LANES)]
        for i in range(LANES):
            if not i & distance:
                a, b = rows[i], rows[i | distance]
                rows[i] = builder.shuffle_vector(a, b, ir.Constant(WORDS, low))
                rows[i | distance] = builder.shuffle_vector(a, b, ir.Constant(WORDS, high))
        distance //= 2
    return rows


@intrinsic
def transpose(context: Any, source: Any, s: Any, s_row: Any, target: Any, t: Any, t_row: Any) -> Any:
    """target[t + j * t_row + i] = source[s + i * s_row + j], i and j = 0 .. 15, words of 32 bits."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        s, s_row, t, t_row = (context.cast(builder, arguments[i], kinds[i], types.intp) for i in (1, 2, 4, 5))

        def place(kind: Any, array: Any, first: Any, row: Any, i: int) -> Any:
            return address(context, builder, kind, array, builder.add(first, builder.mul(row, I64(i))), WORDS)

        rows = []
        for i in range(LANES):
            row = builder.load(place(kinds[0], arguments[0], s, s_row, i))
            row.align = 4
            rows.append(row)
        for i, row in enumerate(exchange(builder, rows)):
            builder.store(row, place(kinds[3], arguments[3], t, t_row, i)).align = 4
        return context.get_dummy_value()

    return types.void(source, s, s_row, target, t, t_row), code


@intrinsic
def turn_pairs(context: Any, source: Any, s: Any, s_row: Any, target: Any, t: Any, t_row: Any) -> Any:
    """target[t + j * t_row + i] = source[s + i * s_row + j], i = 0 .. 31, j = 0 .. 15: uint16."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        s, s_row, t, t_row = (context.cast(builder, arguments[i], kinds[i], types.intp) for i in (1, 2, 4, 5))
        pairs = []
        for i in range(0, 2 * LANES, 2):
            halves = []
            for row in (i, i + 1):
                at = builder.add(s, builder.mul(s_row, I64(row)))
                half = builder.load(address(context, builder, kinds[0], arguments[0], at, HALVES))
                half.align = 2
                halves.append(builder.zext(half, WORDS))
            pairs.append(builder.or_(halves[0], builder.shl(halves[1], splat_word(16))))
        for j, row in enumerate(exchange(builder, pairs)):
            at = builder.add(t, builder.mul(t_row, I64(j)))
            builder.store(row, address(context, builder, kinds[3], arguments[3], at, WORDS)).align = 2
        return context.get_dummy_value()

    return types.void(source, s, s_row, target, t, t_row), code


@intrinsic
def copy_words(context: Any, source: Any, s: Any, target: Any, t: Any) -> Any:
    """Sixteen words of 32 bits."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        s, t = (context.cast(builder, arguments[i], kinds[i], types.intp) for i in (1, 3))
        found = builder.load(address(context, builder, kinds[0], arguments[0], s, WORDS))
        found.align = 2
        builder.store(found, address(context, builder, kinds[2], arguments[2], t, WORDS)).align = 2
        return context.get_dummy_value()

    return types.void(source, s, target, t), code


@intrinsic
def interleave(context: Any, source: Any, s: Any, second: Any, target: Any, t: Any) -> Any:
    """target[t + 2 j] = source[s + j], target[t + 2 j + 1] = source[second + j], j = 0 .. 15: uint16."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        words = []
        for i in (1, 2):
            at = context.cast(builder, arguments[i], kinds[i], types.intp)
            half = builder.load(address(context, builder, kinds[0], arguments[0], at, HALVES))
            half.align = 2
            words.append(builder.zext(half, WORDS))
        t = context.cast(builder, arguments[4], kinds[4], types.intp)
        word = builder.or_(words[0], builder.shl(words[1], splat_word(16)))
        builder.store(word, address(context, builder, kinds[3], arguments[3], t, WORDS)).align = 2
        return context.get_dummy_value()

    return types.void(source, s, second, target, t), code


@kernel
def fill_rows(W, first, rows, K, target, t, t_row, columns):
    """target[t + r * t_row :][:columns] = row ``first`` + r of W (.., K) of float32 and zeros behind, for r below
    ``rows``, rounded to the target's dtype; ``columns`` is a multiple of 16."""
    end = np.zeros(LANES, np.float32)
    whole = K // LANES * LANES
    for r in range(rows):
        source, place = (first + r) * K, t + r * t_row
        for k in range(0, whole, LANES):
            store(target, place + k, load(W, source + k))
        for k in range(whole, columns, LANES):
            for i in range(LANES):
                end[i] = W[source + k + i] if k + i < K else np.float32(0)
            store(target, place + k, load(end, 0))


@kernel
def pack_columns(W, gates, units, words, width, panels):
    """W (gates, units, words) of uint32 -> panels [gates * units / 32][words][32]: the columns of x W^T, interleaved.

    ``words`` is K of float32, K / 2 of bfloat16; a multiple of 16. An odd last block of 16 columns leaves half a panel
    as it was: zeros.
    """
    for unit in range(0, units, LANES):
        for gate in range(gates):
            column = unit // width * gates * width + gate * width + unit % width
            panel = column // 32 * words * 32 + column % 32
            row = (gate * units + unit) * words
            for k in range(0, words, LANES):
                transpose(W, row + k, words, panels, panel + k * 32, 32)


@kernel
def pack_rows(W, gates, units, columns, width, panels):
    """W (gates, units, columns) of float32 -> panels [columns / 32][gates * units][32]: the columns of g W, g the
    gradient of the interleaved gates. ``columns`` is a multiple of 16."""
    for first in range(0, columns, 32):
        for unit in range(units):
            for gate in range(gates):
                k = unit // width * gates * width + gate * width + unit % width
                row, panel = (gate * units + unit) * columns + first, first * gates * units + k * 32
                copy_words(W, row, panels, panel)
                if first + LANES < columns:
                    copy_words(W, row + LANES, panels, panel + LANES)


@kernel
def pack_pairs_of_rows(W, gates, units, columns, width, panels):
    """`pack_rows` for bfloat16 (uint16): panels [columns / 32][gates * units / 2][32][2]."""
    for first in range(0, columns, 32):
        for unit in range(0, units, 2):
            for gate in range(gates):
                k = unit // width * gates * width + gate * width + unit % width
                row, panel = (gate * units + unit) * columns + first, first * gates * units + k * 32
                interleave(W, row, row + columns, panels, panel)
                if first + LANES < columns:
                    interleave(W, row + LANES, row + columns + LANES, panels, panel + 32)


@kernel
def pack_lines(lines, rows, columns, panels):
    """lines (rows, columns) of 32-bit words -> panels [columns / 32][rows][32]; ``columns`` is a multiple of 16."""
    for first in range(0, columns, LANES):
        panel = (first // 32) * rows * 32 + first % 32
        for row in range(rows):
            copy_words(lines, row * columns + first, panels, panel + row * 32)


@kernel
def transpose_lines(lines, rows, columns, turned, width):
    """lines (rows, columns) -> turned (columns, width), 32-bit words; ``columns`` is a multiple of 16."""
    whole = rows // LANES * LANES
    for column in range(0, columns, LANES):
        for row in range(0, whole, LANES):
            transpose(lines, row * columns + column, columns, turned, column * width + row, width)
        for row in range(whole, rows):
            for i in range(LANES):
                turned[(column + i) * width + row] = lines[row * columns + column + i]
