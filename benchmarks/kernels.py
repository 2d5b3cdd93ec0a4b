"""The recurrent kernels beside torch.nn: one process, interleaved, CPU seconds of one thread, medians with quartiles.

    python benchmarks/kernels.py                  fourteen minutes
    python benchmarks/kernels.py --only cells     the cells that PyTorch does not have; or layers, packed, steps,
                                                  pieces (softmax, dropout), options (of the LSTM, against the
                                                  plain one), awd (the shape of AWD-LSTM), compiling
    python benchmarks/kernels.py --threads 2      with so many threads on both sides, in wall time
    python benchmarks/kernels.py --rounds 31      steadier
    CHEKHOV_ISA=avx2 python benchmarks/kernels.py with the kernels of lesser processors; PyTorch's stay as they are
    python benchmarks/kernels.py --peak           what the processor multiplies at most, and the kernels' share of it

A row is forward, backward and all gradients of one layer (or of one training step of a character model). Above 1 we are
faster. bf16 is PyTorch's autocast for both sides.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from machine import machine
from torch.nn.utils.rnn import pack_padded_sequence

from chekhov import nn
from chekhov.batches.streams import Batch
from chekhov.kernels import dispatch
from chekhov.recurrent import gru, scan
from chekhov.recurrent.cross_entropy import linear_cross_entropy
from chekhov.recurrent.dropout import dropout
from chekhov.recurrent.language_model import RecurrentLM
from chekhov.recurrent.lstm import LSTM
from chekhov.recurrent.sequences import SCANS
from chekhov.training.objectives import next_token
from chekhov.training.optimisers import clip
from chekhov.training.precision import multiplies_bf16

SHAPES = {
    "H512 B8 T64 I128": (8, 64, 128, 512),
    "H256 B32 T128 I256": (32, 128, 256, 256),
    "H650 B20 T35": (20, 35, 650, 650),
    "H128 B16 T35": (16, 35, 128, 128),
    "H64 B1 T35": (1, 35, 64, 64),
}
PEAK_DEPTHS = (512, 256)
BF16 = multiplies_bf16()
PRECISIONS = (False, True) if BF16 else (False,)  # without, PyTorch's LSTM may fail in bf16
clock = time.process_time  # of one thread; of several the wall's


def interleaved(functions: list[Callable[[], None]], rounds: int) -> list[list[float]]:
    times: list[list[float]] = [[] for _ in functions]
    for turn in range(rounds + 1):
        for taken, function in zip(times, functions):
            start = clock()
            function()
            if turn:  # the first warms up, and compiles
                taken.append(clock() - start)
    return times


def report(name: str, dtype: str, theirs: list[float], ours: list[float], work: float = 0.0) -> None:
    ratios = [a / b for a, b in zip(theirs, ours)]
    low, _, high = statistics.quantiles(ratios, n=4)
    speed = f"{work / statistics.median(ours) / 1e9:5.0f} GFLOP/s" if work else ""
    print(
        f"{name:<42}{dtype:<9}{statistics.median(theirs) * 1e3:8.2f} ms{statistics.median(ours) * 1e3:8.2f} ms"
        f"  {statistics.median(ratios):5.2f}x ({low:.2f} to {high:.2f})  {speed}",
        flush=True,
    )


def layer(module: Any, xs: Any, bf16: bool) -> Callable[[], None]:
    def run() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            outputs, _ = module(xs)
        (outputs if isinstance(outputs, torch.Tensor) else outputs.data).float().sum().backward()

    return run


def layers(rounds: int) -> None:
    for name, gates in (("LSTM", 4), ("GRU", 3), ("RNN", 1)):
        for shape, (B, T, I, H) in SHAPES.items():
            theirs = getattr(torch.nn, name)(I, H, batch_first=True)
            ours = getattr(nn, name)(I, H, batch_first=True)
            ours.load_state_dict(theirs.state_dict())
            xs = torch.randn(B, T, I, requires_grad=True)
            for bf16 in PRECISIONS:
                pair = [layer(theirs, xs, bf16), layer(ours, xs, bf16)]
                dtype = "bf16" if bf16 else "float32"
                report(f"{name} {shape}", dtype, *interleaved(pair, rounds), 6.0 * B * T * gates * H * (I + H))


def packed(rounds: int) -> None:
    lengths = torch.linspace(15, 100, 32).long()
    for bf16 in PRECISIONS:
        theirs, ours = torch.nn.LSTM(256, 256), nn.LSTM(256, 256)
        xs = pack_padded_sequence(torch.randn(100, 32, 256), lengths, enforce_sorted=False)
        pair = [layer(theirs, xs, bf16), layer(ours, xs, bf16)]
        report("LSTM packed, 57 % of H256 B32 T100", "bf16" if bf16 else "float32", *interleaved(pair, rounds))


class Plain(torch.nn.Module):
    """The same net as anybody would write it."""

    def __init__(self, kind: str, V: int, E: int, H: int, layers: int, dropout: float):
        super().__init__()
        self.embedding, self.drop = torch.nn.Embedding(V, E), torch.nn.Dropout(dropout)
        self.cells = getattr(torch.nn, kind)(E, H, layers, batch_first=True, dropout=dropout if layers > 1 else 0.0)
        self.head = torch.nn.Linear(H, V)

    def loss(self, inputs: torch.Tensor, targets: torch.Tensor, state: Any, bf16: bool) -> tuple[torch.Tensor, Any]:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            outputs, state = self.cells(self.drop(self.embedding(inputs)), state)
            logits = self.head(self.drop(outputs))
        return torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), targets.flatten()), state


STEPS = {  # B, T, V, embedding, units, layers, dropout
    "H256 B16 T64 V65": (16, 64, 65, 128, 256, 1, 0.0),
    "H512 B8 T64 V200": (8, 64, 200, 128, 512, 1, 0.0),
    "H256x2 B32 T128 V65": (32, 128, 65, 256, 256, 2, 0.0),
    "H650x2 B20 T35 V10k": (20, 35, 10_000, 650, 650, 2, 0.5),
}


def step_of(model: Any, loss: Callable[[], torch.Tensor]) -> Callable[[], None]:
    """Forward, backward, clipping and AdamW."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)

    def step() -> None:
        found = loss()
        optimiser.zero_grad(set_to_none=True)
        found.backward()
        clip(model, norm=1.0, value=None)
        optimiser.step()

    return step


