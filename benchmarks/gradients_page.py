"""Why does it forget? Gradients through time of fresh and trained nets: docs/gradients.md and docs/gradients.svg.

    python benchmarks/gradients_page.py [--epochs 6]

All is exact, by autograd in float64; the trained nets have read demo:rifle-ru so many times.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

import torch
from machine import machine

import chekhov
from chekhov.inspection.gradients import Gradients, bptt_bytes, text_gradients
from chekhov.inspection.gradients_plot import plot_gradients
from chekhov.inspection.laboratory import family, make_cells
from chekhov.recurrent.language_model import RecurrentLM
from chekhov.recurrent.lstm import LSTM
from chekhov.text.demo import demo_corpus
from chekhov.training.plot import load_matplotlib, save_figure

DOCS = Path(__file__).resolve().parent.parent / "docs"
TEXT, HIDDEN, FARTHEST = "demo:rifle-ru", 64, 100
BACK = (1, 8, 16, 32, 64)  # steps of the trained nets' table


def number(value: float) -> str:
    return "0" if value == 0 else f"{value:.1e}" if value < 0.01 or value >= 1000 else f"{value:.2f}"


def rows(header: list[str], lines: list[list[str]]) -> str:
    shown = [header, ["---", *(["---:"] * (len(header) - 1))], *lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in shown)


def forget_biases() -> str:
    """Trap: an LSTM with forget bias 1 does not keep the gradient flat at its start."""
    lines = []
    found = {}
    for init in ("orthogonal", "uniform"):
        cells = make_cells(["lstm"], HIDDEN, forget_biases=(0, 1, 2, 3, 5), init=init)
        cells |= make_cells(["lstm-1997"], HIDDEN, init=init)
        cells |= make_cells(["elman"], HIDDEN, spectral_radius=0.9, init=init)
        found[init] = family(cells, distance=FARTHEST)
    for ours, torchs in zip(found["orthogonal"], found["uniform"], strict=True):
        part = "c" if "c" in ours.norms else "h"
        gate = ours.gates.get("forget_gate")
        mean = "" if gate is None else f"{gate.mean():.3f}"
        factor = "" if gate is None else f"{math.exp(torch.tensor(gate).log().mean()):.3f}"
        own = [[number(each.norms[part][FARTHEST]), f"{math.exp(each.slope(part)):.3f}"] for each in (ours, torchs)]
        lines.append([ours.name if gate is not None else "Elman, radius 0.9", mean, factor, *own[0], *own[1]])
    header = ["cell", "mean f", "geometric mean f", "100 back", "per step", "uniform start: 100 back", "per step"]
    return rows(header, lines)


def radii() -> str:
    """Trap: a spectral radius above 1 does not make a tanh net explode."""
    lines = []
    for radius in (0.9, 0.95, 1.0, 1.05, 1.1, 1.2):
        cells = make_cells(["linear", "elman"], HIDDEN, spectral_radius=radius)
        linear, tanh = family(cells, distance=150)
        quiet = family({"elman": cells["elman"]}, distance=150, input_scale=0.01)[0]
        sigma = max(tanh.singular_values)  # type: ignore[arg-type]
        shown = [each.norms["h"][FARTHEST] for each in (linear, quiet, tanh)]
        lines.append([f"{radius:g}", *map(number, shown), f"{number(float(linear.norms['h'][150]))}", f"{sigma:.2f}"])
    header = [
        "radius of W_hh",
        "linear, 100 back",
        "tanh, tiny inputs",
        "tanh",
        "linear, 150 back",
        "tanh: largest sigma",
    ]
    return rows(header, lines)


def memory() -> str:
    lines = []
    for steps in (64, 256, 1024):
        xs = torch.randn(1, steps, HIDDEN)
        cell = LSTM(HIDDEN, HIDDEN)
        full, cut = bptt_bytes(cell, xs), bptt_bytes(cell, xs, 32)
        lines.append([f"{steps:,}", f"{full / 1e6:.2f} MB", f"{cut / 1e6:.2f} MB"])
    return rows(["steps", "full BPTT", "in windows of 32"], lines)


def trained(epochs: int) -> tuple[str, list[Gradients]]:
    lines, curves = [], []
    texts = [demo_corpus(TEXT).test]
    for kind in ("elman", "mingru", "gru", "lstm"):
        model = chekhov.train(kind, TEXT, epochs=epochs, quiet=True)
        net: Any = model.model
        ids = model.tokenizer.encode_all(texts)
        torch.manual_seed(0)
        fresh = RecurrentLM(kind, net.vocab_size, embedding_size=net.embedding.embedding_dim,
                            hidden_size=net.stack.hidden_size, num_layers=len(net.stack.cells))  # fmt: skip
        for when, each in (("at the start", fresh), ("trained", net)):
            own = text_gradients(f"{kind}, {when}", each, ids, distance=max(BACK), positions=100)
            top = [part for part in own.norms if part.startswith(f"layers.{len(net.stack.cells) - 1}.")]
            curves.append(Gradients(own.name, {part[len("layers.0.") :]: own.norms[part] for part in top}))
            for part in top:
                gate = "" if part[-1] != "c" else f"{own.gates[part[:-1] + 'forget_gate'].mean():.3f}"
                norms = [number(float(own.norms[part][d])) for d in BACK]
                lines.append([own.name, part[-1], *norms, f"{math.exp(own.slope(part)):.3f}", gate])
    return rows(["net", "of", *(f"{d} back" for d in BACK), "per step", "mean f"], lines), curves


def plot_trained(curves: list[Gradients], out: Path) -> None:
    """One colour a cell: dashed at the start, solid after training."""
    pyplot = load_matplotlib()
    figure, axes = pyplot.subplots(figsize=(7, 4.8), layout="constrained")
    colours = {kind: f"C{number}" for number, kind in enumerate(dict.fromkeys(name_of(each) for each in curves))}
    for each in curves:
        dashed = "--" if each.name.endswith("start") else "-"
        axes.semilogy(each.norms["h"], dashed, color=colours[name_of(each)], label=each.name)
    axes.axhline(1, color="grey", linewidth=0.8, linestyle=":")
    axes.set(xlabel="steps back from the loss", ylabel="|dL/dh|", title=TEXT)
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    save_figure(figure, out)


def name_of(gradients: Gradients) -> str:
    return gradients.name.partition(",")[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=6)
    options = parser.parse_args()
    fresh = family(make_cells(["elman", "gru", "mingru", "lstm"], HIDDEN, forget_biases=(0, 1, 3)), distance=FARTHEST)
    plot_gradients(fresh, DOCS / "gradients.svg", f"at the start, {HIDDEN} units, random inputs")
    table, curves = trained(options.epochs)
    plot_trained(curves, DOCS / "gradients-trained.svg")
    values = {"biases": forget_biases(), "radii": radii(), "memory": memory(), "trained": table}
    page = PAGE.format(**values, epochs=options.epochs, machine=machine(), hidden=HIDDEN)
    (DOCS / "gradients.md").write_text(page, "utf-8")


PAGE = """# Why does it forget? The gradient laboratory

