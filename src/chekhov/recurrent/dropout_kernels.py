"""Dropout whose mask is a function of a seed and a place: drawn as it is used, forward and backward, and never kept."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from chekhov.kernels.jit import kernel
from chekhov.kernels.vector_kernels import FLOATS, I32, LANES, WORDS, load, splat, splat_word, store, v16

FIRST, SECOND, THIRD = 0x9E3779B1, 0x21F0AAAD, 0x735A2D97  # odd; the last two: Wellons's search for low bias, 2018


@intrinsic
def kept(context: Any, value: Any, seed: Any, place: Any, threshold: Any) -> Any:
    """``value``, with 0 where a hash of the 64 bits of ``seed`` and of place, place + 1, ... is below ``threshold``."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value, seed, place, threshold = arguments

        def spread(number: Any) -> Any:
            one = builder.insert_element(ir.Constant(WORDS, ir.Undefined), builder.trunc(number, I32), I32(0))
            return builder.shuffle_vector(one, one, splat_word(0))

        lanes = builder.add(spread(place), ir.Constant(WORDS, list(range(LANES))))
        word = builder.add(builder.mul(lanes, splat_word(FIRST)), spread(seed))
        word = builder.mul(builder.xor(word, builder.lshr(word, splat_word(16))), splat_word(SECOND))
        word = builder.xor(word, builder.lshr(word, splat_word(15)))
        word = builder.add(word, spread(builder.lshr(seed, seed.type(32))))
        for factor in (THIRD, SECOND):
            word = builder.mul(word, splat_word(factor))
            word = builder.xor(word, builder.lshr(word, splat_word(15)))
        dropped = builder.icmp_unsigned("<", word, spread(threshold))
        return builder.select(dropped, ir.Constant(FLOATS, [0.0] * LANES), value)

    return v16(value, types.int64, types.int64, types.int64), code


@kernel
def drop(xs, out, lines, width, share, scale, seed, threshold):
    """out = xs (lines, width) with ``scale``, or 0 where dropped: ``share`` lines after another have the same mask."""
    end, whole = np.zeros(LANES, xs.dtype), width // LANES * LANES
    for line in range(lines):
        first, place = line * width, line // share * width
        for u in range(0, whole, LANES):
            store(out, first + u, kept(load(xs, first + u), seed, place + u, threshold) * splat(scale))
        if whole < width:
            for i in range(width - whole):
                end[i] = xs[first + whole + i]
            store(end, 0, kept(load(end, 0), seed, place + whole, threshold) * splat(scale))
            for i in range(width - whole):
                out[first + whole + i] = end[i]