def plain_step(kind: str, sizes: tuple[Any, ...], bf16: bool) -> Callable[[], None]:
    B, T, V, E, H, layers, dropout = sizes
    plain, ids = Plain(kind, V, E, H, layers, dropout), torch.randint(3, V, (B, T + 1))
    state: Any = None

    def loss() -> torch.Tensor:
        nonlocal state
        found, state = plain.loss(ids[:, :-1], ids[:, 1:], state, bf16)
        state = tuple(s.detach().float() for s in state) if isinstance(state, tuple) else state.detach().float()
        return found

    return step_of(plain, loss)


def training_step(
    kind: str, sizes: tuple[Any, ...], bf16: bool, penalties: Any = None, net: Any = None, **options: Any
) -> Callable[[], None]:
    """What `chekhov train` does, carried state and all."""
    B, T, V, E, H, layers, dropout = sizes
    net = {"embedding_size": E, "hidden_size": H, "num_layers": layers, "dropout": dropout, **(net or {})}
    model = RecurrentLM(kind, V, **net, cell_options=options)
    ids = np.random.default_rng(0).integers(3, V, (B, T + 1))
    objective = next_token(model, "bf16" if bf16 else "float32", **(penalties or {}))
    batch, carry = Batch(ids[:, :-1].copy(), ids[:, 1:].copy(), False), None

    def loss() -> torch.Tensor:
        nonlocal carry
        found, carry = objective(batch, carry)
        return found

    return step_of(model, loss)


def steps(rounds: int) -> None:
    for kind, cell in (("LSTM", "lstm"), ("GRU", "gru"), ("RNN", "elman")):
        for name, sizes in STEPS.items():
            for bf16 in PRECISIONS:
                pair = [plain_step(kind, sizes, bf16), training_step(cell, sizes, bf16)]
                report(f"training step {kind} {name}", "bf16" if bf16 else "float32", *interleaved(pair, rounds))


