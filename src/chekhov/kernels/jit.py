"""How a kernel is compiled: Numba, once a machine, kept on disk.

Modules that hold kernels import this one, and are imported only where a kernel is about to run: nothing compiles, and
Numba is not even loaded, at ``chekhov --help``.
"""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite.ir
import numba
from numba.core import cgutils, types
from numba.core.caching import FunctionCache
from numba.core.codegen import get_host_cpu_features
from numba.core.cpu import CPUTargetOptions
from numba.core.runtime import rtsys
from numba.extending import intrinsic
from platformdirs import user_cache_path

import chekhov
from chekhov.kernels.dispatch import AVX2, wanted

Kernel = Callable[..., Any]
SOURCE = Path(__file__).resolve().parent.parent


def cache_folder() -> Path:
    """One for each state of the kernels' sources: Numba itself does not see an edit in a kernel that another calls."""
    hasher = hashlib.blake2b(digest_size=8)
    for path in sorted(SOURCE.rglob("*_kernels.py")):
        hasher.update(path.name.encode() + path.read_bytes())
    base = Path(os.environ.get("NUMBA_CACHE_DIR") or user_cache_path("chekhov") / "kernels")
    return base / f"{chekhov.__version__}-{numba.__version__}-{hasher.hexdigest()}"


if not cache_folder().is_dir():
    logging.getLogger("chekhov").info("compiling kernels, once on this machine: some ten seconds")
numba.config.CACHE_DIR = str(cache_folder())  # type: ignore[attr-defined]


def features() -> str:
    """What Numba would compile for, as LLVM writes it: this processor, or what its own settings say."""
    return str(get_host_cpu_features() if numba.config.CPU_FEATURES is None else numba.config.CPU_FEATURES)  # type: ignore[attr-defined]


def target_features() -> set[str]:
    return {feature[1:] for feature in features().split(",") if feature.startswith("+")}


ARCH_PRCTL, REQUEST_PERMISSION, TILE_DATA = 158, 0x1023, 18  # of Linux on x86-64


def tiles_permitted() -> bool:
    """Linux lets a process use matrix tiles when it has asked to; it refuses where a thread's signal stack is small."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return False
    return ctypes.CDLL(None).syscall(ARCH_PRCTL, REQUEST_PERMISSION, TILE_DATA) == 0


if wanted() == "avx2":  # not only our own choice of instructions: LLVM's too
    numba.config.CPU_NAME, numba.config.CPU_FEATURES = "haswell", AVX2  # type: ignore[attr-defined]
elif "amx-bf16" in target_features() and (wanted() == "avx512" or not tiles_permitted()):
    fewer = ",".join(name for name in features().split(",") if not name.startswith("+amx"))
    numba.config.CPU_FEATURES = fewer + ",-amx-tile,-amx-bf16,-amx-int8"  # type: ignore[attr-defined]


class Compiled(FunctionCache):
    """Numba's cache, but what is on disk is looked for when the kernel first runs, not for each of a hundred kernels
    that a module defines; and a kernel that is there is loaded without all that Numba can compile of NumPy, and SciPy's
    BLAS, which takes three tenths of a second. One that is not gets it all from the compiler."""

    def __init__(self, function: Kernel):
        self._function, self._is_open = function, False

    def _open(self) -> None:
        if self._is_open:
            return
        try:
            super().__init__(self._function)
        except RuntimeError:  # no folder can be written to: every process compiles for itself
            self._cache_path, self._enabled = "", False
        self._is_open = True

    @property
    def cache_path(self) -> str:
        self._open()
        return str(self._cache_path)

    def flush(self) -> None:
        self._open()
        if self._enabled:
            super().flush()

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        self._open()
        rtsys.initialize(target_context)
        with self._guard_against_spurious_io_errors():
            return self._load_overload(sig, target_context)

    def save_overload(self, sig: Any, data: Any) -> None:
        self._open()
        super().save_overload(sig, data)


def cached(kernel: Any) -> Kernel:
    """With `Compiled` for its cache, if there is anything to keep (not with NUMBA_DISABLE_JIT) and Numba still has the
    parts that this replaces; else with Numba's own."""
    if not hasattr(kernel, "enable_caching"):
        return kernel
    if hasattr(FunctionCache, "_load_overload") and hasattr(kernel, "_cache"):
        kernel._cache = Compiled(kernel.py_func)
    else:
        kernel.enable_caching()
    return kernel


def counting(on: bool) -> dict[str, Any]:
    """Whether references are counted: an option that Numba has, but does not document; nothing where it has it not. It
    is said of every kernel, as one that says nothing has it from the kernel that calls it."""
    return {"_nrt": on} if hasattr(CPUTargetOptions, "_nrt") else {}


def kernel(function: Kernel) -> Kernel:
    """Compile for the types of its first call. It holds no lock (threads run side by side) and checks no bound: the
    caller sees to it that every index is inside."""
    return cached(numba.njit(function, nogil=True, error_model="numpy", **counting(True)))


def lean(function: Kernel) -> Kernel:
    """A kernel that makes no arrays, and so does without counting who refers to those that it is given: each count is
    an atomic instruction, and Numba leaves some of them in the innermost loops."""
    return cached(numba.njit(function, nogil=True, error_model="numpy", **counting(False)))


def brief(function: Kernel) -> Kernel:
    """A kernel that keeps the interpreter's lock: it takes less time than to let go of it."""
    return cached(numba.njit(function, error_model="numpy"))


