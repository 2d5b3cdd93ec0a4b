"""A net unrolled over time, as boxes and arrows that are read from the net itself: what goes in, the cells of every
layer in both directions, what comes out, and what is carried from step to step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from chekhov.errors import UsageError, check_range

if TYPE_CHECKING:
    from chekhov.recurrent.cell import Cell
    from chekhov.recurrent.encoder_decoder import ConditionalLM, EncoderDecoder

STEPS, MOST_STEPS = 4, 40
APART = 0.25  # of the two directions of a layer, to either side of their column, so that arrows pass beside boxes


class Box(NamedTuple):
    """kind: input, embedding, cell, pool or output. x in columns, one a step; y in rows, 0 the inputs."""

    kind: str
    label: str
    x: float
    y: float


class Arrow(NamedTuple):
    """From and to a place in ``boxes``. kind: up; time (a state); copy (an output is read again); chain (of a CRF)."""

    start: int
    end: int
    kind: str


class Note(NamedTuple):
    """What a row of boxes is, at its left end or (right) at its right one."""

    text: str
    x: float
    y: float
    right: bool = False


@dataclass
class Unrolled:
    boxes: list[Box] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    def add(self, kind: str, label: str, x: float, y: float) -> int:
        self.boxes.append(Box(kind, label, x, y))
        return len(self.boxes) - 1

    def connect(self, starts: Sequence[int], ends: Sequence[int], kind: str = "up") -> None:
        """Each with its own partner."""
        self.arrows += [Arrow(start, end, kind) for start, end in zip(starts, ends, strict=True)]


@dataclass(frozen=True)
class Plan:
    """Of one net: what a row of inputs is, its embedding ("" for none), of each layer the forward cell and perhaps the
    backward one, what comes out of it ("" for nothing of its own)."""

    inputs: str
    embedding: str
    layers: list[list[Cell]]
    outputs: str
    crf: bool = False
    residual: bool = False


def unroll(model: Any, *, inputs: Sequence[str] = (), outputs: Sequence[str] = (), steps: int = STEPS) -> Unrolled:
    """A net of chekhov, or the Tagger, Classifier or TextModel that holds it, over ``steps`` steps.

    ``inputs``, ``outputs``: what to write into the boxes; there are as many steps then. Of an encoder-decoder they are
    the source and the target; of a `ConditionalLM` the vector and the target. Raises UsageError E-PLOT-001 for what is
    no net, E-PLOT-002 for labels of another number.
    """
    from chekhov.recurrent.classifier_net import ClassifierNet
    from chekhov.recurrent.encoder_decoder import ConditionalLM, EncoderDecoder

    net = net_of(model)
    inputs, outputs = [str(label) for label in inputs], [str(label) for label in outputs]
    check_range("steps", max(steps, len(inputs), len(outputs)), 1, MOST_STEPS)
    picture = Unrolled()
    if isinstance(net, EncoderDecoder):
        draw_encoder_decoder(picture, net, inputs or numbered("x", steps), outputs or numbered("y", steps))
    elif isinstance(net, ConditionalLM):
        vector = picture.add("input", inputs[0] if inputs else "v", 0, 2)
        picture.notes.append(Note(f"a vector\nof {net.input_size}", -0.6, 2))
        draw_decoder(picture, net, outputs or numbered("y", steps), 1, vector)
    elif isinstance(net, ClassifierNet):
        draw_classifier(picture, net, inputs or numbered("x", steps), outputs)
    else:
        inputs = inputs or numbered("x", len(outputs) or steps)
        labels = outputs or numbered("y", len(inputs))
        if len(labels) != len(inputs):
            what = f"{len(inputs)} inputs and {len(labels)} outputs, of a net that answers every input"
            raise UsageError("E-PLOT-002", what, mend="give as many of the one as of the other")
        draw_rows(picture, plan_of(net), inputs, labels, 0)
    return picture


def net_of(model: Any) -> Any:
    """The module that has the cells, of what holds one."""
    held = model
    for name in ("net", "model"):
        held = getattr(held, name, held) if not hasattr(held, "parameters") else held
    if not hasattr(held, "parameters"):
        what = f"this {getattr(model, 'kind', type(model).__name__).lower()} has no recurrent net that could be drawn"
        raise UsageError("E-PLOT-001", what, mend="give a net: elman, gru, lstm, a tagger, a classifier's net")
    return held


def plan_of(net: Any) -> Plan:
    """Of a net that answers every step; UsageError E-PLOT-001 for another."""
    from chekhov.recurrent.language_model import RecurrentLM
    from chekhov.recurrent.tagger_net import TaggerNet
    from chekhov.training.memory_tasks import TaskNet

    if isinstance(net, RecurrentLM):
        embedding = f"embedding, {net.embedding.embedding_dim}" if net.embedding else f"one-hot, {net.vocab_size:,}"
        out = f"softmax over {net.vocab_size:,}" + (" (the embedding)" if net.tied else "")
        layers = [[cell] for cell in net.stack.cells]
        return Plan("tokens", embedding, layers, out, residual=net.stack.residual)  # type: ignore[arg-type]
    if isinstance(net, TaggerNet):
        sizes = zip(net.columns, net.crf, strict=True)
        out = "\n".join(f"{'CRF' if crf else 'softmax'} over {len(tags)} tags" for tags, crf in sizes)
        out += mean_of(net)
        return encoder_plan(net.encoder, out, crf=any(net.crf))
    if isinstance(net, TaskNet):
        cells = list(getattr(net.cell, "cells", [net.cell]))
        residual = getattr(net.cell, "residual", False)
        width = f"vectors of {net.cell.input_size}"
        return Plan(width, "", [[cell] for cell in cells], f"scores, {net.head.out_features}", residual=residual)
    raise UsageError("E-PLOT-001", f"there is no drawing of a {type(net).__name__}", mend="draw one of chekhov's nets")


def encoder_plan(encoder: Any, outputs: str, *, crf: bool = False) -> Plan:
    """Of a `WordEncoder`, which may have no layers: a bag of embeddings."""
    layers = [] if encoder.layers is None else list(zip(encoder.layers.forward_cells, encoder.layers.backward_cells))
    width = layers[0][0].input_size if layers else encoder.output_size
    return Plan("words", f"features, {width}", [list(layer) for layer in layers], outputs, crf)


def cell_name(cell: Cell, *, residual: bool, arrow: str) -> str:
    name = type(cell).__name__.replace("FixedWindow", f"window of {getattr(cell, 'width', 0)}")
    return f"{name}, {cell.hidden_size} units{', residual' if residual else ''} {arrow}".rstrip()


def draw_rows(
    picture: Unrolled,
    plan: Plan,
    inputs: Sequence[str],
    outputs: Sequence[str],
    x: float,
    *,
    right: bool = False,
    joined: bool = False,
) -> tuple[list[int], list[list[int]], list[int], list[int]]:
    """Inputs, embedding, layers and outputs from column ``x`` on.

    ``right``: notes stand there. ``joined``: the two directions of the last layer too are put together at each step.
    Returns the inputs, the last layer's boxes (a row for each direction), the outputs, and the first step's cells.
    """
    columns = [x + t for t in range(len(inputs))]

    def row(kind: str, labels: Sequence[str], y: float, note: str, shift: float = 0.0) -> list[int]:
        picture.notes.append(Note(note, columns[-1] + 0.6 if right else columns[0] - 0.6, y, right))
        return [picture.add(kind, label, column + shift, y) for label, column in zip(labels, columns)]

    first = row("input", inputs, 0, plan.inputs)
    below, y, starts = [first], 1, []
    if plan.embedding:
        below = [row("embedding", [""] * len(inputs), y, plan.embedding)]
        picture.connect(first, below[0])
        y += 1
    for number, layer in enumerate(plan.layers):
        made = []
        for backward, cell in enumerate(layer):
            arrow = ("→", "←")[backward] if len(layer) > 1 else ""
            note = cell_name(cell, residual=plan.residual and number > 0, arrow=arrow)
            shift = APART * (2 * backward - 1) if len(layer) > 1 else 0.0
            cells = row("cell", [type(cell).__name__.replace("FixedWindow", "window")] * len(inputs), y, note, shift)
            width = getattr(cell, "width", 1)  # of a window, which has no state but what it still sees
            for boxes in below:
                for t, own in enumerate(cells):
                    picture.connect(boxes[max(0, t - width + 1) : t + 1], [own] * min(t + 1, width))
            if not hasattr(cell, "width"):
                starts.append(cells[-1 if backward else 0])
                picture.arrows += [Arrow(a, b, "time") for a, b in pairwise(cells[::-1] if backward else cells)]
            made.append(cells)
            y += 1
        below, last = made, number == len(plan.layers) - 1
        if len(layer) > 1 and not (last and (plan.outputs or not joined)):
            both = row("embedding", [""] * len(inputs), y, f"both, {sum(cell.hidden_size for cell in layer)}")
            for boxes in below:
                picture.connect(boxes, both)
            below, y = [both], y + 1
    out = row("output", outputs, y, plan.outputs) if plan.outputs else []
    for boxes in below if out else []:
        picture.connect(boxes, out)
    picture.arrows += [Arrow(a, b, "chain") for a, b in pairwise(out)] if plan.crf else []
    return first, below, out, starts


def draw_pool(picture: Unrolled, kind: str, below: list[list[int]], x: float, y: float) -> int:
    """last: from each direction's own last step; else from all."""
    pool = picture.add("pool", kind, x, y)
    ends = [box for boxes in below for box in boxes]
    if kind == "last":
        ends = [boxes[-1 if i == 0 else 0] for i, boxes in enumerate(below)]
    picture.connect(ends, [pool] * len(ends))
    return pool