def awd(rounds: int) -> None:
    """The shape of Merity, Keskar & Socher 2018 on the Penn Treebank (their last layer has 400 units), and what their
    regularisers cost: locked dropout, weight drop, AR, TAR (left: ours without; right: ours with them)."""
    sizes = (20, 70, 10_000, 400, 1150, 3, 0.4)
    ours, own = training_step("lstm", sizes, BF16), {"locked_dropout": True, "weight_drop": 0.5}
    dtype = "bf16" if BF16 else "float32"
    report("training step H1150x3 B20 T70 V10k", dtype, *interleaved([plain_step("LSTM", sizes, BF16), ours], rounds))
    both = [ours, training_step("lstm", sizes, BF16, {"alpha": 2.0, "beta": 1.0}, own)]
    report("  regularised against ours", dtype, *interleaved(both, rounds))


def pieces(rounds: int) -> None:
    """What a training step has beside its cells: the softmax, and dropout."""
    for N, H, V in ((1024, 256, 65), (700, 650, 10_000)):
        features, W, b = (torch.randn(*shape, requires_grad=True) for shape in ((N, H), (V, H), (V,)))
        targets = torch.randint(0, V, (N,))

        def by(loss: Callable[..., torch.Tensor], inputs: Any = (features, W, b, targets)) -> Callable[[], None]:
            def run() -> None:
                with torch.autocast("cpu", torch.bfloat16):
                    found = loss(*inputs)
                torch.autograd.grad(found, inputs[:3])

            return run

        pair = [by(plain_cross_entropy), by(linear_cross_entropy)]
        report(f"softmax, cross-entropy H{H} V{V} N{N}", "bf16", *interleaved(pair, rounds))
    x = torch.randn(20, 35, 650, dtype=torch.bfloat16)
    pair = [lambda: torch.nn.functional.dropout(x, 0.5), lambda: dropout(x, 0.5, True)]
    report("dropout of 20 x 35 x 650", "bf16", *interleaved(pair, rounds))


def plain_cross_entropy(features: Any, W: Any, b: Any, targets: Any) -> torch.Tensor:
    logits = torch.nn.functional.linear(features, W, b)
    return torch.nn.functional.cross_entropy(logits.float(), targets)


def by_torch(module: Any, step: Callable[[], None]) -> Callable[[], None]:
    """The step with the kernels of ``module``'s cell left out."""

    def run() -> None:
        here, module.runs_here = module.runs_here, lambda *_: False
        step()
        module.runs_here = here

    return run


def own_cells(rounds: int) -> None:
    """Cells that PyTorch does not have: against themselves in PyTorch, and against our LSTM with as many parameters."""
    name, sizes = "H256x2 B32 T128", (32, 128, 200, 256, 256, 2, 0.0)
    for bf16 in PRECISIONS:
        step, twin = (training_step("gru", sizes, bf16, reset="before") for _ in range(2))
        dtype = "bf16" if bf16 else "float32"
        report(f"training step gru before {name}", dtype, *interleaved([by_torch(gru, twin), step], rounds))
    for kind in SCANS:
        wanted = parameters(kind, 256)
        width = min(range(64, 512, 8), key=lambda h: abs(wanted - parameters("lstm", h)))
        for bf16 in PRECISIONS:
            step, twin = (training_step(kind, sizes, bf16) for _ in range(2))
            equal = training_step("lstm", (32, 128, 200, 256, width, 2, 0.0), bf16)
            theirs, large, ours = interleaved([by_torch(scan, twin), equal, step], rounds)
            dtype = "bf16" if bf16 else "float32"
            report(f"training step {kind} {name}", dtype, theirs, ours)
            report(f"  against our LSTM H{width}x2", dtype, large, ours)


