"""Matrix products at the size of a recurrent step: a block of rows times a panel of 32 columns, sums in registers.

A panel is a weight matrix's 32 columns, packed so that one pass reads it in order: [K][32] of float32, or [K/2][32][2]
of bfloat16, two consecutive k side by side as ``vdpbf16ps`` wants them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from chekhov.kernels.jit import Kernel, inlined, kernel
from chekhov.kernels.tile_kernels import TILE_ROWS, in_tiles, multiplies, tiles_16, tiles_32
from chekhov.kernels.vector_kernels import (
    F32,
    FLOATS,
    I32,
    I64,
    LANES,
    WORDS,
    Bfloat,
    address,
    broadcast,
    has,
    load,
    multiply_add,
    splat,
    store,
)

BFLOATS = 32  # bfloat16 numbers in a vector
PANEL = 32  # columns
ZERO, ONE = np.float32(0.0), np.float32(1.0)


def product_sum(builder: Any, total: Any, a: Any, b: Any, exact: bool) -> Any:
    """total + a * b, for bfloat16 over pairs."""
    if exact:
        return multiply_add(builder, a, b, total)
    kind = ir.VectorType(Bfloat(), BFLOATS)
    shape = ir.FunctionType(FLOATS, [FLOATS, kind, kind])
    function = cgutils.get_or_insert_function(builder.module, shape, "llvm.x86.avx512bf16.dpbf16ps.512")
    return builder.call(function, [total, builder.bitcast(a, kind), builder.bitcast(b, kind)])


def tile(rows: int, *, add: bool = True) -> Kernel:
    """Adds the product of ``rows`` rows with a panel of 32 columns, or, without ``add``, puts it there:

    out[o + r * o_row + n] += sum_k a[a0 + r * a_row + k] panel[p + ...][n],  n = 0 .. 31

    ``a`` and ``panel`` are both float32 or both bfloat16 (uint16); then K is even. ``out`` is float32.
    There is none of bfloat16 where the processor multiplies tiles.
    The sum of a row is taken in the order of k, whatever the other rows are.
    """

    @intrinsic
    def product(
        context: Any,
        a: Any,
        a0: Any,
        a_row: Any,
        panel: Any,
        p: Any,
        K: Any,
        out: Any,
        o: Any,
        o_row: Any,
    ) -> Any:
        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kinds = signature.args
            if multiplies(context, kinds[3]):  # `product` goes by tiles, and this is never reached
                return context.get_dummy_value()
            a0, a_row, p, K, o, o_row = (
                context.cast(builder, arguments[i], kinds[i], types.intp) for i in (1, 2, 4, 5, 7, 8)
            )
            exact = kinds[0].dtype == types.float32
            steps = K if exact else builder.lshr(K, I64(1))
            for block, columns in parts(context, rows):
                left, totals = [], []
                for r in block:
                    at = builder.add(a0, builder.mul(a_row, I64(r)))
                    left.append(address(context, builder, kinds[0], arguments[0], at, F32 if exact else I32))
                    line = builder.add(o, builder.mul(o_row, I64(r)))
                    for v in columns:
                        at = builder.add(line, I64(v * LANES))
                        totals.append(address(context, builder, kinds[6], arguments[6], at, FLOATS))
                right = [
                    address(context, builder, kinds[3], arguments[3], builder.add(p, I64(v * per)), FLOATS)
                    for v in columns
                    for per in (LANES if exact else 2 * LANES,)
                ]
                multiply(builder, steps, totals, left, right, exact, add)
            return context.get_dummy_value()

        return types.void(a, a0, a_row, panel, p, K, out, o, o_row), code

    return product


def parts(context: Any, rows: int) -> list[tuple[list[int], list[int]]]:
    """Which rows and which vectors of the panel have their sums in registers at once: AVX-512 has 32 registers of 16
    floats, AVX2 16 of 8."""
    if has(context, "avx512f"):
        return [(list(range(rows)), [0, 1])]
    fours = [list(range(first, min(first + 4, rows))) for first in range(0, rows, 4)]
    return [(block, [vector]) for block in fours for vector in (0, 1)]


def multiply(
    builder: Any, steps: Any, places: list[Any], left: list[Any], right: list[Any], exact: bool, add: bool
) -> None:
    """The loop over k: one vector of the panel for each of ``right``, one number of each row, sums in registers."""
    starts = []
    for place in places:
        start = builder.load(place) if add else ir.Constant(FLOATS, [0.0] * LANES)
        if add:
            start.align = 4
        starts.append(start)
    before = builder.block
    body, after = builder.append_basic_block("body"), builder.append_basic_block("after")
    builder.cbranch(builder.icmp_signed("<=", steps, I64(0)), after, body)
    builder.position_at_end(body)
    k = builder.phi(I64)
    k.add_incoming(I64(0), before)
    sums = [builder.phi(FLOATS) for _ in places]
    columns = []
    for pointer in right:
        column = builder.load(builder.gep(pointer, [builder.mul(k, I64(2))]))  # a panel is two vectors wide
        column.align = 4
        columns.append(column)
    following = []
    for r, pointer in enumerate(left):
        number = builder.load(builder.gep(pointer, [k]))
        number.align = 4 if exact else 2
        row = broadcast(builder, number, FLOATS if exact else WORDS)
        for v, column in enumerate(columns):
            following.append(product_sum(builder, sums[r * len(right) + v], row, column, exact))
    k_next = builder.add(k, I64(1))
    k.add_incoming(k_next, body)
    for total, start, new in zip(sums, starts, following):
        total.add_incoming(start, before)
        total.add_incoming(new, body)
    builder.cbranch(builder.icmp_signed("<", k_next, steps), body, after)
    builder.position_at_end(after)
    totals = [builder.phi(FLOATS) for _ in places]
    for total, start, new in zip(totals, starts, following):
        total.add_incoming(start, before)
        total.add_incoming(new, body)
    for total, place in zip(totals, places):
        builder.store(total, place).align = 4


ROWS = 8  # of a full tile: 16 sums, enough to hide the latency of a product
tile_8, tile_4, tile_1 = tile(ROWS), tile(4), tile(1)
first_8, first_4 = tile(ROWS, add=False), tile(4, add=False)


@inlined
def rows_at_once(panels):
    """Of a step's product: the rows that share one reading of a panel."""
    return 32 if in_tiles(panels) else ROWS


