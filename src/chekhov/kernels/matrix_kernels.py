"""Products of whole matrices in bfloat16 whose sums run over lines: gradients of weights. Sums are float32."""

from __future__ import annotations

import numpy as np

from chekhov.kernels.jit import kernel
from chekhov.kernels.matmul_kernels import PANEL, product_32
from chekhov.kernels.packing_kernels import interleave, turn_pairs
from chekhov.kernels.tile_kernels import tiles_off, tiles_on
from chekhov.kernels.vector_kernels import LANES

CHUNK = 352  # numbers of 32 rows that stay in the first cache while panels pass
DEPTH, STRIP = 2 * CHUNK, 128  # lines of a sum at once, columns of the left side that are turned at once
APART = 32  # numbers between two rows of a buffer, so that they do not share lines of the cache


@kernel
def pair_lines(lines, n0, depth, K, panels):
    """Lines n0 to n0 + depth of (N, K) into panels [K / 32][depth / 2][32][2]."""
    for n in range(0, depth, 2):
        for k in range(0, K, LANES):
            at, panel = (n0 + n) * K + k, k // PANEL * PANEL * depth + n * PANEL + k % PANEL * 2
            interleave(lines, at, at + K, panels, panel)


@kernel
def move_corner(source, s, s_row, target, t, t_row, rows, columns):
    for r in range(rows):
        for i in range(columns):
            target[t + r * t_row + i] = source[s + r * s_row + i]


@kernel
def add_products(strip, width, panels, depth, first, last, size, out, places, rows, corner, new):
    """out = strip times panels, or added to it if not ``new``, in float32: rows ``first`` to ``last`` of the product.

    ``strip`` (last - first, depth) has rows ``width`` apart, the panels are of (depth, columns), the first ``size`` of
    which are meant. ``places`` and ``rows`` of each 16 rows of the product: which row of out (.., size) the first one
    is, and how many are in it. ``corner``: room for 32 by 32.
    """
    tiles_on()
    for g in range(first, last, 32):
        i = g // LANES
        for k in range(0, depth, CHUNK):
            at, deep, fresh = (g - first) * width + k, min(CHUNK, depth - k), new and k == 0
            for c in range(0, size, PANEL):
                o, second, panel = places[i] * size + c, places[i + 1] * size + c, c * depth + k * PANEL
                across = min(PANEL, size - c)
                inside = across == PANEL and rows[i] == rows[i + 1] == LANES
                if not inside and not fresh:
                    move_corner(out, o, size, corner, 0, PANEL, rows[i], across)
                    move_corner(out, second, size, corner, LANES * PANEL, PANEL, rows[i + 1], across)
                if inside:
                    product_32(strip, at, width, panels, panel, deep, out, o, second, size, not fresh)
                else:
                    product_32(strip, at, width, panels, panel, deep, corner, 0, LANES * PANEL, PANEL, not fresh)
                    move_corner(corner, 0, PANEL, out, o, size, rows[i], across)
                    move_corner(corner, LANES * PANEL, PANEL, out, second, size, rows[i + 1], across)
    tiles_off()


@kernel
def sum_products(
    left, G, first, last, one, K_one, size_one, out_one, other, K_other, size_other, out_other, N, places, rows, add
):
    """out[places[g // 16] + g % 16, k] = sum_n left[n, g] right[n, k], g from ``first`` to ``last``, for two rights.

    left (N, G) and the right sides (N, K) are bfloat16; N, G, K, ``first`` and ``last`` are multiples of 32. out
    (.., size) is float32, and not lost if ``add``; ``rows``: of each 16 columns of left, how many have a row of it.
    """
    width = DEPTH + APART
    strip, corner = np.empty(STRIP * width, np.uint16), np.zeros(32 * PANEL, np.float32)
    panels_one, panels_other = np.empty(K_one * DEPTH, np.uint16), np.empty(K_other * DEPTH, np.uint16)
    for n0 in range(0, N, DEPTH):
        depth = min(DEPTH, N - n0)
        pair_lines(one, n0, depth, K_one, panels_one)
        pair_lines(other, n0, depth, K_other, panels_other)
        for g0 in range(first, last, STRIP):
            g1 = min(last, g0 + STRIP)
            for n in range(0, depth, 32):
                for g in range(g0, g1, LANES):
                    turn_pairs(left, (n0 + n) * G + g, G, strip, (g - g0) * width + n, width)
            new = n0 == 0 and not add
            add_products(strip, width, panels_one, depth, g0, g1, size_one, out_one, places, rows, corner, new)
            add_products(strip, width, panels_other, depth, g0, g1, size_other, out_other, places, rows, corner, new)
