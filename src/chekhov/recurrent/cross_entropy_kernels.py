"""Softmax and cross-entropy of a linear layer, without its logits ever lying in memory: `cross_entropy` calls these.

Positions n stand side by side in vectors, words v below one another, 32 at a time: a block. Matrices are bfloat16,
sums float32; N, V and K are multiples of 32 here, zeros behind what was filled up.
"""

from __future__ import annotations

import numpy as np

from chekhov.kernels.jit import kernel
from chekhov.kernels.matmul_kernels import product_32
from chekhov.kernels.matrix_kernels import APART, CHUNK, PANEL
from chekhov.kernels.tile_kernels import tiles_off, tiles_on
from chekhov.kernels.vector_kernels import LANES, exp, load, maximum, splat, store

ZERO, LEAST = np.float32(0.0), np.float32(-np.inf)


@kernel
def exponentials(W, features, bias, targets, powers, maxima, sums, shown, first, last, words, N, K):
    """powers (V, N) = e^(logit - maximum of its block), for the blocks ``first`` to ``last``.

    W (V, K), ``features`` panels of (K, N). ``maxima`` and ``sums`` (V / 32, N): of a block's logits, of its powers.
    ``shown`` (N,): the logit of the target. Only the first ``words`` of the V are words.
    """
    tiles_on()
    width = N + APART
    logits = np.empty(32 * width, np.float32)
    for block in range(first, last):
        v0, rows = 32 * block, min(32, words - 32 * block)
        for k in range(0, K, CHUNK):
            for n in range(0, N, PANEL):
                at, panel, deep = v0 * K + k, n * K + k * PANEL, min(CHUNK, K - k)
                product_32(W, at, K, features, panel, deep, logits, n, LANES * width + n, width, k > 0)
        for n in range(0, N, LANES):
            most, total, place = splat(LEAST), splat(ZERO), v0 * N + n
            for r in range(rows):
                logit = load(logits, r * width + n) + splat(bias[v0 + r])
                store(logits, r * width + n, logit)
                most = maximum(logit, most)
            for r in range(rows):
                power = exp(load(logits, r * width + n) - most)
                total = total + power
                store(powers, place + r * N, power)
            for r in range(rows, 32):
                store(powers, place + r * N, splat(ZERO))
            store(maxima, block * N + n, most)
            store(sums, block * N + n, total)
        for n in range(N):
            v = targets[n] - v0
            if 0 <= v < 32:
                shown[n] = logits[v * width + n]
    tiles_off()


@kernel
def slopes(powers, maxima, log_sums, shares, targets, target_slopes, d_logits, d_bias, first, last, N):
    """The gradient of the logits of the blocks ``first`` to ``last``, (.., N): p, or p - 1 at the target, times the
    position's share of the loss; ``target_slopes`` hold the former. ``d_bias`` (V,): its sums."""
    totals, line = np.empty(32 * LANES, np.float32), np.empty(LANES, np.float32)
    for block in range(first, last):
        totals[:] = ZERO
        for n in range(0, N, LANES):
            scale = exp(load(maxima, block * N + n) - load(log_sums, n)) * load(shares, n)
            for r in range(32):
                slope = load(powers, (32 * block + r) * N + n) * scale
                store(d_logits, (32 * (block - first) + r) * N + n, slope)
                store(totals, r * LANES, load(totals, r * LANES) + slope)
            for i in range(LANES):
                r = targets[n + i] - 32 * block
                if 0 <= r < 32:
                    place = (32 * (block - first) + r) * N + n
                    store(line, 0, load(powers, (32 * block + r) * N + n) * scale)
                    totals[r * LANES + i] += target_slopes[n + i] - line[i]
                    store(line, 0, load(d_logits, place))
                    line[i] = target_slopes[n + i]
                    store(d_logits, place, load(line, 0))
        for r in range(32):
            d_bias[32 * block + r] = totals[r * LANES : (r + 1) * LANES].sum()