Written by `python benchmarks/gradients_page.py`; do not edit.

A net learns that a word of long ago matters only if the gradient of today's loss reaches it. `chekhov gradients`
measures what is left of it, so many steps back: exactly, by autograd through the formula of the cell, in float64.

```bash
chekhov gradients --cells elman,gru,lstm --forget-bias 0,1,3 --distance 100 --plot gradients.svg
```

![Norm of the gradient against distance, and how open the gates are](gradients.svg)

The gradient of the state d steps back is the gradient here times the product of d Jacobians ds_t/ds_{{t-1}}. For the
simple net each is diag(1 - h_t^2) W_hh: the table's *radius* and *sigma* are its spectral radius and its largest
singular value. `--cells` takes any of `elman`, `relu`, `linear`, `gru`, `mingru`, `minlstm`, `qrnn`, `sru`, `indrnn`,
`rglru`, `lstm`, `lstm-1997`, `window`.

## Forget gates

Norm of dL/dc (of the simple net dL/dh), L the product of h with a random vector of length 1; {hidden} units, normal
inputs.

{biases}

"With a forget bias of 1 an LSTM keeps the gradient flat" is not true at its start: c passes it on by f a step, 0.72 on
the average, and of that a hundredth power is left. What is flat needs f near 1: a bias of 3 or more, the cell of 1997
without a forget gate (there the part along c is exactly 1), or a net that has *learnt* to keep something. By what
factor it falls follows the geometric mean of f; paths through the gates add to it.

## Radius and explosion

{radii}

A linear net explodes as soon as the radius of W_hh is above 1, by that factor a step. A tanh net with the same weights
does not: its states grow until tanh is flat. All singular values of the Jacobians below 1 are enough to vanish; one
above 1 is needed to explode, and not enough. Only while the states are near 0 (tiny inputs) does tanh go the linear
net's way. Training clips the norm of the gradient (`--clip`): its length changes, its direction does not.

## After training

Nets of the text `demo:rifle-ru`, whose verbs hang on things eight to twenty words back: norm of the gradient of the
loss of a word, at the top layer, mean of 100 places of the test part; trained on {epochs} passes over the text.

{trained}

![The same nets, all distances](gradients-trained.svg)

Most words of the text hang on their neighbours, and a net that is sure of a word has little gradient left: what is
flat here is the way back, not the need for it. Where the factor per step has come near 1, the state is kept; where it
has fallen, the past is let go.

## Truncated BPTT

A window carries the state on and cuts the gradient: across the cut it is exactly 0, so that what lies farther back than
the window is not learnt (`tests/inspection/test_gradients.py`: a symbol asked for after 40 steps stays at chance with
windows of 20, and is learnt with 60). What it saves, in what autograd keeps for the way back (one row, {hidden} units):

{memory}

## Nets whose answers are known

`tests/recurrent/test_known_answers.py` builds them and compares:

- *Two ones in a row*: three ReLU units set by hand, h = (this input, the one before it, 1), y = ReLU(this + before
  - 1). For 0 1 0 1 1 1 0 1 1 it says 0 0 0 0 1 1 0 0 1.
- *hello*: over h, e, l, o the first logits (1.0, 2.2, -3.0, 4.1) give e the probability 0.125, a loss of 2.079 nats.
  Three units learn the word; the same net without W_hh gets three letters of four, for it cannot tell the two l apart.
- *Momentum*: with f the identity, W_hh = beta I and W_xh = eta I, h_t = beta h_{{t-1}} + eta x_t is the momentum buffer
  of gradient descent, number by number: the state of a net is a running memory of its inputs, and tanh and learnt
  weights are what it has beyond that (`--activation identity` trains such a net).

Measured on {machine}, one thread.
"""

if __name__ == "__main__":
    main()
