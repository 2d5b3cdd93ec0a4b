"""Sixteen float32 side by side: a type for kernels, since Numba alone turns no exp, tanh or gate into vector code.

``load`` and ``store`` take one-dimensional arrays of float32, or of uint16 that hold bfloat16 (the upper half of a
float32). No index is checked. On a processor whose registers are narrower LLVM uses several of them.
"""

from __future__ import annotations

import operator
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel import PrimitiveModel
from numba.extending import intrinsic, overload, register_model

LANES = 16
F32 = ir.FloatType()
I16, I32, I64 = ir.IntType(16), ir.IntType(32), ir.IntType(64)
FLOATS = ir.VectorType(F32, LANES)
HALVES = ir.VectorType(I16, LANES)
WORDS = ir.VectorType(I32, LANES)


class Bfloat(ir.Type):
    """LLVM's bfloat, which llvmlite does not have."""

    def _to_string(self) -> str:
        return "bfloat"

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, Bfloat)

    def __hash__(self) -> int:
        return hash(Bfloat)


class Vector16(types.Type):
    def __init__(self) -> None:
        super().__init__(name="Vector16")


v16 = Vector16()


@register_model(Vector16)
class Vector16Model(PrimitiveModel):
    def __init__(self, manager: Any, kind: Any):
        super().__init__(manager, kind, FLOATS)


def address(context: Any, builder: Any, array_type: Any, array: Any, index: Any, to: Any) -> Any:
    """Where ``array[index]`` lies, as a pointer to the LLVM type ``to``."""
    struct = context.make_array(array_type)(context, builder, array)
    return builder.bitcast(cgutils.get_item_pointer(context, builder, array_type, struct, [index]), to.as_pointer())


def splat_word(value: int) -> Any:
    return ir.Constant(WORDS, [value] * LANES)


def broadcast(builder: Any, value: Any, kind: Any) -> Any:
    """One value in every lane of a vector of this LLVM type."""
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), value, I32(0))
    return builder.shuffle_vector(one, one, ir.Constant(WORDS, [0] * LANES))


def widen(builder: Any, halves: Any) -> Any:
    """bfloat16 -> float32, exactly."""
    return builder.bitcast(builder.shl(builder.zext(halves, WORDS), splat_word(16)), FLOATS)


def has(context: Any, feature: str) -> bool:
    """Whether the processor that Numba compiles for, which need not be this one, has a feature."""
    return f"+{feature}" in context.codegen().magic_tuple()[2].split(",")


def rounded(context: Any, builder: Any, floats: Any) -> Any:
    """float32 -> bfloat16: to nearest, ties to even; NaN stays NaN, as in PyTorch."""
    if has(context, "avx512bf16"):
        shape = ir.FunctionType(ir.VectorType(Bfloat(), LANES), [FLOATS])
        function = cgutils.get_or_insert_function(builder.module, shape, "llvm.x86.avx512bf16.cvtneps2bf16.512")
        return builder.bitcast(builder.call(function, [floats]), HALVES)
    word = builder.bitcast(floats, WORDS)
    odd = builder.and_(builder.lshr(word, splat_word(16)), splat_word(1))
    up = builder.lshr(builder.add(builder.add(word, odd), splat_word(0x7FFF)), splat_word(16))
    return builder.trunc(builder.select(builder.fcmp_unordered("uno", floats, floats), splat_word(0x7FC0), up), HALVES)


def load_floats(builder: Any, pointer: Any, dtype: Any) -> Any:
    """Sixteen numbers of an array of this dtype, as float32."""
    kind, bytes_each = (FLOATS, 4) if dtype == types.float32 else (HALVES, 2)
    found = builder.load(builder.bitcast(pointer, kind.as_pointer()))
    found.align = bytes_each
    return found if dtype == types.float32 else widen(builder, found)


def store_floats(context: Any, builder: Any, floats: Any, pointer: Any, dtype: Any) -> None:
    if dtype == types.float32:
        kind, value, bytes_each = FLOATS, floats, 4
    else:
        kind, value, bytes_each = HALVES, rounded(context, builder, floats), 2
    builder.store(value, builder.bitcast(pointer, kind.as_pointer())).align = bytes_each