def lstm_options(rounds: int) -> None:
    """One layer with an option (left: the plain one, right: with it; below 1 it is slower)."""
    for shape, (B, T, I, H) in SHAPES.items():
        xs = torch.randn(B, T, I, requires_grad=True)
        for bf16 in PRECISIONS:
            plain = unrolled(LSTM(I, H), xs, bf16)
            for options in ({"zoneout": 0.1}, {"peephole": True}, {"coupled": True}, {"layer_norm": True}):
                pair = [plain, unrolled(LSTM(I, H, **options), xs, bf16)]
                name = f"LSTM {next(iter(options))} {shape}"
                report(name, "bf16" if bf16 else "float32", *interleaved(pair, rounds))


def unrolled(cell: LSTM, xs: torch.Tensor, bf16: bool) -> Callable[[], None]:
    return layer(lambda xs: cell.unroll(xs, cell.initial_state(len(xs))), xs, bf16)


def parameters(kind: str, H: int) -> int:
    with torch.device("meta"):
        return RecurrentLM(kind, 200, embedding_size=256, hidden_size=H, num_layers=2).parameter_count


def peak(rounds: int) -> None:
    """GFLOP/s of a step's product alone, rows by 32 columns from the first cache: the limit of every kernel here."""
    from chekhov.kernels import tile_kernels
    from chekhov.kernels.jit import kernel
    from chekhov.kernels.matmul_kernels import product

    global step_product, tiles_on, tiles_off  # a kernel that closes over another is compiled in every process
    step_product, tiles_on, tiles_off = product, tile_kernels.tiles_on, tile_kernels.tiles_off
    run = kernel(many_products)
    for dtype in (np.float32, np.uint16)[: len(PRECISIONS)]:
        rows = 32 if dtype == np.uint16 and dispatch.chosen().name == "amx" else 8
        for K in PEAK_DEPTHS:
            a, panel, out = np.zeros(rows * (K + 32), dtype), np.zeros(K * 32, dtype), np.zeros(rows * 32, np.float32)
            (taken,) = interleaved(
                [lambda a=a, panel=panel, out=out, K=K, rows=rows: run(rows, a, panel, out, K, 20_000)], rounds
            )
            name = "float32" if dtype == np.float32 else "bf16"
            print(f"peak {name}, K {K}: {2 * rows * 32 * K * 20_000 / min(taken) / 1e9:.0f} GFLOP/s")


def many_products(rows: Any, a: Any, panel: Any, out: Any, K: Any, times: Any) -> None:
    tiles_on()
    for _ in range(times):
        step_product(rows, a, 0, K + 32, panel, 0, K, out, 0, 32, False)
    tiles_off()


COMPILING = """
import time, torch
from chekhov.recurrent.language_model import RecurrentLM
from chekhov.training.loop import warm_up
model, start = RecurrentLM("{kind}", 70), time.process_time()
warm_up(model, "{precision}")
print(time.process_time() - start)
"""


def compiling(rounds: int) -> None:
    """CPU seconds until the kernels of a training run are there, compiled or from the disk; Numba's start included."""
    for kind in ("lstm", "gru", "elman"):
        for precision in ("float32", "bf16")[: len(PRECISIONS)]:
            with tempfile.TemporaryDirectory() as folder:
                program = [sys.executable, "-c", COMPILING.format(kind=kind, precision=precision)]
                environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
                cold, warm = (
                    float(subprocess.run(program, env=environment, capture_output=True, check=True).stdout)
                    for _ in range(2)
                )
            print(f"kernels of {kind} in {precision:<8} compiled in {cold:5.1f} CPU-s, read in {warm:.2f}", flush=True)


PARTS = {
    "layers": layers,
    "packed": packed,
    "pieces": pieces,
    "steps": steps,
    "cells": own_cells,
    "options": lstm_options,
    "awd": awd,
    "compiling": compiling,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--peak", action="store_true")
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.threads > 1:
        global clock
        clock = time.perf_counter
    path = dispatch.chosen()
    threads = f"{options.threads} threads" if options.threads > 1 else "one thread"
    print(f"{machine()}; {threads}; kernels: {path.name}, for {path.why}")
    if options.peak:
        peak(options.rounds)
    print(f"{'':<42}{'dtype':<9}{'torch':>11}{'ours':>11}  ratio (quartiles)")
    for name, part in PARTS.items():
        if options.only in (None, name):
            part(options.rounds)


if __name__ == "__main__":
    main()
