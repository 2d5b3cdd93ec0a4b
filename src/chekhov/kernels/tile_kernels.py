"""Products of bfloat16 by the processor's matrix tiles (Intel AMX): 16 rows of 32 numbers a tile, eight tiles.

A kernel that uses them begins with `tiles_on` and ends with `tiles_off`: the configuration is the thread's, and PyTorch
changes it. Compiled for a processor without AMX, both are nothing, and `in_tiles` is False.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from chekhov.kernels.jit import Kernel
from chekhov.kernels.vector_kernels import I64, address, has

I8 = ir.IntType(8)
VOID = ir.VoidType()
POINTER = I8.as_pointer()
TILE_ROWS, PANEL = 16, 32
# palette 1, then from byte 16 on the bytes of a row of each tile, and from byte 48 on its rows
CONFIGURATION = bytes([1] + [0] * 15 + [64, 0] * 8 + [0] * 16 + [TILE_ROWS] * 8 + [0] * 8)


def instruction(builder: Any, name: str, *operands: Any) -> None:
    """An instruction on tiles, which are named by number; LLVM keeps their order."""
    shape = ir.FunctionType(VOID, [operand.type for operand in operands])
    builder.call(cgutils.get_or_insert_function(builder.module, shape, f"llvm.x86.{name}"), list(operands))


def multiplies(context: Any, array_type: Any) -> bool:
    return has(context, "amx-bf16") and array_type.dtype == types.uint16


@intrinsic
def in_tiles(context: Any, array: Any) -> Any:
    """Whether products with this array are made by tiles: bfloat16 on a processor that has them. Constant to LLVM."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.get_constant(types.boolean, multiplies(context, signature.args[0]))

    return types.boolean(array), code


@intrinsic
def tiles_on(context: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if has(context, "amx-bf16"):
            numbers = ir.Constant(ir.ArrayType(I8, 64), bytearray(CONFIGURATION))
            place = cgutils.global_constant(builder, "tile_configuration", numbers)
            instruction(builder, "ldtilecfg", builder.bitcast(place, POINTER))
        return context.get_dummy_value()

    return types.void(), code


@intrinsic
def tiles_off(context: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if has(context, "amx-bf16"):
            instruction(builder, "tilerelease")
        return context.get_dummy_value()

    return types.void(), code


def tile_product(row_tiles: int) -> Kernel:
    """`matmul_kernels.tile` for 16 * ``row_tiles`` rows (1 or 2), the same panels of 32 columns, K a multiple of 32.

    The sums of the first 16 rows are at ``out[o]``, those of the second 16 at ``out[o_second]``; what is there is added
    to if ``add``, else overwritten.
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
        o_second: Any,
        o_row: Any,
        add: Any,
    ) -> Any:
        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kinds = signature.args
            if not multiplies(context, kinds[3]):
                return context.get_dummy_value()
            a0, a_row, p, K, o, o_second, o_row = (
                context.cast(builder, arguments[i], kinds[i], types.intp) for i in (1, 2, 4, 5, 7, 8, 9)
            )
            width, a_width, panel_width = builder.mul(o_row, I64(4)), builder.mul(a_row, I64(2)), I64(128)
            totals = []  # tiles 0 to 3 hold sums, 4 and 5 rows, 6 and 7 columns
            for first in (o, o_second)[:row_tiles]:
                for column in (0, TILE_ROWS):
                    at = builder.add(first, I64(column))
                    totals.append(address(context, builder, kinds[6], arguments[6], at, I8))
            to_add = context.cast(builder, arguments[10], kinds[10], types.boolean)
            with builder.if_else(to_add) as (then, otherwise):
                with then:
                    for tile, place in enumerate(totals):
                        instruction(builder, "tileloadd64", I8(tile), place, width)
                with otherwise:
                    for tile in range(len(totals)):
                        instruction(builder, "tilezero", I8(tile))
            left = [
                address(context, builder, kinds[0], arguments[0], at, I8)
                for at in (a0, builder.add(a0, builder.mul(a_row, I64(TILE_ROWS))))[:row_tiles]
            ]
            right = address(context, builder, kinds[3], arguments[3], p, I8)
            with cgutils.for_range(builder, builder.lshr(K, I64(5))) as loop:
                across, down = builder.mul(loop.index, I64(64)), builder.mul(loop.index, I64(2048))
                for j in range(2):
                    place = builder.gep(right, [builder.add(down, I64(64 * j))])
                    instruction(builder, "tileloadd64", I8(6 + j), place, panel_width)
                for i in range(row_tiles):
                    instruction(builder, "tileloadd64", I8(4 + i), builder.gep(left[i], [across]), a_width)
                    for j in range(2):
                        instruction(builder, "tdpbf16ps", I8(2 * i + j), I8(4 + i), I8(6 + j))
            for tile, place in enumerate(totals):
                instruction(builder, "tilestored64", I8(tile), place, width)
            return context.get_dummy_value()

        return types.void(a, a0, a_row, panel, p, K, out, o, o_second, o_row, add), code

    return product


tiles_16, tiles_32 = tile_product(1), tile_product(2)