@intrinsic
def load(context: Any, array: Any, index: Any) -> Any:
    """Sixteen numbers from ``array[index]`` on."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind, index_type = signature.args
        place = context.cast(builder, arguments[1], index_type, types.intp)
        pointer = address(context, builder, kind, arguments[0], place, F32)
        return load_floats(builder, pointer, kind.dtype)

    return v16(array, index), code


@intrinsic
def store(context: Any, array: Any, index: Any, value: Any) -> Any:
    """Sixteen numbers to ``array[index]`` and on, rounded to the array's dtype."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind, index_type, _ = signature.args
        place = context.cast(builder, arguments[1], index_type, types.intp)
        pointer = address(context, builder, kind, arguments[0], place, F32)
        store_floats(context, builder, arguments[2], pointer, kind.dtype)
        return context.get_dummy_value()

    return types.void(array, index, value), code


@intrinsic
def splat(context: Any, number: Any) -> Any:
    """One number in all sixteen places."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value = context.cast(builder, arguments[0], signature.args[0], types.float32)
        one = builder.insert_element(ir.Constant(FLOATS, ir.Undefined), value, I32(0))
        return builder.shuffle_vector(one, one, ir.Constant(WORDS, [0] * LANES))

    return v16(number), code


def multiply_add(builder: Any, a: Any, b: Any, total: Any) -> Any:
    """total + a * b, rounded once."""
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(FLOATS, [FLOATS] * 3), "llvm.fma.v16f32")
    return builder.call(function, [a, b, total])


@intrinsic
def fma(context: Any, a: Any, b: Any, c: Any) -> Any:
    """a * b + c, rounded once."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return multiply_add(builder, *arguments)

    return v16(a, b, c), code


def overload_operator(sign, name):
    """``sign`` of two vectors is the LLVM instruction of this name."""

    @intrinsic
    def operation(context, a, b):
        def code(context, builder, signature, arguments):
            return getattr(builder, name)(*arguments)

        return v16(a, b), code

    @overload(sign)
    def vectors(a, b):
        if isinstance(a, Vector16) and isinstance(b, Vector16):
            return lambda a, b: operation(a, b)
        return None


overload_operator(operator.add, "fadd")
overload_operator(operator.sub, "fsub")
overload_operator(operator.mul, "fmul")
overload_operator(operator.truediv, "fdiv")


@intrinsic
def clamp(context: Any, value: Any, limit: Any) -> Any:
    """Into [-limit, limit]; NaN stays NaN."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x, high = arguments
        low = builder.fneg(high)
        x = builder.select(builder.fcmp_ordered(">", x, high), high, x)
        return builder.select(builder.fcmp_ordered("<", x, low), low, x)

    return v16(value, limit), code


@intrinsic
def maximum(context: Any, a: Any, b: Any) -> Any:
    """The greater one, or the second if either is NaN."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, b = arguments
        return builder.select(builder.fcmp_ordered(">", a, b), a, b)

    return v16(a, b), code


@intrinsic
def reciprocal(context: Any, value: Any) -> Any:
    """1 / value for 2^-126 < |value| < 2^126, or NaN: by estimate and one step of Newton's where there is one."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (x,) = arguments
        one, two = (ir.Constant(FLOATS, [number] * LANES) for number in (1.0, 2.0))
        if not has(context, "avx512f"):
            return builder.fdiv(one, x)
        shape = ir.FunctionType(FLOATS, [FLOATS, FLOATS, I16])
        function = cgutils.get_or_insert_function(builder.module, shape, "llvm.x86.avx512.rcp14.ps.512")
        estimate = builder.call(function, [x, x, I16(-1)])
        return builder.fmul(estimate, multiply_add(builder, builder.fneg(x), estimate, two))

    return v16(value), code


def first_floats(builder: Any, floats: Any, size: Any) -> Any:
    lanes = ir.Constant(WORDS, list(range(LANES)))
    one = builder.insert_element(ir.Constant(WORDS, ir.Undefined), size, I32(0))
    inside = builder.icmp_signed("<", lanes, builder.shuffle_vector(one, one, splat_word(0)))
    return builder.select(inside, floats, ir.Constant(FLOATS, [0.0] * LANES))


@intrinsic
def first_lanes(context: Any, value: Any, count: Any) -> Any:
    """The first ``count`` numbers, and 0 in the places behind them, even of what is not finite."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        size = context.cast(builder, arguments[1], signature.args[1], types.int32)
        return first_floats(builder, arguments[0], size)

    return v16(value, count), code