def draw_classifier(picture: Unrolled, net: Any, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Many to one. A bag's "last" is the embedding of the first word and that of the last, as in `Pool`."""
    all_steps = any(pool.kind != "last" for pool in net.pools)
    _, below, _, _ = draw_rows(picture, encoder_plan(net.encoder, ""), inputs, [], 0, joined=all_steps)
    middle, top = (len(inputs) - 1) / 2, picture.boxes[below[-1][0]].y + 1
    out = picture.add("output", outputs[0] if outputs else "y", middle, top + 1)
    for i, pool in enumerate(net.pools):
        at = middle + 1.2 * (i - (len(net.pools) - 1) / 2)
        rows = below * 2 if pool.kind == "last" and len(below) == 1 else below
        picture.connect([draw_pool(picture, pool.kind, rows, at, top)], [out])
    named = {"multiclass": f"softmax over {net.labels}", "multilabel": f"sigmoid of {net.labels}"}
    picture.notes += [Note("pooling", -0.6, top), Note(named.get(net.task, "a number") + mean_of(net), -0.6, top + 1)]


def mean_of(net: Any) -> str:
    return f"\nmean of {len(net.encoders)} nets" if net.others else ""


def draw_decoder(picture: Unrolled, net: ConditionalLM, outputs: Sequence[str], x: float, vector: int) -> None:
    """From column ``x`` on: <s> and then what it wrote is what it reads; the vector makes every first state."""
    read = ["<s>", *outputs[:-1]]
    first, _, out, starts = draw_rows(picture, plan_of(net.lm), read, outputs, x, right=True)
    picture.connect(out[:-1], first[1:], "copy")
    picture.connect([vector] * len(starts), starts, "time")


def draw_encoder_decoder(picture: Unrolled, net: EncoderDecoder, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    cells = [list(layer) for layer in zip(net.encoder.forward_cells, net.encoder.backward_cells)]
    plan = Plan("source", f"embedding, {net.embedding.embedding_dim}", cells, "")  # type: ignore[arg-type]
    _, below, _, _ = draw_rows(picture, plan, inputs, [], 0)
    x, y = float(len(inputs)), picture.boxes[below[-1][0]].y + 1
    vector = draw_pool(picture, net.pool.kind, below, x, y)
    picture.notes.append(Note(f"a vector of {net.encoder.output_size}", x + 0.4, y, right=True))
    draw_decoder(picture, net.decoder, outputs, x + 1, vector)


def numbered(letter: str, count: int) -> list[str]:
    return [f"{letter}{i}" for i in range(1, count + 1)]


def plot_unrolled(
    model: Any,
    out: str | Path,
    *,
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
    steps: int = STEPS,
    title: str = "",
) -> None:
    """`unroll` as a picture; the ending of ``out`` names the format. UsageError E-TRAIN-015 where it cannot be."""
    from chekhov.inspection.unrolled_plot import draw
    from chekhov.training.plot import check_plot

    check_plot(Path(out))
    draw(unroll(model, inputs=inputs, outputs=outputs, steps=steps), Path(out), title)
