"""Products of a few rows with matrices that are read once, in order: what a step of generation consists of.

A matrix is int8, bfloat16 (uint16) or float32, cut into panels of 16 * ``vectors`` of its rows side by side: [words][
vectors][16], a word being 32 bits: four int8, two bfloat16 or one float32 that follow one another along K. The rows to
be multiplied are stored likewise: uint8 with 128 for zero, bfloat16, or float32.

int8 (``vpdpbusd``): weights are whole numbers -127 .. 127 times a scale of their row of the matrix, what is multiplied
likewise with a scale of its own (dynamic quantisation), sums are exact in 32 bits:

    out = scale_w * scale_a * (sum_k w a - 128 * sum_k w)         a = whole number + 128

``numbers`` holds three vectors of a panel's width for each panel: what is added (bias), the scales, and -128 * sum_k w
as integers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from chekhov.kernels.jit import Kernel, inlined
from chekhov.kernels.tile_kernels import CONFIGURATION, instruction
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
    fma,
    has,
    load,
    maximum,
    multiply_add,
    splat,
    splat_word,
    store_floats,
    v16,
)

BYTES = ir.VectorType(ir.IntType(8), LANES)
WORD_SIZE = {types.int8: 4, types.uint8: 4, types.uint16: 2, types.float32: 1}  # numbers in 32 bits


def product_sum(builder: Any, total: Any, a: Any, b: Any, dtype: Any) -> Any:
    """total + a * b, summed over what a word holds."""
    if dtype == types.float32:
        return multiply_add(builder, a, b, total)
    if dtype == types.int8:
        shape, name = ir.FunctionType(WORDS, [WORDS] * 3), "llvm.x86.avx512.vpdpbusd.512"
    else:
        pairs = ir.VectorType(Bfloat(), 2 * LANES)
        shape, name = ir.FunctionType(FLOATS, [FLOATS, pairs, pairs]), "llvm.x86.avx512bf16.dpbf16ps.512"
        a, b = builder.bitcast(a, pairs), builder.bitcast(b, pairs)
    return builder.call(cgutils.get_or_insert_function(builder.module, shape, name), [total, a, b])


def panel_product(rows: int, vectors: int, *, onto: bool = False) -> Kernel:
    """``rows`` rows times a panel, with its bias, or ``onto`` what is there in place of the bias.

    out[o + r * o_row + n] = bias[n] + sum_k a[a0 + r * a_row + k] panel[p + ...][n],   n = 0 .. 16 * vectors - 1

    ``words``: K in words. ``scales[s + r]``: of row r. ``numbers[n0]``: the panel's. ``out``, ``scales`` and
    ``numbers`` are float32. The sum of a row is taken in the order of k, whatever the other rows are.
    """

    @intrinsic
    def product(
        context: Any, a: Any, a0: Any, a_row: Any, scales: Any, s: Any, panel: Any, p: Any, words: Any,
        numbers: Any, n0: Any, out: Any, o: Any, o_row: Any,
    ) -> Any:  # fmt: skip
        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kinds = signature.args

            def number(place: int) -> Any:
                return context.cast(builder, arguments[place], kinds[place], types.intp)

            def pointer(place: int, index: Any, to: Any) -> Any:
                return address(context, builder, kinds[place], arguments[place], index, to)

            a0, a_row, s, p, words, n0, o, o_row = (number(place) for place in (1, 2, 4, 6, 7, 9, 11, 12))
            dtype = kinds[5].dtype
            real = dtype == types.float32
            right = pointer(5, p, FLOATS if dtype != types.int8 else WORDS)
            wide = has(context, "avx512f")  # else there are not registers enough for more than one row
            for block in [range(rows)] if wide else [[r] for r in range(rows)]:
                left = [pointer(0, builder.add(a0, builder.mul(a_row, I64(r))), F32 if real else I32) for r in block]
                sums = dot(builder, words, left, right, vectors, dtype)
                for i, r in enumerate(block):
                    for v in range(vectors):
                        line = builder.add(o, builder.add(builder.mul(o_row, I64(r)), I64(v * LANES)))
                        beside = [
                            pointer(8, builder.add(n0, I64((j * vectors + v) * LANES)), to)
                            for j, to in enumerate((FLOATS, FLOATS, WORDS))
                        ]
                        own = pointer(3, builder.add(s, I64(r)), F32)
                        total = sums[i * vectors + v]
                        finish(builder, dtype, total, pointer(10, line, FLOATS), beside, own, onto=onto)
            return context.get_dummy_value()

        return types.void(a, a0, a_row, scales, s, panel, p, words, numbers, n0, out, o, o_row), code

    return product


@intrinsic
def by_tiles(context: Any, array: Any) -> Any:
    """Whether there are matrix tiles (AMX) for this matrix: int8 or bfloat16. Constant to LLVM."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.get_constant(types.boolean, has_tiles(context, signature.args[0].dtype))

    return types.boolean(array), code


