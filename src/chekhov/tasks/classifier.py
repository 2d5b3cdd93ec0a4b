"""A classifier of texts: one class of several, several labels at once, or a number."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

import chekhov
from chekhov.errors import COPY_AGAIN, ModelError, TrainingError, UsageError
from chekhov.evaluation.calibration import best_temperature
from chekhov.evaluation.labelling import macro_f1
from chekhov.files import digest
from chekhov.labels.features import sorted_batches
from chekhov.labels.vectors import LIMIT
from chekhov.saving import make_folder, read_folder, save_folder
from chekhov.tasks.estimator import Estimator
from chekhov.tasks.label_card import label_card
from chekhov.tasks.label_values import (
    as_strings,
    balanced_weights,
    cross_entropy,
    kept_aside,
    labels_of,
    numbers_of,
    words_of,
)
from chekhov.tasks.linear_text import LinearText, fit_best, mixed, naive_bayes_row
from chekhov.tasks.tagger import MAX_TOKENS
from chekhov.tasks.text_model import require_torch
from chekhov.tasks.word_inputs import WordInputs

MODELS, WEIGHTS = ("net", "bag", "linear", "auto"), (None, "balanced")
MIXED, PARTNER, LINEAR = "net + linear", "linear.", ("idf", "coefficients", "intercept")
SHARES = (0.5, 0.35, 0.65)  # of the net, in log p; of equal ones the first
FEW, EPOCHS_OF_FEW, EPOCHS = 5_000, 14, 8  # texts: fewer are read more often
RUNS = "runs"  # under the folder: those of auto, until all are done
TIE = 1e-4  # of the cross-entropy, where small validation parts give equal errors


class Classifier(Estimator):
    """Words by their features -> bidirectional LSTM -> pooling -> softmax.

    ``task``: multiclass, multilabel (labels joined by a comma, or lists) or regression. ``model``: net; bag (of
    embeddings, no LSTM); linear (tf-idf and logistic regression; multiclass only); or auto: all of them, and the best
    on the validation part is kept. ``pooling``: last, mean, max, attention, or several joined by +. ``class_weight``:
    balanced or None. ``nets``: so many of them side by side, whose scores are averaged. ``epochs``: 8, or 14 of fewer
    than 5,000 texts, where it is None. After `fit`: ``classes_``, ``table`` (figures of each model), ``training``.
    """

    net: Any = None
    chosen = ""
    inputs = WordInputs([""])

    def __init__(
        self,
        *,
        task: str = "multiclass",
        model: str = "net",
        pooling: str = "max+mean",
        class_weight: str | None = None,
        features: str = "affixes",
        vectors: str | None = None,
        vector_limit: int = LIMIT,
        hidden_size: int = 96,
        num_layers: int = 1,
        nets: int = 3,
        word_size: int = 64,
        affix_size: int = 16,
        character_size: int = 24,
        projection_size: int = 96,
        dropout: float = 0.5,
        word_dropout: float = 0.1,
        epochs: int | None = None,
        time: float | None = None,
        batch_size: int = 32,
        lr: float = 3e-3,
        weight_decay: float = 0.01,
        patience: int = 0,
        seed: int = 0,
    ):
        self.task, self.model, self.pooling, self.class_weight = task, model, pooling, class_weight
        self.features, self.vectors, self.vector_limit = features, vectors, vector_limit
        self.hidden_size, self.num_layers, self.nets = hidden_size, num_layers, nets
        self.character_size, self.projection_size = character_size, projection_size
        self.word_size, self.affix_size, self.dropout, self.word_dropout = word_size, affix_size, dropout, word_dropout
        self.epochs, self.time, self.batch_size, self.lr = epochs, time, batch_size, lr
        self.weight_decay, self.patience, self.seed = weight_decay, patience, seed

    partner: LinearText | None  # of "net + linear"

    def fit(
        self,
        texts: Sequence[str],
        labels: Sequence[Any],
        *,
        valid: tuple[Sequence[str], Sequence[Any]] | None = None,
        out: str | Path | None = None,
        resume: bool = False,
        training: dict[str, Any] | None = None,
        watch: Callable[[dict[str, Any]], None] = lambda record: None,
    ) -> Self:
        """Train; ``valid`` chooses the weights and the model, else a tenth of the texts drawn from the seed.

        Raises UsageError E-LABEL-003 (texts and labels that do not match), E-LABEL-010 (a label that is no finite
        number), E-LABEL-011 (linear for a task that it has not), TrainingError E-LABEL-004 (nothing to train on).
        """
        for name, value, known in (("model", self.model, MODELS), ("class weight", self.class_weight, WEIGHTS)):
            if value not in known:
                raise UsageError("E-LABEL-001", f"the {name} {value!r} is unknown", mend=f"one of {str(known)[1:-1]}")
        if self.model == "linear" and self.task != "multiclass":
            raise UsageError("E-LABEL-011", f"linear has no {self.task}", mend="--model net or bag")
        if len(texts) != len(labels) or isinstance(texts, str):
            raise UsageError("E-LABEL-003", f"{len(texts)} texts have {len(labels)} labels", mend="one for each")
        if not len(texts):
            raise TrainingError("E-LABEL-004", "there is no text to train on", mend="give some")
        texts, labels = as_strings(texts), list(labels)
        train, held = kept_aside(list(range(len(texts))), self.seed)
        if valid is not None:
            train, (valid_texts, valid_labels) = list(range(len(texts))), (list(valid[0]), list(valid[1]))
        else:
            valid_texts, valid_labels = [texts[i] for i in held], [labels[i] for i in held]
        self.training = {"chekhov": chekhov.__version__, **(training or {})}
        self._prepare([labels[i] for i in (train if valid is not None else range(len(texts)))])
        given = [texts[i] for i in train], [labels[i] for i in train]
        self.table: list[dict[str, Any]] = []
        candidates = [self.model] if self.model != "auto" else ["bag", "net"]
        if self.model == "auto" and self.task == "multiclass":
            candidates = ["linear", *candidates]
            wanted = self._targets(valid_labels)
            self.table.append(naive_bayes_row(given[0], self._targets(given[1]), valid_texts, wanted))
        best: tuple[float, Any] | None = None
        linear: LinearText | None = None
        if out is not None and not resume:
            shutil.rmtree(Path(out) / RUNS, ignore_errors=True)  # of a run that this one replaces
        elif out is not None and not (Path(out) / RUNS).is_dir() and self.model == "auto":
            raise TrainingError("E-RESUME-001", "no run to resume", where=str(out), mend="start anew without --resume")
        for kind in candidates:
            if kind == "linear":
                self._fit_linear(*given, valid_texts, valid_labels)
            else:
                self._fit_net(kind, *given, valid_texts, valid_labels, out=out, resume=resume, watch=watch)
            error = self._judge(self._scores(valid_texts), valid_labels)
            self.table.append({"model": kind, **self._row(valid_texts, valid_labels)})
            linear = self.net if kind == "linear" else linear
            if best is None or error < best[0]:
                best = error, (kind, self.net, self.inputs, None)
            if self.training["stopped_by"] in ("SIGINT", "SIGTERM"):
                break
            if kind == "net" and linear is not None:
                error = self._mix_with(linear, valid_texts, valid_labels)
                if best is None or error < best[0]:
                    best = error, (MIXED, self.net, self.inputs, self.partner)
        self.chosen, self.net, self.inputs, self.partner = best[1] if best else ("", None, WordInputs([""]), None)
        self._calibrate(valid_texts, valid_labels)
        self.training |= {"table": self.table, "kernels": getattr(self.net, "kernels", "reference")}
        self.training["cpu_seconds"] = round(sum(r["cpu_seconds"] or 0 for r in self.table if r["model"] != MIXED), 3)
        if out is not None:
            self.save(out)
            if self.training["stopped_by"] not in ("SIGINT", "SIGTERM"):
                shutil.rmtree(Path(out) / RUNS, ignore_errors=True)
        return self

    def predict(self, texts: Sequence[str]) -> Any:
        """(N,) classes or numbers; a list of labels for each text where there may be several."""
        if self.task == "regression":
            return self._scores(texts)[:, 0] * self.scale[1] + self.scale[0]
        values = self.predict_proba(texts)
        if self.task == "multilabel":
            return [[str(label) for label in self.classes_[row >= 0.5]] for row in values]
        return self.classes_[values.argmax(1)]

    def predict_proba(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """(N, C) in the order of ``classes_``, by the temperature of the validation part."""
        scores = self._scores(texts) / self.temperature
        if self.task == "multilabel":
            return 1 / (1 + np.exp(-scores))
        exp = np.exp(scores - scores.max(1, keepdims=True))
        return exp / exp.sum(1, keepdims=True)

    def score(self, texts: Sequence[str], labels: Sequence[Any]) -> float:
        """Accuracy; of several labels the share of texts whose set is right; of numbers R squared."""
        found = self.predict(texts)
        if self.task == "regression":
            wanted = np.asarray(labels, float)
            return float(1 - ((found - wanted) ** 2).sum() / max(((wanted - wanted.mean()) ** 2).sum(), 1e-12))
        if self.task == "multilabel":
            return float(np.mean([set(a) == set(labels_of(b)) for a, b in zip(found, labels)]))
        return float(np.mean([str(a) == str(b) for a, b in zip(found, labels)]))

    def save(self, folder: str | Path) -> None:
        words, partner = self.inputs.to_json(), self.partner.arrays(PARTNER) if self.partner else {}
        settings = {name: getattr(self, name) for name in self._setting_names()}
        classes = [c.item() if isinstance(c, np.generic) else c for c in self.classes_]
        fitted = {"chosen": self.chosen, "classes": classes, "temperature": self.temperature}
        fitted |= {"scale": list(self.scale), "share": self.share}
        training = {**self.training, "settings": settings, "fitted": fitted}
        sizes = self.net.sizes() if self.chosen != "linear" else {"labels": len(self.classes_)}
        save_folder(
            Path(folder),
            kind="classifier",
            sizes=sizes,
            arrays={**self.net.arrays(), **self.inputs.arrays(), **partner},
            tokenizer=words,
            tokenizer_digest=digest(words),
            card=label_card("classifier", self.parameter_count, training),
            training=training,
            kernels=self.training.get("kernels", "reference"),
        )

    @property
    def parameter_count(self) -> int:
        own = [self.net, self.partner] if self.partner else [self.net]
        return int(sum(array.size for model in own for array in model.arrays().values()))

    @classmethod
    def load(cls, folder: str | Path) -> Classifier:
        """The classifier of a folder; ModelError as `chekhov.load`."""
        classifier = cls()
        classifier._take(Path(folder))
        return classifier

    def _take(self, folder: Path) -> None:
        config, arrays, words = read_folder(folder)
        if config.kind != "classifier":
            what = f"this is a model of kind {config.kind}, not a classifier"
            raise ModelError("E-MODEL-023", what, where=str(folder), mend="see chekhov info")
        try:
            self.partner = None
            if partner := {name: arrays.pop(PARTNER + name) for name in LINEAR if PARTNER + name in arrays}:
                self.partner = LinearText(partner)
            self.inputs, arrays = WordInputs.from_stored(words, arrays)
            self.training = dict(config.training)
            self.set_params(**self.training.pop("settings"))
            fitted = self.training.pop("fitted")
            self.chosen, self.temperature = fitted["chosen"], float(fitted["temperature"])
            self.classes_, self.scale = np.array(fitted["classes"]), tuple(fitted["scale"])
            self.table, self.share = self.training.get("table", []), float(fitted.get("share", 0.0))
            if self.chosen == "linear":
                self.net = LinearText(arrays)
            else:
                require_torch()
                from chekhov.recurrent.classifier_net import ClassifierNet

                self.net = ClassifierNet.from_arrays(config.sizes, arrays)
                self.inputs.attach(self.net)
        except ModelError as error:
            raise error.at(str(folder)) from error
        except (msgspec.MsgspecError, TypeError, KeyError, ValueError, UsageError, RuntimeError) as error:
            what = "the sizes in config.json do not make a classifier"
            raise ModelError("E-MODEL-017", what, where=str(folder), why=str(error), mend=COPY_AGAIN) from error

    # What the verbs above are made of.

    def _prepare(self, labels: Sequence[Any]) -> None:
        """``classes_``, and the mean and deviation of numbers."""
        self.temperature, self.scale, self.partner, self.share = 1.0, (0.0, 1.0), None, 0.0
        if self.task == "regression":
            numbers = numbers_of(labels)
            self.classes_, self.scale = np.array(["value"]), (float(numbers.mean()), float(numbers.std()) or 1.0)
        elif self.task == "multilabel":
            self.classes_ = np.array(sorted({label for row in labels for label in labels_of(row)}))
        else:
            self.classes_ = np.unique(np.asarray(labels))

    def _targets(self, labels: Sequence[Any]) -> NDArray[Any]:
        """As `ClassifierNet.loss` wants them; a class that is not known is -1."""
        if self.task == "regression":
            return ((numbers_of(labels) - self.scale[0]) / self.scale[1]).astype(np.float32)
        numbers = {label: k for k, label in enumerate(self.classes_.tolist())}
        if self.task == "multilabel":
            out = np.zeros((len(labels), len(self.classes_)), np.float32)
            for row, own in enumerate(labels):
                out[row, [numbers[label] for label in labels_of(own) if label in numbers]] = 1
            return out
        return np.array([numbers.get(label, -1) for label in np.asarray(labels).tolist()], np.int64)

    def _fit_linear(self, texts: Any, labels: Any, valid_texts: Any, valid_labels: Any) -> None:
        import time

        started, self.inputs, self.chosen = time.process_time(), WordInputs([""]), "linear"
        targets, wanted, balanced = self._targets(labels), self._targets(valid_labels), self.class_weight == "balanced"
        self.net = fit_best(texts, targets, len(self.classes_), valid_texts, wanted, balanced=balanced)
        self.training |= {"cpu_seconds": round(time.process_time() - started, 3), "steps": 0, "stopped_by": ""}

    def _fit_net(
        self, kind: str, texts: Sequence[str], labels: Sequence[Any], valid_texts: Any, valid_labels: Any, *,
        out: str | Path | None, resume: bool, watch: Callable[[dict[str, Any]], None],
    ) -> None:  # fmt: skip
        require_torch()
        import torch

        from chekhov.recurrent.classifier_net import ClassifierNet
        from chekhov.training.labelled import train_labels
        from chekhov.training.loop import Plan

        torch.manual_seed(self.seed)
        words, targets = words_of(texts), self._targets(labels)
        self.inputs, self.chosen = WordInputs.begin(self.features, self.vectors, self.vector_limit), kind
        self.inputs.learn(words)
        names = ("word_size", "hidden_size", "dropout", "word_dropout")
        layers, nets = (0, 1) if kind == "bag" else (self.num_layers, self.nets)
        encoder = {**{n: getattr(self, n) for n in names}, "num_layers": layers, "nets": nets}
        encoder |= self.inputs.encoder_sizes(self.affix_size, self.character_size, self.projection_size)
        balanced = self.class_weight is not None and self.task != "regression"
        weights = balanced_weights(targets, len(self.classes_)) if balanced else None
        net = ClassifierNet(len(self.inputs.words), len(self.classes_), self.task, self.pooling, weights, **encoder)
        self.net = net
        self.inputs.attach(net)
        settings = ("time", "batch_size", "lr", "weight_decay", "patience", "seed")
        epochs = self.epochs if self.epochs is not None else EPOCHS if len(texts) >= FEW else EPOCHS_OF_FEW
        plan = Plan(epochs=None if self.time else epochs, **{n: getattr(self, n) for n in settings})
        folder = None if out is None else Path(out) / RUNS / kind if self.model == "auto" else Path(out)
        if folder is not None:
            make_folder(folder)
            resume = resume and (self.model != "auto" or (folder / "checkpoint.json").exists())
        report = train_labels(
            net,
            self.inputs.number(words),
            lambda rows, places: targets[rows],
            plan,
            data=[targets, *self.inputs.arrays().values()],
            validate=lambda: self._judge(self._scores(valid_texts), valid_labels),
            folder=folder,
            resume=resume,
            keep_best=lambda progress: None if folder is None or self.model == "auto" else self.save(folder),
            watch=lambda record: watch({"model": kind, **record}),
        )
        progress = report.progress
        self.training |= {"steps": progress.step, "seconds": round(progress.seconds, 3)}
        self.training |= {"cpu_seconds": round(progress.cpu_seconds, 3), "stopped_by": report.stopped_by}

    def _scores(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """(N, C): before softmax, sigmoid or scale."""
        self._check_rows(texts)
        if self.chosen == "linear":
            return self.net.scores(list(texts))
        import torch

        from chekhov.recurrent.reading import read

        out = np.zeros((len(texts), len(self.classes_)))
        words = self.inputs.number(words_of(texts))
        training = self.net.training
        self.net.eval()
        batches = sorted_batches(words.lengths, 128, MAX_TOKENS)
        for net in self.net.nets:
            for rows, hidden in read(net.encoder, words, batches):
                with torch.inference_mode():
                    scores = net.scores_of(hidden, torch.from_numpy(words.lengths[rows])).numpy()
                out[rows] += scores.astype(np.float64) / len(self.net.nets)
        self.net.train(training)
        return out if self.partner is None else mixed(out, self.partner.scores(list(texts)), self.share)

    def _mix_with(self, linear: LinearText, texts: Sequence[str], labels: Sequence[Any]) -> float:
        """Let a linear model have a say beside the net, by the best of `SHARES`; what `_judge` says of it."""
        scores, other = self._scores(texts), linear.scores(list(texts))
        worth = {share: self._judge(mixed(scores, other, share), labels) for share in SHARES}
        self.partner, self.share = linear, min(SHARES, key=worth.__getitem__)
        self.table.append({"model": MIXED, **self._row(texts, labels)})  # CPU seconds: the net's
        return worth[self.share]

    def _error(self, scores: NDArray[np.float64], labels: Sequence[Any]) -> float:
        """1 - accuracy; of several labels 1 - F1 over all; of numbers the squared error in deviations."""
        wanted = self._targets(labels)
        if self.task == "regression":
            return float(((scores[:, 0] - wanted) ** 2).mean())
        if self.task == "multilabel":
            own, found = wanted > 0, scores > 0
            return 1 - float(2 * (own & found).sum() / max(1, own.sum() + found.sum()))
        return 1 - float((scores.argmax(1) == wanted).mean())

    def _row(self, texts: Sequence[str], labels: Sequence[Any]) -> dict[str, Any]:
        """What the table says of the model at hand."""
        scores = self._scores(texts)
        row: dict[str, Any] = {"error": self._error(scores, labels), "cpu_seconds": self.training.get("cpu_seconds")}
        if self.task == "multiclass":
            found = self.classes_[scores.argmax(1)].astype(str)
            row |= {"accuracy": 1 - row["error"], "macro_f1": macro_f1(list(map(str, labels)), found)}
        return row

    def _calibrate(self, texts: Sequence[str], labels: Sequence[Any]) -> None:
        """The temperature with the least cross-entropy on the validation part."""
        if self.task == "regression":
            return
        scores, wanted = self._scores(texts), self._targets(labels)
        several = self.task == "multilabel"
        self.temperature = best_temperature(lambda t: cross_entropy(scores / t, wanted, multilabel=several))

    def _judge(self, scores: NDArray[np.float64], labels: Sequence[Any]) -> float:
        """`_error`, and of equal ones the one that is surer of what is right."""
        error = self._error(scores, labels)
        if self.task == "regression":
            return error
        return error + TIE * cross_entropy(scores, self._targets(labels), multilabel=self.task == "multilabel")
