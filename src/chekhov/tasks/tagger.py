"""A tagger: for every word of a sentence a tag, or several; or spans with their confidence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

import chekhov
from chekhov.errors import COPY_AGAIN, ModelError, TrainingError, UsageError
from chekhov.files import digest
from chekhov.labels.features import sorted_batches
from chekhov.labels.spans import SCHEMES, Span, TaggedSpan, are_spans, convert, spans_of
from chekhov.labels.vectors import LIMIT
from chekhov.saving import make_folder, read_folder, save_folder
from chekhov.tasks.estimator import Estimator
from chekhov.tasks.label_card import label_card
from chekhov.tasks.label_values import columns_of, kept_aside
from chekhov.tasks.linear_partner import LinearPartner
from chekhov.tasks.tagger_learning import Tags, as_targets, calibrate, cut, learn_all
from chekhov.tasks.text_model import require_torch
from chekhov.tasks.word_inputs import WordInputs

MAX_TOKENS = 16_384  # of a batch, its padding too
FEW = 5_000  # sentences: of fewer, what a word is made of tells more than the word, and more passes are worth it
DEFAULTS: dict[str, Any] = {"features": "affixes", "dropout": 0.5, "nets": 1, "epochs": 10}
DEFAULTS_OF_FEW: dict[str, Any] = {"features": "affixes,chars", "dropout": 0.55, "nets": 3, "epochs": 20}
MODELS = ("auto", "net")


class Tagger(Estimator):
    """Hashed affixes, shape and word -> bidirectional LSTM -> softmax, or a CRF where the tags are spans.

    ``columns``: names of the tag columns. ``model``: net, or auto: the net and a log-linear model together, where that
    is better on the validation part. ``head``: softmax, crf, or auto: a CRF for columns of IOB, IOB2 or BIOES alone.
    ``scheme``: in which spans are written. ``features``: affixes, chars, lm:DIR, lm-backward:DIR, joined by commas;
    ``vectors``: a file of `read_vectors`. ``nets``: so many side by side, whose scores are averaged. ``adversarial``:
    the share of `adversarial_loss`; 0 trains faster. Sizes in units, ``lr`` the peak rate of AdamW.
    ``features``, ``dropout``, ``nets`` and ``epochs`` that are None are of `DEFAULTS`, or of `DEFAULTS_OF_FEW` where
    there are fewer than 5,000 sentences. ``refit``: learn the validation part in the end, too; None: where it was taken
    from the training part, and was not given for that alone.
    After `fit`: ``net``, ``words``, ``labels_`` (of each column) and ``training``, the record of the run.
    """

    net: Any = None
    inputs = WordInputs([""])
    partner: LinearPartner | None = None
    validation: Any = ([], [])  # sentences, and the tags of each column, that have chosen the weights
    _estimator_type = None  # to scikit-learn, whose classifiers have one label a row
    ROWS, ROWS_ARE_LISTS = 'lists of words, as in predict([["A", "sentence", "."]])', True

    def __init__(
        self,
        *,
        columns: Sequence[str] = ("tag",),
        model: str = "auto",
        head: str = "auto",
        scheme: str = "iob2",
        features: str | None = None,
        vectors: str | None = None,
        vector_limit: int = LIMIT,
        hidden_size: int = 144,
        num_layers: int = 1,
        nets: int | None = None,
        word_size: int = 64,
        affix_size: int = 32,
        character_size: int = 32,
        projection_size: int = 96,
        dropout: float | None = None,
        word_dropout: float = 0.25,
        adversarial: float = 0.05,
        epochs: int | None = None,
        time: float | None = None,
        batch_size: int = 16,
        lr: float = 3e-3,
        weight_decay: float = 0.01,
        patience: int = 0,
        refit: bool | None = None,
        seed: int = 0,
    ):
        self.columns, self.model, self.head, self.scheme = columns, model, head, scheme
        self.features, self.vectors, self.vector_limit = features, vectors, vector_limit
        self.character_size, self.projection_size = character_size, projection_size
        self.hidden_size, self.num_layers, self.nets = hidden_size, num_layers, nets
        self.word_size, self.affix_size, self.dropout, self.word_dropout = word_size, affix_size, dropout, word_dropout
        self.epochs, self.time, self.batch_size, self.lr = epochs, time, batch_size, lr
        self.weight_decay, self.patience, self.seed, self.adversarial = weight_decay, patience, seed, adversarial
        self.refit = refit

    def fit(
        self,
        sentences: Sequence[Sequence[str]],
        tags: Any,
        *,
        valid: tuple[Sequence[Sequence[str]], Any] | None = None,
        out: str | Path | None = None,
        resume: bool = False,
        training: dict[str, Any] | None = None,
        watch: Callable[[dict[str, Any]], None] = lambda record: None,
        measure: Callable[[], None] = lambda: None,
    ) -> Self:
        """Train on sentences of words; ``tags`` are tags of each, or of each column in its order where there are more.

        ``valid``: sentences and tags that choose the best weights; else a tenth of the sentences, drawn from the seed.
        ``out``: the folder that holds the best at every moment, and the run's checkpoint. ``measure`` is called when
        all is chosen, before ``refit``. Raises UsageError E-LABEL-003 (tags and words that do not match),
        TrainingError E-LABEL-004 (nothing to train on).
        """
        require_torch()
        import torch

        from chekhov.recurrent.tagger_net import TaggerNet
        from chekhov.training.labelled import train_labels

        given = columns_of(self.columns, sentences, tags)
        kept = [place for place, sentence in enumerate(sentences) if len(sentence)]
        if not kept:
            raise TrainingError("E-LABEL-004", "there is no sentence to train on", mend="give some")
        train, held = (kept, []) if valid is not None else kept_aside(kept, self.seed)
        valid_words, valid_tags = ([sentences[i] for i in held], [[c[i] for i in held] for c in given])
        if valid is not None:
            valid_words, valid_tags = list(valid[0]), columns_of(self.columns, *valid)
        self.validation = valid_words, valid_tags
        chains = [self._is_chain(column) for column in given]
        columns = [[convert(t, "bioes") for t in c] if s and are_spans(c) else c for c, s in zip(given, chains)]
        labels = [sorted({tag for i in train for tag in column[i]}) for column in columns]
        texts, tags_of_texts = cut(sentences, columns, train)
        torch.manual_seed(self.seed)
        chosen = self._settings_for(len(train))
        self.inputs = WordInputs.begin(chosen["features"], self.vectors, self.vector_limit)
        self.inputs.learn(texts)
        self.training = {"chekhov": chekhov.__version__, "used": chosen, **(training or {})}
        net = TaggerNet(len(self.words), labels, chains, **self._encoder_sizes(chosen["dropout"], chosen["nets"]))
        self.inputs.attach(net)
        self.training["kernels"] = net.kernels
        numbered = self.inputs.number(texts)
        targets = as_targets(tags_of_texts, labels)
        self.net, self.partner = net, None
        if self.model == "auto" and self.inputs.affixes_at is not None:
            counts = [len(known) for known in labels]
            self.partner = LinearPartner.fit(numbered, self.inputs.affixes_at, targets[:, :-1], counts, self.seed)
        folder = None if out is None else Path(out)
        if folder is not None:
            make_folder(folder)
        report = train_labels(
            net,
            numbered,
            lambda rows, places: targets[:, places],
            self._plan(chosen["epochs"]),
            data=[targets, *self.inputs.arrays().values()],
            validate=lambda: self._error(valid_words, valid_tags),
            folder=folder,
            resume=resume,
            keep_best=lambda progress: None if folder is None else self.save(folder),
            watch=watch,
        )
        progress = report.progress
        self.training |= {"steps": progress.step, "seconds": round(progress.seconds, 3)}
        self.training |= {"cpu_seconds": round(progress.cpu_seconds, 3), "stopped_by": report.stopped_by}
        if self.partner is not None:
            self.partner.choose(lambda: self._error(valid_words, valid_tags))
        calibrate(self, valid_words, valid_tags)
        measure()
        refit = self.refit if self.refit is not None else valid is None
        if refit and report.stopped_by not in ("SIGINT", "SIGTERM") and held is not train:
            if out is not None:
                self.save(out)
            both = [
                [own[i] for i in train] + more for own, more in zip([sentences, *given], [valid_words, *valid_tags])
            ]
            learn_all(self, both[0], both[1:], watch)
        if out is not None:
            self.save(out)
        return self

    def predict(self, sentences: Sequence[Sequence[str]]) -> Any:
        """A tag for each word: a list for each sentence; where there are several columns, such lists of each.

        UsageError E-LABEL-016 before `fit`, E-LABEL-017 for strings in place of lists of words.
        """
        columns = self._predict(sentences)
        return columns[0] if len(columns) == 1 else columns

    def predict_proba(self, sentences: Sequence[Sequence[str]], column: int = 0) -> list[NDArray[np.float64]]:
        """(T, K) for each sentence: p(tag | sentence), tags in the order of ``labels_[column]``; calibrated."""
        self._check_rows(sentences)
        out: list[Any] = [np.zeros((0, len(self.labels_[column])))] * len(sentences)
        head, temperature = self.net.heads[column], self.net.temperatures[column]
        for rows, lengths, scores in self._scores(sentences):
            chances = head.marginals(scores[column], lengths, temperature)
            for b, row in enumerate(rows):
                out[row] = chances[b, : lengths[b]]
        return out

    def predict_confidence(self, sentences: Sequence[Sequence[str]], column: int = 0) -> list[NDArray[np.float64]]:
        """(T,) for each sentence: p(tag | sentence) of the tags that `predict` gives; calibrated."""
        self._check_rows(sentences)
        out: list[Any] = [np.zeros(0)] * len(sentences)
        head, temperature = self.net.heads[column], self.net.temperatures[column]
        for rows, lengths, scores in self._scores(sentences):
            paths = np.maximum(head.decode(scores[column], lengths), 0)
            chances = np.take_along_axis(head.marginals(scores[column], lengths, temperature), paths[..., None], axis=2)
            for b, row in enumerate(rows):
                out[row] = chances[b, : lengths[b], 0]
        return out

    def predict_spans(self, sentences: Sequence[Sequence[str]], column: int = 0) -> list[list[TaggedSpan]]:
        """The spans of each sentence; their confidence is the CRF's marginal of the whole span."""
        self._check_rows(sentences)
        out: list[list[TaggedSpan]] = [[] for _ in sentences]
        head, temperature, labels = self.net.heads[column], self.net.temperatures[column], self.labels_[column]
        for rows, lengths, scores in self._scores(sentences):
            paths = head.decode(scores[column], lengths)
            chances = None if self.net.crf[column] else head.marginals(scores[column], lengths, temperature)
            for b, row in enumerate(rows):
                T = int(lengths[b])
                for start, end, label in spans_of([labels[k] for k in paths[b, :T]]):
                    tags = paths[b, start:end].tolist()
                    if chances is None:
                        sure = head.path_probability(scores[column][b, :T], start, tags, temperature)
                    else:
                        sure = float(chances[b, np.arange(start, end), tags].prod())
                    out[row].append(TaggedSpan(start, end, label, sure))
        return out

    def score(self, sentences: Sequence[Sequence[str]], tags: Any) -> float:
        """Accuracy by word, the mean over the columns."""
        return 1 - self._error(sentences, columns_of(self.columns, sentences, tags), by_spans=False)

    @property
    def words(self) -> list[str]:
        """The known ones, lower-cased; the first, "", stands for all others."""
        return self.inputs.words

    @property
    def labels_(self) -> list[list[str]]:
        return self.net.columns

    @property
    def parameter_count(self) -> int:
        return self.net.parameter_count + (self.partner.parameter_count if self.partner else 0)

    def save(self, folder: str | Path) -> None:
        self._check_fitted()
        settings = {name: getattr(self, name) for name in self._setting_names()} | {"columns": list(self.columns)}
        words = self.inputs.to_json()
        training = {**self.training, "settings": settings}
        save_folder(
            Path(folder),
            kind="tagger",
            sizes=self.net.sizes(),
            arrays={**self.net.arrays(), **self.inputs.arrays(), **(self.partner.arrays() if self.partner else {})},
            tokenizer=words,
            tokenizer_digest=digest(words),
            card=label_card("tagger", self.parameter_count, training),
            training=training,
            kernels=self.training.get("kernels", "reference"),
        )

    @classmethod
    def load(cls, folder: str | Path) -> Tagger:
        """The tagger of a folder; ModelError as `chekhov.load`."""
        tagger = cls()
        tagger._take(Path(folder))
        return tagger

    def _take(self, folder: Path) -> None:
        require_torch()
        from chekhov.recurrent.tagger_net import TaggerNet

        config, arrays, words = read_folder(folder)
        if config.kind != "tagger":
            what = f"this is a model of kind {config.kind}, not a tagger"
            raise ModelError("E-MODEL-023", what, where=str(folder), mend="see chekhov info")
        try:
            self.inputs, arrays = WordInputs.from_stored(words, arrays)
            training = dict(config.training)
            self.set_params(**training.pop("settings"))
            tags = [len(labels) for labels in config.sizes["columns"]]
            self.partner, arrays = LinearPartner.from_stored(arrays, self.inputs.affixes_at, tags)
            self.net = TaggerNet.from_arrays(config.sizes, arrays)
            self.inputs.attach(self.net)
            self.training = training
            fits = len(self.columns) == len(self.net.columns)
        except ModelError as error:
            raise error.at(str(folder)) from error
        except (msgspec.MsgspecError, TypeError, KeyError, ValueError, UsageError, RuntimeError) as error:
            what = "the sizes in config.json do not make a tagger"
            raise ModelError("E-MODEL-017", what, where=str(folder), why=str(error), mend=COPY_AGAIN) from error
        if not fits:
            what = "the columns in config.json are not those of the weights"
            raise ModelError("E-MODEL-016", what, where=str(folder), mend=COPY_AGAIN)

    # What the verbs above are made of.

    def _is_chain(self, column: Tags) -> bool:
        """Whether the column gets a CRF: by ``head``, else where its tags are spans."""
        for name, value, known in (
            ("model", self.model, MODELS),
            ("head", self.head, ("auto", "softmax", "crf")),
            ("scheme", self.scheme, SCHEMES),
        ):
            if value not in known:
                raise UsageError("E-LABEL-001", f"the {name} {value!r} is unknown", mend=f"one of {', '.join(known)}")
        return self.head == "crf" or (self.head == "auto" and are_spans(column))

    def _settings_for(self, sentences: int) -> dict[str, Any]:
        """Those that depend on how many sentences there are, unless they are given."""
        defaults = DEFAULTS if sentences >= FEW else DEFAULTS_OF_FEW
        given = {name: getattr(self, name) for name in defaults}
        return {name: default if given[name] is None else given[name] for name, default in defaults.items()}

    def _encoder_sizes(self, dropout: float, nets: int) -> dict[str, Any]:
        names = ("word_size", "hidden_size", "num_layers", "word_dropout", "adversarial")
        inputs = self.inputs.encoder_sizes(self.affix_size, self.character_size, self.projection_size)
        return {**{name: getattr(self, name) for name in names}, "dropout": dropout, "nets": nets, **inputs}

    def _plan(self, epochs: int) -> Any:
        from chekhov.training.loop import Plan

        names = ("time", "batch_size", "lr", "weight_decay", "patience", "seed")
        given = {name: getattr(self, name) for name in names}
        return Plan(epochs=None if self.time else epochs, **given)

    def _scores(self, sentences: Sequence[Sequence[str]]) -> Iterator[tuple[Any, Any, list[NDArray[np.float32]]]]:
        """Rows, their lengths and the scores (B, T, K) of each column, batch by batch, the shortest rows first."""
        import torch

        from chekhov.recurrent.products import linear
        from chekhov.recurrent.reading import places_of, read

        words = self.inputs.number(sentences)
        linear_scores = self.partner.scores(words) if self.partner else {}
        batches = sorted_batches(words.lengths, 128, MAX_TOKENS)
        for read_by_each in zip(*(read(net.encoder, words, batches) for net in self.net.nets)):
            rows = read_by_each[0][0]
            with torch.inference_mode():
                scores = [
                    [linear(layer, hidden).numpy() for layer, (_, hidden) in zip(layers, read_by_each)]
                    for layers in zip(*(net.scores for net in self.net.nets))
                ]
            found = [parts[0] if len(parts) == 1 else np.mean(parts, axis=0) for parts in scores]
            for column, more in linear_scores.items():
                found[column] += more[places_of(words, rows)]
            yield rows, words.lengths[rows], found

    def _predict(self, sentences: Sequence[Sequence[str]]) -> list[list[list[str]]]:
        self._check_rows(sentences)
        out: list[list[list[str]]] = [[[] for _ in sentences] for _ in self.net.columns]
        for rows, lengths, scores in self._scores(sentences):
            for column, (head, part, labels) in enumerate(zip(self.net.heads, scores, self.net.columns)):
                paths = head.decode(part, lengths).tolist()
                for row, path, length in zip(rows.tolist(), paths, lengths.tolist()):
                    out[column][row] = [labels[k] for k in path[:length]]
        for column, spans in enumerate(self.net.spans):
            if spans:
                out[column] = [convert(tags, self.scheme) for tags in out[column]]
        return out

    def _error(self, sentences: Sequence[Sequence[str]], columns: Sequence[Tags], *, by_spans: bool = True) -> float:
        """1 - accuracy, or 1 - F1 of spans for a column of them with a CRF; the mean over the columns."""
        from chekhov.evaluation.labelling import span_counts

        training = self.net.training
        self.net.eval()
        found = self._predict(sentences)
        self.net.train(training)
        errors = []
        for guessed, right, spans in zip(found, columns, self.net.spans):
            if spans and by_spans:
                errors.append(1 - span_counts(right, guessed).f1)
            else:
                pairs = [(a, b) for g, r in zip(guessed, right) for a, b in zip(g, r)]
                errors.append(1 - sum(a == b for a, b in pairs) / max(1, len(pairs)))
        return float(np.mean(errors))


__all__ = ["Span", "TaggedSpan", "Tagger"]