def has_tiles(context: Any, dtype: Any) -> bool:
    return has(context, {types.int8: "amx-int8", types.uint16: "amx-bf16"}.get(dtype, "amx-fp32"))


@intrinsic
def tiles_for(context: Any, array: Any, words: Any) -> Any:
    """Configures the tiles for products over so many words: tiles 6 and 7 hold what is left behind the last sixteen.
    Nothing where there are none."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if has_tiles(context, signature.args[0].dtype):
            i8 = ir.IntType(8)
            rest = builder.and_(context.cast(builder, arguments[1], signature.args[1], types.int64), I64(15))
            rest = builder.trunc(builder.select(builder.icmp_signed("==", rest, I64(0)), I64(1), rest), i8)
            layout = ir.ArrayType(i8, len(CONFIGURATION))
            place = cgutils.alloca_once_value(builder, ir.Constant(layout, bytearray(CONFIGURATION)))
            for byte, value in ((16 + 2 * 6, builder.shl(rest, i8(2))), (48 + 7, rest)):
                builder.store(value, builder.gep(place, [I32(0), I32(byte)]))
            instruction(builder, "ldtilecfg", builder.bitcast(place, i8.as_pointer()))
        return context.get_dummy_value()

    return types.void(array, words), code


def tile_product(vectors: int) -> Kernel:
    """The sums alone of 16 rows and a panel, by matrix tiles: out[o + 16 * vectors * r + n], int32 in place of float32
    where the matrix is int8; no bias, no scales. `tile_results` makes numbers of them. Comes after `tiles_for`.

    Of int8 the sums are `panel_product`'s, exactly; of bfloat16 they are taken in another order.
    """

    @intrinsic
    def product(context: Any, a: Any, a0: Any, a_row: Any, panel: Any, p: Any, words: Any, out: Any, o: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kinds, dtype = signature.args, signature.args[3].dtype
            if not has_tiles(context, dtype):
                return context.get_dummy_value()
            a0, a_row, p, words, o = (
                context.cast(builder, arguments[i], kinds[i], types.intp) for i in (1, 2, 4, 5, 7)
            )
            i8 = ir.IntType(8)
            left = address(context, builder, kinds[0], arguments[0], a0, i8)
            right = address(context, builder, kinds[3], arguments[3], p, i8)
            result = address(context, builder, kinds[6], arguments[6], o, i8)
            a_width = builder.mul(a_row, I64(4 // WORD_SIZE[dtype]))
            name = "tdpbusd" if dtype == types.int8 else "tdpbf16ps"

            def words_from(first: Any, rows: Any, weights: Any) -> None:
                line = builder.mul(first, I64(4))
                instruction(builder, "tileloadd64", rows, builder.gep(left, [line]), a_width)
                for v in range(vectors):
                    place = builder.add(builder.mul(line, I64(16 * vectors)), I64(64 * v))
                    instruction(builder, "tileloadd64", weights, builder.gep(right, [place]), I64(64 * vectors))
                    instruction(builder, name, i8(v), rows, weights)

            for v in range(vectors):
                instruction(builder, "tilezero", i8(v))
            sixteens = builder.lshr(words, I64(4))
            with cgutils.for_range(builder, sixteens) as loop:
                words_from(builder.shl(loop.index, I64(4)), i8(4), i8(5))
            with builder.if_then(builder.icmp_signed("!=", builder.and_(words, I64(15)), I64(0))):
                words_from(builder.shl(sixteens, I64(4)), i8(6), i8(7))
            for v in range(vectors):
                instruction(builder, "tilestored64", i8(v), builder.gep(result, [I64(64 * v)]), I64(64 * vectors))
            return context.get_dummy_value()

        return types.void(a, a0, a_row, panel, p, words, out, o), code

    return product


def tile_results(vectors: int, *, onto: bool = False) -> Kernel:
    """What `panel_product` makes of its sums, for sums in memory: row r of ``sums`` is 16 * vectors long."""

    @intrinsic
    def results(
        context: Any, matrices: Any, sums: Any, t: Any, rows: Any, scales: Any, s: Any, numbers: Any, n0: Any,
        out: Any, o: Any, o_row: Any,
    ) -> Any:  # fmt: skip
        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kinds, dtype = signature.args, signature.args[0].dtype
            t, rows, s, n0, o, o_row = (
                context.cast(builder, arguments[i], kinds[i], types.intp) for i in (2, 3, 5, 7, 9, 10)
            )
            kind = WORDS if dtype == types.int8 else FLOATS
            with cgutils.for_range(builder, rows) as loop:
                for v in range(vectors):
                    across = I64(v * LANES)
                    from_here = builder.add(t, builder.add(builder.mul(loop.index, I64(vectors * LANES)), across))
                    total = at(builder, address(context, builder, kinds[1], arguments[1], from_here, kind))
                    line = builder.add(o, builder.add(builder.mul(o_row, loop.index), across))
                    place = address(context, builder, kinds[8], arguments[8], line, FLOATS)
                    own = address(context, builder, kinds[4], arguments[4], builder.add(s, loop.index), F32)
                    beside = [
                        address(
                            context,
                            builder,
                            kinds[6],
                            arguments[6],
                            builder.add(n0, I64((i * vectors + v) * LANES)),
                            to,
                        )
                        for i, to in enumerate((FLOATS, FLOATS, WORDS))
                    ]
                    finish(builder, dtype, total, place, beside, own, onto=onto)
            return context.get_dummy_value()

        return types.void(matrices, sums, t, rows, scales, s, numbers, n0, out, o, o_row), code

    return results


def finish(builder: Any, dtype: Any, total: Any, place: Any, beside: list[Any], own: Any, *, onto: bool) -> None:
    """Stores what a sum means, with the bias or ``onto`` what is there. ``beside``: bias, scale, correction; ``own``:
    the row's scale."""
    start = at(builder, place if onto else beside[0])
    if dtype != types.int8:
        result = builder.fadd(start, total)
    else:
        whole = builder.sitofp(builder.add(total, at(builder, beside[2])), FLOATS)
        factor = builder.fmul(at(builder, beside[1]), broadcast(builder, at(builder, own), FLOATS))
        result = multiply_add(builder, whole, factor, start)
    builder.store(result, place).align = 4