@intrinsic
def above_zero(context: Any, value: Any, then: Any) -> Any:
    """``then`` where ``value`` is above 0 or NaN, else 0."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        zero = ir.Constant(FLOATS, [0.0] * LANES)
        return builder.select(builder.fcmp_unordered(">", arguments[0], zero), arguments[1], zero)

    return v16(value, then), code


@intrinsic
def copy(context: Any, source: Any, s: Any, target: Any, t: Any) -> Any:
    """target[t : t + 16] = source[s : s + 16], both of one dtype."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        kind = FLOATS if kinds[0].dtype == types.float32 else HALVES
        s, t = (context.cast(builder, arguments[i], kinds[i], types.intp) for i in (1, 3))
        found = builder.load(address(context, builder, kinds[0], arguments[0], s, kind))
        found.align = 2
        builder.store(found, address(context, builder, kinds[2], arguments[2], t, kind)).align = 2
        return context.get_dummy_value()

    return types.void(source, s, target, t), code


@intrinsic
def scale_by_power(context: Any, value: Any, shifted: Any) -> Any:
    """value * 2^n, where ``shifted`` is n + 1.5 * 2^23, whose low bits are n."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        exponent = builder.shl(builder.bitcast(arguments[1], WORDS), splat_word(23))
        return builder.bitcast(builder.add(builder.bitcast(arguments[0], WORDS), exponent), FLOATS)

    return v16(value, shifted), code


LIMIT = np.float32(120.0)
ROUNDING = np.float32(1.5 * 2**23)
LOG2_E = np.float32(1.4426950408889634)
TWICE_LOG2_E = np.float32(2.8853900817779268)
ONE = np.float32(1.0)
# 2^f on [-0.5, 0.5], least squares in relative error at Chebyshev nodes: within 2e-8, less than float32 rounds
E1, E2, E3 = np.float32(0.69314718), np.float32(0.24022648), np.float32(0.05550342)
E4, E5, E6 = np.float32(0.009618), np.float32(0.0013395), np.float32(0.000154)


@numba.njit(inline="always")
def parts_of_power(y):
    """n as `scale_by_power` wants it, f and q: 2^y = 2^n (1 + f q), n the nearest integer to y, f q a polynomial."""
    y = clamp(y, splat(LIMIT))
    shifted = y + splat(ROUNDING)
    f = y - (shifted - splat(ROUNDING))
    q = fma(splat(E6), f, splat(E5))
    q = fma(q, f, splat(E4))
    q = fma(q, f, splat(E3))
    q = fma(q, f, splat(E2))
    return shifted, f, fma(q, f, splat(E1))


@numba.njit(inline="always")
def power_of_two(y):
    """2^y, y in [-120, 120]."""
    shifted, f, q = parts_of_power(y)
    return scale_by_power(fma(q, f, splat(ONE)), shifted)


@numba.njit(inline="always")
def exp(x):
    """e^x, within 2e-7, for x in [-83, 83]; what is below counts as -83."""
    return power_of_two(x * splat(LOG2_E))


@numba.njit(inline="always")
def sigmoid(x):
    """1 / (1 + e^-x), within 2e-7."""
    return reciprocal(splat(ONE) + power_of_two(x * splat(-LOG2_E)))


@numba.njit(inline="always")
def tanh(x):
    """(1 - e^-2x) / (1 + e^-2x), within 2e-7 in absolute terms."""
    e = power_of_two(x * splat(-TWICE_LOG2_E))
    return (splat(ONE) - e) * reciprocal(splat(ONE) + e)


@intrinsic
def square_root(context: Any, value: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(FLOATS, [FLOATS]), "llvm.sqrt.v16f32")
        return builder.call(function, arguments)

    return v16(value), code


@numba.njit(inline="always")
def one_minus_power_of_two(y):
    """1 - 2^y, y in [-120, 0], without cancellation near 0: 1 - 2^n - 2^n (2^f - 1)."""
    shifted, f, q = parts_of_power(y)
    power = scale_by_power(splat(ONE), shifted)
    return splat(ONE) - power - power * (q * f)
