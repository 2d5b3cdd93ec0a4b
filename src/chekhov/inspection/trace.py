"""What a net computes on its way through a text: states, gates and pre-activations of every layer, as named arrays.

    layers.0.forget_gate (T, H)     row t: after token t was read; row 0 is <s>
    embedding (T, E)                what the first layer is given (none with one-hot input)
    features (T, H)                 what the output layer reads; that of row t predicts token t + 1
    log_probs (T,)                  nats: of token t, given those before it; 0 for <s>, which is given

Each comes from the cell's own step (`chekhov.recurrent.cell.Cell.trace_step`), in float32.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chekhov.errors import ModelError, UsageError
from chekhov.files import commit, safetensors_blocks, write_temporary
from chekhov.inspection.reading import ReadText
from chekhov.tasks.text_model import RECURRENT, TextModel
from chekhov.types import Arrays

MOST_BYTES = 2 << 30
BLOCK = 256  # rows of the output layer at once
CLOSED, OPEN = 0.1, 0.9  # a sigmoid gate is as good as shut below, as good as open above
FLAT = 0.9  # where tanh hardly changes any more
SIGMOIDS = ("input_gate", "forget_gate", "output_gate", "reset_gate", "update_gate", "recurrence_gate")


@dataclass(frozen=True)
class Trace:
    """``arrays``: (T, ...) float32, by name."""

    model: str
    kind: str
    read: ReadText
    log_probs: NDArray[np.float32]
    arrays: Arrays

    def save(self, path: Path) -> None:
        """All arrays, ``ids``, ``offsets`` and ``log_probs`` in one safetensors file; the text and its tokens (JSON)
        in the metadata of its header."""
        stored: Arrays = {
            "ids": self.read.ids,
            "offsets": self.read.offsets,
            "log_probs": self.log_probs,
            **self.arrays,
        }
        tokens = json.dumps(self.read.tokens, ensure_ascii=False)
        metadata = {"schema": "1", "model": self.model, "kind": self.kind, "text": self.read.text, "tokens": tokens}
        names = sorted(stored, key=lambda name: (-stored[name].itemsize, name))  # so that each is aligned
        temporary, _ = write_temporary(path, safetensors_blocks({name: stored[name] for name in names}, metadata))
        commit(temporary, path)


def trace(model: TextModel, read: ReadText) -> Trace:
    """Raises `UsageError` for a model without states, `ModelError` for an activation that is not finite."""
    check_net(model)
    import torch

    net: Any = model.model
    check_room(net, len(read.ids))
    arrays: Arrays = {}
    with torch.inference_mode():
        cells = net.stack.initial_state(1)
        for t, id in enumerate(read.ids.tolist()):
            x = net.embed(torch.tensor([id]))
            named, cells = net.stack.trace_step(x, cells)
            if net.embedding is not None:
                named = {"embedding": x, **named}
            for name, value in named.items():
                if t == 0:
                    arrays[name] = np.empty((len(read.ids), value.shape[1]), np.float32)
                arrays[name][t] = value[0].numpy()
    check_finite(arrays, read)
    return Trace(model.name, model.kind, read, token_log_probs(net, arrays["features"], read), arrays)


def check_net(model: TextModel) -> None:
    if model.kind in RECURRENT:
        return
    if model.kind == "mixture":
        what = "a mixture has no states of its own"
        mend = "trace one of the models that were mixed; --saliency asks a mixture, too"
    else:
        what = f"a model of kind {model.kind} has no states and gates to store"
        mend = "leave -o out: then its context and its back-offs are printed"
    raise UsageError("E-TRACE-001", what, where=model.name, mend=mend)


def check_room(net: Any, T: int) -> None:
    """A text of millions of tokens makes a file that nobody meant."""
    import torch

    with torch.inference_mode():
        named, _ = net.stack.trace_step(net.embed(torch.tensor([0])), net.stack.initial_state(1))
    needed = 4 * T * sum(value.shape[1] for value in named.values())
    if needed > MOST_BYTES:
        what = f"the trace of {T:,} tokens would take {needed / 2**30:.1f} GiB"
        raise UsageError("E-TRACE-004", what, mend=f"give at most {T * MOST_BYTES // needed:,} tokens")


def check_finite(arrays: Arrays, read: ReadText) -> None:
    for name, array in arrays.items():
        bad = ~np.isfinite(array).all(axis=1)
        if bad.any():
            t = int(bad.argmax())
            what = f"{name} is not finite from token {t} ({read.tokens[t]!r}) on"
            mend = "train again with a smaller --lr or --clip; a ReLU net may grow without bound on a long text"
            raise ModelError("E-TRACE-005", what, mend=mend)


def token_log_probs(net: Any, features: NDArray[np.float32], read: ReadText) -> NDArray[np.float32]:
    """The head and the softmax on the features before each token."""
    import torch

    log_probs = np.zeros(len(read.ids), np.float32)
    with torch.inference_mode():
        for start in range(1, len(read.ids), BLOCK):
            targets = read.ids[start : start + BLOCK]
            rows = net.log_softmax(torch.from_numpy(features[start - 1 : start - 1 + len(targets)])).numpy()
            log_probs[start : start + len(targets)] = rows[np.arange(len(targets)), targets]
    return log_probs


def summary(trace: Trace) -> list[dict[str, Any]]:
    """Of each array of each layer: mean, standard deviation, and the shares that are as good as shut, open or flat.

    A gate is shut below 0.1 and open above 0.9; candidates and states behind a tanh are flat beyond 0.9 either way.
    """
    rows = []
    for name, array in trace.arrays.items():
        if name.endswith("pre_activation") or not name.startswith("layers."):
            continue
        _, layer, what = name.split(".")
        row: dict[str, Any] = {
            "layer": int(layer),
            "name": what,
            "mean": float(array.mean()),
            "std": float(array.std()),
        }
        if what in SIGMOIDS:
            row |= {"shut": float((array < CLOSED).mean()), "open": float((array > OPEN).mean())}
        elif what != "cell_state":
            row |= {"flat": float((np.abs(array) > FLAT).mean())}
        rows.append(row)
    return rows