def at(builder: Any, place: Any) -> Any:
    found = builder.load(place)
    found.align = 4
    return found


def dot(builder: Any, words: Any, left: list[Any], right: Any, vectors: int, dtype: Any) -> list[Any]:
    """The loop over k, sums in registers: all of a row's before the next row's."""
    kind, rows = WORDS if dtype == types.int8 else FLOATS, len(left)
    before = builder.block
    body, after = builder.append_basic_block("body"), builder.append_basic_block("after")
    zero = ir.Constant(kind, [0] * LANES)
    builder.cbranch(builder.icmp_signed("<=", words, I64(0)), after, body)
    builder.position_at_end(body)
    k = builder.phi(I64)
    k.add_incoming(I64(0), before)
    sums = [builder.phi(kind) for _ in range(rows * vectors)]
    line = builder.mul(k, I64(vectors))
    columns = [at(builder, builder.gep(right, [builder.add(line, I64(v))])) for v in range(vectors)]
    following: list[Any] = []
    for pointer in left:
        word = builder.load(builder.gep(pointer, [k]))
        word.align = 1
        row = broadcast(builder, word, FLOATS if dtype == types.float32 else WORDS)
        for column in columns:
            following.append(product_sum(builder, sums[len(following)], row, column, dtype))
    k_next = builder.add(k, I64(1))
    k.add_incoming(k_next, body)
    for total, new in zip(sums, following):
        total.add_incoming(zero, before)
        total.add_incoming(new, body)
    builder.cbranch(builder.icmp_signed("<", k_next, words), body, after)
    builder.position_at_end(after)
    totals = [builder.phi(kind) for _ in sums]
    for total, new in zip(totals, following):
        total.add_incoming(zero, before)
        total.add_incoming(new, body)
    return totals


