"""A step of generation beside PyTorch and ONNX Runtime: one process, interleaved, CPU time, medians with quartiles.

    python benchmarks/generation.py                                    three minutes
    python benchmarks/generation.py --cells gru elman                  other cells
    python benchmarks/generation.py --model DIR --text FILE            greedy agreement and perplexity of a trained net

A step reads a token of each stream and gives the log-probabilities of the next. ``read``: only reading the int8 weights
that a step of one stream needs, measured in the same rounds; the share is its time by ours. torch.ao and ONNX Runtime
(dynamic int8) take part where they can be imported. One thread.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import installed, machine

from chekhov.kernels.jit import kernel
from chekhov.recurrent.generator import Generator, refusal
from chekhov.recurrent.language_model import RecurrentLM

SHAPES = {"char H512 V100": (100, 128, 512), "word H650 V10k": (10_000, 650, 650)}
LAYERS, STREAMS, STEPS = 2, (1, 256), {1: 120, 256: 4}
MODULES = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "elman": torch.nn.RNN}
Step = Callable[[Any, Any], tuple[Any, Any]]  # tokens (B,), state (None: the first) -> log-probabilities, state


class Peer(torch.nn.Module):
    """The same net as PyTorch's users write it."""

    def __init__(self, model: RecurrentLM):
        super().__init__()
        H = model.stack.hidden_size
        self.embedding, self.head = model.embedding, model.head
        self.rnn = MODULES[model.cell](self.embedding.embedding_dim, H, LAYERS, batch_first=True)
        for layer, cell in enumerate(model.stack.cells):
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                self.rnn.get_parameter(f"{name}_l{layer}").data.copy_(cell.weights.get_parameter(f"{name}_l0"))

    def forward(self, tokens: Any, *state: Any) -> Any:
        if len(state) == 2:
            features, state = self.rnn(self.embedding(tokens)[:, None], state)
        else:
            features, *state = self.rnn(self.embedding(tokens)[:, None], *state)
        return torch.log_softmax(self.head(features[:, 0]), -1), *state


def zeros(model: RecurrentLM, B: int) -> tuple[Any, ...]:
    return (torch.zeros(LAYERS, B, model.stack.hidden_size),) * (2 if model.cell == "lstm" else 1)


def by_torch(peer: Any, model: RecurrentLM) -> Step:
    def step(tokens: Any, state: Any) -> tuple[Any, Any]:
        with torch.inference_mode():
            rows, *state = peer(torch.from_numpy(tokens), *(state or zeros(model, len(tokens))))
        return rows, tuple(state)

    return step