def of_integers(kernel: Any, count: int) -> Kernel:
    """A kernel of ``count`` integers, compiled, without Numba's look at the types of what each call hands it, which
    takes a tenth of a microsecond."""
    if not hasattr(kernel, "compile"):  # with NUMBA_DISABLE_JIT
        return kernel
    signature = (types.int64,) * count
    kernel.compile(signature)
    return getattr(kernel.overloads[signature], "entry_point", None) or kernel


def inlined(function: Kernel) -> Kernel:
    """A part of kernels that is called for every token: a call that passes a dozen arrays costs as much as the work."""
    return numba.njit(function, nogil=True, error_model="numpy", inline="always")


@intrinsic
def prefetch(context: Any, array: Any, index: Any) -> Any:
    """Ask for the cache line of ``array[index]``, an integer or a tuple of them, before it is needed."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array_type, index_type = signature.args
        struct = context.make_array(array_type)(context, builder, arguments[0])
        places, kinds = [arguments[1]], [index_type]
        if isinstance(index_type, types.UniTuple):
            places, kinds = cgutils.unpack_tuple(builder, arguments[1]), [index_type.dtype] * index_type.count
        places = [context.cast(builder, place, kind, types.intp) for place, kind in zip(places, kinds)]
        pointer = cgutils.get_item_pointer(context, builder, array_type, struct, places)
        address = builder.bitcast(pointer, cgutils.voidptr_t)
        i32 = llvmlite.ir.IntType(32)
        shape = llvmlite.ir.FunctionType(llvmlite.ir.VoidType(), [cgutils.voidptr_t, i32, i32, i32])
        function = cgutils.get_or_insert_function(builder.module, shape, "llvm.prefetch.p0")
        builder.call(function, [address, i32(0), i32(3), i32(1)])
        return context.get_dummy_value()

    return types.void(array, index), code


@intrinsic
def bits_of(context: Any, number: Any) -> Any:
    """The 64 bits of a float as an integer."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], llvmlite.ir.IntType(64))

    return types.int64(types.float64), code


@intrinsic
def number_of(context: Any, bits: Any) -> Any:
    """The float that an integer holds the 64 bits of."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], llvmlite.ir.DoubleType())

    return types.float64(types.int64), code


@intrinsic
def load_64(context: Any, array: Any, index: Any) -> Any:
    """The 64 bits that begin at ``array[index]`` of an array of bytes, which need not be aligned."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array_type, index_type = signature.args
        struct = context.make_array(array_type)(context, builder, arguments[0])
        place = context.cast(builder, arguments[1], index_type, types.intp)
        pointer = cgutils.get_item_pointer(context, builder, array_type, struct, [place])
        i64 = llvmlite.ir.IntType(64)
        loaded = builder.load(builder.bitcast(pointer, i64.as_pointer()))
        loaded.align = 1
        return loaded

    return types.uint64(array, index), code


@intrinsic
def bytes_between(context: Any, array: Any, index: Any, low: Any, high: Any) -> Any:
    """A bit for each of the 64 bytes from ``array[index]`` on, the first lowest: is it ``low`` to ``high``?"""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array_type, index_type, *_ = signature.args
        struct = context.make_array(array_type)(context, builder, arguments[0])
        place = context.cast(builder, arguments[1], index_type, types.intp)
        pointer = cgutils.get_item_pointer(context, builder, array_type, struct, [place])
        i8, i64 = llvmlite.ir.IntType(8), llvmlite.ir.IntType(64)
        bytes_64 = llvmlite.ir.VectorType(i8, 64)
        loaded = builder.load(builder.bitcast(pointer, bytes_64.as_pointer()))
        loaded.align = 1
        least, most = (llvmlite.ir.Constant(bytes_64, [kind.literal_value] * 64) for kind in (low, high))
        width = builder.sub(most, least)
        return builder.bitcast(builder.icmp_unsigned("<=", builder.sub(loaded, least), width), i64)

    if not (isinstance(low, types.IntegerLiteral) and isinstance(high, types.IntegerLiteral)):
        return None
    return types.uint64(array, index, low, high), code


@intrinsic
def store_64(context: Any, array: Any, index: Any, bits: Any) -> Any:
    """Write 64 bits from ``array[index]`` on, into an array of bytes."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array_type, index_type, _ = signature.args
        struct = context.make_array(array_type)(context, builder, arguments[0])
        place = context.cast(builder, arguments[1], index_type, types.intp)
        pointer = cgutils.get_item_pointer(context, builder, array_type, struct, [place])
        builder.store(arguments[2], builder.bitcast(pointer, llvmlite.ir.IntType(64).as_pointer())).align = 1
        return context.get_dummy_value()

    return types.void(array, index, types.uint64), code


@intrinsic
def count_ones(context: Any, word: Any) -> Any:
    """How many of the bits of a uint64 are set."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), code


@intrinsic
def lowest_one(context: Any, word: Any) -> Any:
    """The place of the lowest set bit of a uint64, 64 if there is none."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], llvmlite.ir.IntType(1)(0))

    return types.int64(types.uint64), code


@intrinsic
def highest_one(context: Any, word: Any) -> Any:
    """The place of the highest set bit of a uint64, -1 if there is none."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        zeros = builder.ctlz(arguments[0], llvmlite.ir.IntType(1)(0))
        return builder.sub(llvmlite.ir.IntType(64)(63), zeros)

    return types.int64(types.uint64), code
