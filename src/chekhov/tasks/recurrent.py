"""Train a recurrent language model on a corpus, with the baselines beside it and samples while it learns."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chekhov.errors import UsageError, check_range
from chekhov.tasks.corpus import Corpus
from chekhov.tasks.text_model import TextModel, require_torch
from chekhov.tokens.tokenizer import Tokenizer
from chekhov.types import Ids

if TYPE_CHECKING:
    from chekhov.recurrent.language_model import RecurrentLM

BASELINES = ((1, "unigram"), (3, "3-gram Kneser-Ney"))
BASELINE_TOKENS = 1 << 24  # of a longer text the baselines count the beginning
SAMPLE_TOKENS = {"characters": 120, "bytes": 160, "bpe": 40}  # else 25
SIZES = {
    "small": {"hidden_size": 128, "embedding_size": 64, "num_layers": 1},
    "medium": {"hidden_size": 256, "embedding_size": 128, "num_layers": 1},
    "large": {"hidden_size": 512, "embedding_size": 256, "num_layers": 2},
}
LEARNING_RATES = {
    "muon": {
        **{"lstm": 1.2e-2, "gru": 8e-3, "elman": 8e-3, "window": 4e-3},
        **{"mingru": 8e-3, "minlstm": 8e-3, "qrnn": 1.4e-2, "sru": 1.4e-2, "indrnn": 8e-3, "rglru": 1.6e-2},
    },
    "adamw": {
        **{"lstm": 8e-3, "gru": 8e-3, "elman": 8e-3, "window": 4e-3},
        **{"mingru": 8e-3, "minlstm": 8e-3, "qrnn": 8e-3, "sru": 1.6e-2, "indrnn": 8e-3, "rglru": 1.6e-2},
    },
}
OPTIMISERS = {"window": "adamw"}  # else muon
WEIGHT_DECAYS = {"muon": 0.1, "adamw": 0.01, "sgd": 0.01}


def train_recurrent(
    kind: str,
    corpus: Corpus,
    tokenizer: Tokenizer,
    ids: Ids,
    folder: Path,
    *,
    seed: int,
    training: dict[str, Any],
    note: Callable[[str], None],
    start: TextModel | None = None,
    size: str = "medium",
    hidden_size: int | None = None,
    num_layers: int | None = None,
    embedding_size: int | None = None,
    tied: bool = False,
    residual: bool = False,
    dropout: float = 0.0,
    locked_dropout: bool = False,
    weight_drop: float = 0.0,
    batch_size: int = 16,
    sequence_length: int = 64,
    epochs: int | None = None,
    time: float | str | None = None,
    lr: float | None = None,
    optimiser: str | None = None,
    momentum: float = 0.0,
    schedule: str = "cosine",
    warmup_steps: int = 20,
    clip: float = 1.0,
    clip_value: float | None = None,
    weight_decay: float | None = None,
    alpha: float = 0.0,
    beta: float = 0.0,
    patience: int = 10,
    precision: str = "auto",
    threads: int = 1,
    resume: bool = False,
    quiet: bool = False,
    baselines: bool = True,
    plot: str | Path | None = None,
    tensorboard: str | Path | None = None,
    **cell_options: Any,
) -> TextModel:
    """The net at its best on the validation part; ``folder`` holds it at every moment, and a checkpoint to resume from.

    Ends after ``epochs`` or ``time`` (90, "90s", "5m", "1.5h") of training steps, 5 minutes if neither is given, or
    when ``patience`` validations in a row were no better. Ctrl-C and SIGTERM keep the best (`stopped_by` says which).
    ``start``: go on from this model's weights. ``cell_options``: those of the kind's class in `chekhov.recurrent`.
    """
    check_range("threads", threads, 1, 1024)
    require_torch()
    import torch

    from chekhov.recurrent.sequences import kernels_of
    from chekhov.training.loop import Plan, train_loop
    from chekhov.training.plot import check_plot, curve_line, plot_curves
    from chekhov.training.precision import choose_precision, multiplies_bf16
    from chekhov.training.progress import Watcher, tensorboard_writer

    check_cell_options(kind, cell_options)
    if plot:
        check_plot(Path(plot))  # now, and not after an hour
    torch.set_num_threads(threads)
    optimiser = optimiser or OPTIMISERS.get(kind, "muon")
    plan = Plan(
        batch_size=batch_size,
        sequence_length=sequence_length,
        epochs=epochs,
        time=300.0 if epochs is None and time is None else parse_time(time),
        lr=LEARNING_RATES.get(optimiser, {}).get(kind, 1.0) if lr is None else lr,
        clip=clip,
        clip_value=clip_value,
        optimiser=optimiser,
        momentum=momentum,
        schedule=schedule,
        warmup_steps=warmup_steps,
        weight_decay=WEIGHT_DECAYS.get(optimiser, 0.0) if weight_decay is None else weight_decay,
        alpha=alpha,
        beta=beta,
        patience=patience,
        precision=choose_precision(precision),
        seed=seed,
    )
    plan.check()
    if plan.precision == "bf16" and not multiplies_bf16():
        note("this processor does not multiply bfloat16: --precision bf16 only rounds here, and is no faster")
    training["threads"] = threads
    torch.manual_seed(seed)
    given = {"hidden_size": hidden_size, "num_layers": num_layers, "embedding_size": embedding_size}
    if start is None:
        sizes = preset(size) | {name: value for name, value in given.items() if value is not None}
        sizes |= {"tied": tied, "residual": residual, "cell_options": cell_options}
    else:
        sizes = sizes_of(start, kind, given, cell_options)
    sizes |= {"dropout": dropout, "locked_dropout": locked_dropout, "weight_drop": weight_drop}
    model = make_net(kind, tokenizer.vocabulary.size, sizes, batch_size * sequence_length)
    if start is not None:
        model.load_arrays(start.model.arrays())
    options = model.cell_options or {}
    training["kernels"] = kernels_of(kind, model.stack.hidden_size, options, plan.precision)
    found = TextModel(model, tokenizer, training, plan.precision)
    valid_ids = tokenizer.encode_all(corpus.valid)
    if len(valid_ids) < 2:
        note("the text is too short for a validation part: the best model is chosen on the training text")
        valid_ids = ids
    per_token = corpus.characters / len(ids)
    with Watcher(quiet=quiet) as watcher, tensorboard_writer(tensorboard) as write:
        if baselines and not resume:
            for line in baseline_lines(ids, valid_ids, tokenizer, per_token):
                watcher.say(line)
        training["stopped_by"] = ""
        report = train_loop(
            model,
            ids,
            valid_ids,
            plan,
            characters_per_token=per_token,
            folder=folder,
            resume=resume,
            keep_best=lambda progress: keep(found, folder),
            watch=Companion(watcher, found, write),
        )
        watcher.say(curve_line(folder))
    if plot:
        plot_curves(folder, Path(plot))
    training["steps"], training["tokens_seen"] = report.progress.step, report.progress.tokens
    training["seconds"] = round(report.progress.seconds, 3)
    training["cpu_seconds"] = round(report.progress.cpu_seconds, 3)
    training["stopped_by"] = report.stopped_by
    return found


def make_net(kind: str, vocab_size: int, sizes: dict[str, Any], window_tokens: int) -> RecurrentLM:
    """A new net; `ModelError` before anything is allocated if there is no memory to train it."""

    from chekhov.recurrent.language_model import RecurrentLM
    from chekhov.recurrent.shapes import shapes_alone
    from chekhov.training.memory import check_memory, estimate_bytes

    with shapes_alone():
        parameter_count = RecurrentLM(kind, vocab_size, **sizes).parameter_count
    check_memory(estimate_bytes(kind, parameter_count, vocab_size, sizes, window_tokens))
    return RecurrentLM(kind, vocab_size, **sizes)


def preset(size: str) -> dict[str, Any]:
    if size not in SIZES:
        raise UsageError("E-TRAIN-010", f"--size {size} is unknown", mend=f"choose one of {', '.join(SIZES)}")
    return SIZES[size]


def check_cell_options(kind: str, options: dict[str, Any]) -> None:
    """What is no setting of training must be one of the cell."""
    from chekhov.recurrent.language_model import CELLS

    if "bidirectional" in options:
        why = "it would read the very words that it is to predict, and its perplexity would mean nothing"
        what = "a language model reads from left to right"
        mend = "leave it out; taggers and classifiers may read from both ends"
        raise UsageError("E-TRAIN-014", what, why=why, mend=mend)
    unknown = [name for name in options if name not in inspect.signature(CELLS[kind]).parameters]
    if unknown:
        raise UsageError(
            "E-TRAIN-008", f"{kind} has no setting {', '.join(unknown)}", mend=f"see chekhov train {kind} -h"
        )


def sizes_of(start: TextModel, kind: str, given: dict[str, int | None], options: dict[str, Any]) -> dict[str, Any]:
    """The sizes of the model that is to be gone on from; what was given besides must agree with them."""
    from chekhov.recurrent.language_model import CELLS

    if start.kind != kind:
        what = f"{start.name} is of kind {start.kind}, not {kind}"
        raise UsageError("E-TRAIN-012", what, mend=f"chekhov train {start.kind} --from {start.name} ...")
    others = ("cell", "vocab_size", "dropout", "locked_dropout", "weight_drop")
    sizes = {name: value for name, value in start.model.sizes().items() if name not in others}
    defaults = {name: p.default for name, p in inspect.signature(CELLS[kind]).parameters.items()}
    wanted = {name: value for name, value in given.items() if value is not None}
    wanted |= {name: value for name, value in options.items() if value != defaults.get(name)}
    known = {**defaults, **sizes, **sizes["cell_options"]}
    differing = [name for name, value in wanted.items() if known[name] != value]
    if differing:
        what = f"{', '.join(differing)} of {start.name} cannot be changed"
        raise UsageError("E-TRAIN-013", what, mend="leave them out, or train anew without --from")
    return sizes


def parse_time(time: float | str | None) -> float | None:
    """``90``, ``90s``, ``5m``, ``1.5h`` in seconds."""
    if time is None or not isinstance(time, str):
        return time
    number, unit = (time[:-1], time[-1]) if time and time[-1] in "smh" else (time, "s")
    try:
        return float(number) * {"s": 1, "m": 60, "h": 3600}[unit]
    except ValueError as error:
        what = f"--time {time} is no time"
        raise UsageError("E-RANGE-002", what, mend="give seconds, or 90s, 5m, 1.5h") from error


def keep(model: TextModel, folder: Path) -> None:
    """Commit the weights of this moment; they are the best so far."""
    weights = model.model.training  # type: ignore[attr-defined]
    model.model.eval()  # type: ignore[attr-defined]
    model.save(folder)
    model.model.train(weights)  # type: ignore[attr-defined]


def baseline_lines(ids: Ids, valid_ids: Ids, tokenizer: Tokenizer, characters_per_token: float) -> list[str]:
    """What a net has to beat: the unigram and a Kneser-Ney trigram on the same ids, in bits per character."""
    from chekhov.evaluation.perplexity import token_log_probs
    from chekhov.ngram.model import train_ngram

    lines = []
    if len(ids) > BASELINE_TOKENS:
        ids = ids[:BASELINE_TOKENS].astype(np.int64)
        lines.append(f"baselines: of the first {BASELINE_TOKENS:,} tokens")
    for order, name in BASELINES:
        model = train_ngram(ids, order=order, vocab_size=tokenizer.vocabulary.size)
        nats = -float(token_log_probs(model, valid_ids).astype(np.float64).mean())
        bits = nats / math.log(2) / characters_per_token
        lines.append(f"baseline {name}: {bits:.3f} bits/char, valid {nats:.4f} nats/token, ppl {math.exp(nats):,.2f}")
    return lines


class Companion:
    """Hands the log on to the watcher, and at every fourth validation shows what the net writes by now."""

    def __init__(self, watcher: Any, model: TextModel, write: Callable[[dict[str, Any]], None]):
        self.watcher, self.model, self.write, self.validations = watcher, model, write, 0

    def __call__(self, record: dict[str, Any]) -> None:
        self.watcher(record)
        self.write(record)
        if record["valid_loss"] is None or self.watcher.quiet:
            return
        self.validations += 1
        if self.validations % 5 == 1:
            net: Any = self.model.model
            net.eval()
            size = SAMPLE_TOKENS.get(self.model.tokenizer.name, 25)
            text = self.model.generate(max_tokens=size, temperature=0.8, seed=record["step"])
            net.train()
            self.watcher.say("  sample: " + " ".join(text.split()))