def by_onnx(peer: Any, model: RecurrentLM, folder: str) -> Step:
    import onnxruntime
    from onnxruntime.quantization import QuantType, quantize_dynamic

    whole, small = (str(Path(folder) / name) for name in ("whole.onnx", "int8.onnx"))
    start = zeros(model, 2)
    states = [f"state{i}" for i in range(len(start))]
    axes = {"tokens": {0: "B"}, "rows": {0: "B"}} | {name: {1: "B"} for s in states for name in (s, s + "_after")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            peer, (torch.zeros(2, dtype=torch.int64), *start), whole, dynamo=False, dynamic_axes=axes,
            input_names=["tokens", *states], output_names=["rows", *[s + "_after" for s in states]],
        )  # fmt: skip
    quantize_dynamic(whole, small, weight_type=QuantType.QInt8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(small, options, providers=["CPUExecutionProvider"])

    def step(tokens: Any, state: Any) -> tuple[Any, Any]:
        state = state or [part.numpy() for part in zeros(model, len(tokens))]
        rows, *state = session.run(None, {"tokens": tokens, **dict(zip(states, state))})
        return rows, state

    return step


def by_us(model: Any) -> Step:
    def step(tokens: Any, state: Any) -> tuple[Any, Any]:
        state = model.advance(state if state is not None else model.initial_state(len(tokens)), tokens)
        return model.log_probs(state), state

    return step


def contenders(model: RecurrentLM, folder: str) -> dict[str, Step]:
    peer = Peer(model).eval()
    found = {"torch.nn float32": by_torch(peer, model)}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kinds = {MODULES[model.cell], torch.nn.Linear}
            found["torch.ao int8"] = by_torch(torch.ao.quantization.quantize_dynamic(peer, kinds), model)
    except Exception as error:  # it is leaving PyTorch, cell by cell
        print(f"without torch.ao: {type(error).__name__}: {error}")
    try:
        found["ONNX Runtime int8"] = by_onnx(peer, model, folder)
    except ImportError as error:
        print(f"without ONNX Runtime: {error}")
    found["chekhov float32, by torch"] = by_us(model)
    for precision in ("float32", "bf16", "int8"):
        why = refusal(model, precision)
        if why:
            print(f"without {precision}: {why}")
        else:
            found[f"chekhov {precision}"] = by_us(Generator(model, precision))
    return found


@kernel
def read(words: Any) -> Any:
    total = 0
    for i in range(len(words)):
        total += words[i]
    return total


def weights_of_a_step(model: RecurrentLM) -> Any:
    """The memory of the int8 weights that a step of one stream reads: the products with the first W are kept."""
    generator = Generator(model, "int8")
    first = int(generator.plan[generator.kernels.INPUT])
    return generator.matrices[: first or None][: (first or len(generator.matrices)) // 8 * 8].view(np.int64)


def measure(name: str, cell: str, B: int, rounds: int) -> None:
    V, E, H = SHAPES[name]
    torch.manual_seed(0)
    model = RecurrentLM(cell, V, embedding_size=E, hidden_size=H, num_layers=LAYERS).eval()
    tokens = np.random.default_rng(0).integers(3, V, (STEPS[B], B))
    with tempfile.TemporaryDirectory() as folder:
        steps = contenders(model, folder)
    runs: dict[str, Callable[[], None]] = {key: sequence(step, tokens) for key, step in steps.items()}
    if B == 1 and not refusal(model, "int8"):
        memory = weights_of_a_step(model)
        runs["read"] = lambda: [read(memory) for _ in tokens] and None
        print(f"{cell} {name}, 1 stream: a step reads {memory.nbytes:,} bytes in int8")
    else:
        print(f"{cell} {name}, {B} streams")
    times: dict[str, list[float]] = {key: [] for key in runs}
    for turn in range(rounds + 1):
        for key, run in runs.items():
            start = time.process_time()
            run()
            if turn:  # the first warms up, and compiles
                times[key].append((time.process_time() - start) / len(tokens))
    for key, own in times.items():
        line = f"  {key:<28}{1e6 * statistics.median(own):10.1f} us a step{B / statistics.median(own):12,.0f} tokens/s"
        for other in ("torch.nn float32", "ONNX Runtime int8"):
            if key.startswith("chekhov") and other in times:
                line += f"   {quartiles(times[other], own)} of {other}"
        if key == "chekhov int8" and "read" in times:
            line += f"   {quartiles(times['read'], own)} of reading"
        print(line, flush=True)


def sequence(step: Step, tokens: Any) -> Callable[[], None]:
    def run() -> None:
        state = None
        for read_now in tokens:
            _, state = step(read_now, state)

    return run


def quartiles(theirs: list[float], ours: list[float]) -> str:
    low, middle, high = statistics.quantiles([a / b for a, b in zip(theirs, ours)], n=4)
    return f"{middle:.2f}x ({low:.2f} to {high:.2f})"


def quality(folder: str, text: str, rows: int, length: int) -> None:
    """Every net along the same text, its last tenth: how often the likeliest token is float32's, and the perplexity."""
    from chekhov.tasks.text_model import load

    found = load(folder)
    ids = found.tokenizer.encode(Path(text).read_text("utf-8"))
    ids = ids[-(len(ids) // 10) :][: rows * length]
    ids = ids[: len(ids) // rows * rows].reshape(rows, -1)
    nets = {"float32": found.model, "float32, by kernels": "float32", "bf16": "bf16", "int8": "int8"}
    print(f"{found.kind} {Path(folder).name}, {ids.size:,} tokens of {Path(text).name}")
    best: Any = None
    for name, net in nets.items():
        if isinstance(net, str):
            if refusal(found.model, net):  # type: ignore[arg-type]
                continue
            net = Generator(found.model, net)  # type: ignore[arg-type]
        state, own, nats = net.initial_state(rows), [], 0.0
        for column in ids.T:
            log_probs = net.log_probs(state)
            own.append(log_probs.argmax(1))
            nats -= float(np.take_along_axis(log_probs, column[:, None], 1).sum(dtype=np.float64))
            state = net.advance(state, np.ascontiguousarray(column))
        likeliest = np.stack(own)
        best = likeliest if best is None else best
        same = 100 * float((likeliest == best).mean())
        print(
            f"  {name:<22}perplexity {np.exp(nats / ids.size):9.5f}   the same likeliest token in {same:.2f} % of steps"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--cells", nargs="+", default=["lstm"], choices=list(MODULES))
    parser.add_argument("--shapes", nargs="+", default=list(SHAPES), choices=list(SHAPES))
    parser.add_argument("--streams", nargs="+", type=int, default=list(STREAMS), choices=list(STREAMS))
    parser.add_argument("--model")
    parser.add_argument("--text")
    parser.add_argument("--length", type=int, default=1000, help="tokens of each of 32 rows of the text")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{machine()}, onnxruntime {installed('onnxruntime')}; one thread")
    if options.model:
        quality(options.model, options.text, 32, options.length)
        return
    for cell in options.cells:
        for name in options.shapes:
            for B in options.streams:
                measure(name, cell, B, options.rounds)


if __name__ == "__main__":
    main()