@intrinsic
def numbers_in_a_word(context: Any, array: Any) -> Any:
    """Of an array's dtype: 4, 2 or 1. Constant to LLVM."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.get_constant(types.int64, WORD_SIZE[signature.args[0].dtype])

    return types.int64(array), code


def reduced(name: str) -> Kernel:
    @intrinsic
    def reduce(context: Any, value: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            operands = ([F32(-0.0)] if name == "fadd" else []) + list(arguments)
            shape = ir.FunctionType(F32, [operand.type for operand in operands])
            function = cgutils.get_or_insert_function(builder.module, shape, f"llvm.vector.reduce.{name}.v16f32")
            return builder.call(function, operands, fastmath=("reassoc",))  # by halves, not one after the other

        return types.float32(value), code

    return reduce


total_of, highest_of = reduced("fadd"), reduced("fmax")  # of the sixteen numbers


@intrinsic
def magnitude(context: Any, value: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = builder.and_(builder.bitcast(arguments[0], WORDS), splat_word(0x7FFFFFFF))
        return builder.bitcast(word, FLOATS)

    return v16(value), code


@intrinsic
def put(context: Any, array: Any, index: Any, value: Any, factor: Any) -> Any:
    """Sixteen numbers to ``array[index]`` and on: as bytes the nearest whole numbers of value * factor, and 128 for 0;
    else themselves, rounded to the dtype."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind, index_type, _, factor_type = signature.args
        place = context.cast(builder, arguments[1], index_type, types.intp)
        pointer = address(context, builder, kind, arguments[0], place, F32)
        if kind.dtype != types.uint8:
            store_floats(context, builder, arguments[2], pointer, kind.dtype)
            return context.get_dummy_value()
        factor = broadcast(builder, context.cast(builder, arguments[3], factor_type, types.float32), FLOATS)
        nearest = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(FLOATS, [FLOATS]), "llvm.nearbyint.v16f32"
        )
        whole = builder.fptosi(builder.call(nearest, [builder.fmul(arguments[2], factor)]), WORDS)
        shifted = builder.trunc(builder.add(whole, splat_word(128)), BYTES)
        builder.store(shifted, builder.bitcast(pointer, BYTES.as_pointer())).align = 1
        return context.get_dummy_value()

    return types.void(array, index, value, factor), code


LEVELS = np.float32(127.0)
NOTHING, SMALLEST = np.float32(0.0), np.float32(1e-30)


@inlined
def put_row(numbers, first, size, out, o):
    """``numbers[first : first + size]`` as a row to be multiplied; size a multiple of 16. Returns its scale: NaN if a
    number is not finite, so that what is made of it is NaN too."""
    top, spoilt = splat(NOTHING), splat(NOTHING)
    for i in range(0, size, LANES):
        value = load(numbers, first + i)
        top = maximum(magnitude(value), top)
        spoilt = fma(value, splat(NOTHING), spoilt)
    most = highest_of(top)
    factor = NOTHING
    if most > SMALLEST:
        factor = LEVELS / most
    for i in range(0, size, LANES):
        put(out, o + i, load(numbers, first + i), factor)
    return most / LEVELS + total_of(spoilt)