@inlined
def product(rows, a, a0, a_row, panels, panel, K, out, o, o_row, add):
    """`tile` for at most `rows_at_once` rows, added to what is in ``out`` if ``add``; ``a`` and ``out`` have all of
    them, the rest means nothing."""
    if in_tiles(panels):
        if rows > TILE_ROWS:
            tiles_32(a, a0, a_row, panels, panel, K, out, o, o + TILE_ROWS * o_row, o_row, add)
        else:
            tiles_16(a, a0, a_row, panels, panel, K, out, o, o, o_row, add)
    elif rows > 4:
        if add:
            tile_8(a, a0, a_row, panels, panel, K, out, o, o_row)
        else:
            first_8(a, a0, a_row, panels, panel, K, out, o, o_row)
    elif add:
        tile_4(a, a0, a_row, panels, panel, K, out, o, o_row)
    else:
        first_4(a, a0, a_row, panels, panel, K, out, o, o_row)


@inlined
def product_32(a, a0, a_row, panels, panel, K, out, o, o_second, o_row, add):
    """`product` of 32 rows of bfloat16; the sums of the second 16 are at ``out[o_second]``. K a multiple of 32."""
    if in_tiles(panels):
        tiles_32(a, a0, a_row, panels, panel, K, out, o, o_second, o_row, add)
    else:
        for r in range(0, 2 * TILE_ROWS, ROWS):
            place = o + r * o_row if r < TILE_ROWS else o_second + (r - TILE_ROWS) * o_row
            if add:
                tile_8(a, a0 + r * a_row, a_row, panels, panel, K, out, place, o_row)
            else:
                first_8(a, a0 + r * a_row, a_row, panels, panel, K, out, place, o_row)


DEPTH, HEIGHT = 256, 128  # of k and of rows at once: 32 KiB of a panel in the first cache, 128 KiB of a in the second


@kernel
def matmul(a, a0, a_row, panels, out, out_row, M, K, columns):
    """out[m, :columns] = a[a0 + m * a_row :][:K] B for panels of B (K, columns): float32, columns a multiple of 16."""
    z = np.zeros(ROWS * PANEL, np.float32)
    for k in range(0, K, DEPTH):
        depth = min(DEPTH, K - k)
        for top in range(0, M, HEIGHT):
            for first in range(0, columns, PANEL):
                panel = first * K + k * PANEL
                across = min(PANEL, columns - first)
                for m in range(top, min(M, top + HEIGHT), ROWS):
                    at, rows = a0 + m * a_row + k, min(ROWS, M - m)
                    if rows == ROWS and across == PANEL:
                        if k == 0:
                            first_8(a, at, a_row, panels, panel, depth, out, m * out_row + first, out_row)
                        else:
                            tile_8(a, at, a_row, panels, panel, depth, out, m * out_row + first, out_row)
                        continue
                    for r in range(rows):
                        for i in range(0, across, LANES):
                            so_far = splat(ZERO)
                            if k > 0:
                                so_far = load(out, (m + r) * out_row + first + i)
                            store(z, r * PANEL + i, so_far)
                    if rows == ROWS:
                        tile_8(a, at, a_row, panels, panel, depth, z, 0, PANEL)
                    else:
                        fours = rows // 4 * 4
                        if fours:
                            tile_4(a, at, a_row, panels, panel, depth, z, 0, PANEL)
                        for r in range(fours, rows):
                            tile_1(a, at + r * a_row, a_row, panels, panel, depth, z, r * PANEL, PANEL)
                    for r in range(rows):
                        for i in range(0, across, LANES):
                            store(out, (m + r) * out_row + first + i, load(z, r * PANEL + i))
