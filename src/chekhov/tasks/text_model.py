"""Text in, text out: a language model and its tokenizer as one thing that can generate, score and be saved."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from chekhov.errors import COPY_AGAIN, ModelError, UsageError, check_range
from chekhov.evaluation.perplexity import Evaluation, evaluate, token_log_probs
from chekhov.files import read_arrays
from chekhov.generation.sampling import read_prompts
from chekhov.mixture import Mixture
from chekhov.saving import Config, check_folder, save_folder
from chekhov.tasks.card import model_card
from chekhov.tasks.decoders import decoder, silent
from chekhov.tasks.stored_tokenizer import read_tokenizer, words_to_store
from chekhov.tokens.tokenizer import Tokenizer
from chekhov.tokens.vocabulary import RESERVED
from chekhov.types import EOS, UNK, Arrays, LanguageModel

RECURRENT = (
    "window",
    "elman",
    "gru",
    "mingru",
    "minlstm",
    "qrnn",
    "sru",
    "indrnn",
    "rglru",
    "lstm",
)  # keys of recurrent.language_model.CELLS

LABELLERS = {"tagger": "tag", "classifier": "classify"}  # and the verbs of theirs


@dataclass(frozen=True)
class Score:
    """log p of every token of one text, in nats, from the initial state, ``</s>`` where the text ends."""

    text: str
    tokens: list[str]
    log_probs: list[float]
    oov: list[bool]
    ids: list[int] = field(default_factory=list)
    orders: list[int] = field(default_factory=list)  # of an n-gram model: of the n-gram that each probability is of

    @property
    def total_log_prob(self) -> float:
        return math.fsum(self.log_probs)

    @property
    def perplexity(self) -> float:
        nats = -self.total_log_prob / max(1, len(self.tokens))
        return math.inf if nats > 700 else math.exp(nats)

    @property
    def surprisal(self) -> float:
        """Mean bits of a token, the end of the text left out: what lines are ordered by, however long they are."""
        own = [p for token, p in zip(self.tokens, self.log_probs, strict=True) if token != RESERVED[EOS]]
        return -math.fsum(own) / math.log(2) / len(own) if own else 0.0

    def as_json(self) -> dict[str, Any]:
        rows = zip(self.tokens, self.log_probs, self.oov, strict=True)
        tokens = [
            {"token": token, "log_prob": finite(p), "surprisal_bits": finite(-p / math.log(2)), "oov": oov}
            for token, p, oov in rows
        ]
        for token, order in zip(tokens, self.orders):
            token["order"] = order
        totals = {"total_log_prob": finite(self.total_log_prob), "perplexity": finite(self.perplexity)}
        return {"schema": 1, "text": self.text, "tokens": tokens, **totals}


@dataclass
class TextModel:
    """A model that reads and writes text. ``training`` says how it came to be (it goes into config.json and card)."""

    model: LanguageModel[Any]
    tokenizer: Tokenizer
    training: dict[str, Any] = field(default_factory=dict)
    precision: str = "float32"
    stored_bytes: int = 0
    name: str = ""
    _decoders: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def kind(self) -> str:
        return self.model.kind

    def generate(self, prompt: str = "", **flags: Any) -> str:
        """One sampled continuation of ``prompt`` as text, the prompt included; flags as `tasks.generate.generate`."""
        from chekhov.tasks.generate import generate

        return generate(self, prompt, **flags)[0].text

    def decoder(self, precision: str = "float32", note: Callable[[str], None] = silent) -> LanguageModel[Any]:
        """What generates in a precision (`tasks.decoders.decoder`). Made once, of the weights as they are then."""
        if precision not in self._decoders:
            self._decoders[precision] = decoder(self.model, precision, recurrent=RECURRENT, note=note)
        return self._decoders[precision]

    def next_tokens(self, prompt: str = "", k: int = 10) -> list[tuple[str, float]]:
        """The k likeliest tokens after ``prompt``, and their log-probabilities in nats: best first, ties by id."""
        check_range("k", k, 1, 1 << 31)
        state = read_prompts(self.model, [self.tokenizer.encode_prompt(prompt)])
        if hasattr(self.model, "top"):  # an n-gram model need not look at the whole vocabulary
            ids, log_probs = self.model.top(int(state.node[0]), k)
        else:
            row = np.asarray(self.model.log_probs(state))[0]
            ids = np.lexsort((np.arange(len(row)), -row))[:k]
            ids = ids[np.isfinite(row[ids])]
            log_probs = row[ids]
        token = self.tokenizer.vocabulary.token
        return [(token(id), log_p) for id, log_p in zip(ids.tolist(), log_probs.tolist(), strict=True)]

    def score(self, text: str) -> Score:
        """The natural-log probability of every token of ``text``."""
        ids = self.tokenizer.encode(text)
        tokens, orders = self.tokenizer.segment(text), []
        if hasattr(self.model, "score_with_orders"):
            log_probs, found, _ = self.model.score_with_orders(self.model.initial_state(1), ids[None])
            log_probs, orders = log_probs[0], found[0].tolist()
        else:
            log_probs = token_log_probs(self.model, ids)
        log_probs = log_probs.astype(np.float64).tolist()
        return Score(text, tokens, log_probs, (ids == UNK).tolist(), ids.tolist(), orders)

    def evaluate(self, texts: str | Sequence[str]) -> Evaluation:
        """The text, or each of several, as a document of a corpus."""
        documents = [texts] if isinstance(texts, str) else list(texts)
        return evaluate(self.model, self.tokenizer, documents, name=self.name, stored_bytes=self.stored_bytes)

    def save(self, folder: str | Path) -> Config:
        """Commit to ``folder`` in place of what it holds; `ModelError` if it cannot be written."""
        folder, tokenizer = Path(folder), self.tokenizer.to_json()
        config = save_folder(
            folder,
            kind=self.kind,
            sizes=self.model.sizes(),
            arrays=self.model.arrays(),
            tokenizer=tokenizer,
            tokenizer_digest=self.tokenizer.digest,
            card=model_card(self.kind, self.model, self.tokenizer, self.training),
            threads=self.training.get("threads", 1),
            precision=self.precision,
            kernels=self.training.get("kernels", "numba" if self.kind == "ngram" else "reference"),
            training=self.training,
            file=getattr(self.model, "file", None),
            words=words_to_store(self.tokenizer),
        )
        self.name = self.name or folder.name
        self.stored_bytes = sum(stored.bytes for stored in config.files.values())
        return config


def load(folder: str | Path) -> TextModel:
    """The model of a folder. Every size and digest is checked first; nothing is unpickled or imported by name.

    Large arrays are mapped, a large vocabulary among them: how long it takes does not depend on how large they are.

    Raises `ModelError` naming the file and the mend.
    """
    folder = Path(folder)
    config = check_folder(folder)
    if config.kind == "counts":
        mend = f"chekhov train ngram --counts {folder} -o DIR"
        raise ModelError("E-COUNT-001", "these are counts, not a model", where=str(folder), mend=mend)
    if config.kind in LABELLERS:
        what = f"a {config.kind} labels text and is no language model"
        mend = f"chekhov {LABELLERS[config.kind]} {folder}; in Python chekhov.{config.kind.capitalize()}.load"
        raise ModelError("E-MODEL-024", what, where=str(folder), mend=mend)
    tokenizer = read_tokenizer(folder, config)
    model = build_model(config.kind, config.sizes, read_arrays(folder / config.model), where=folder)
    if model.vocab_size != tokenizer.vocabulary.size:
        what = f"the model has {model.vocab_size} tokens, its tokenizer {tokenizer.vocabulary.size}"
        raise ModelError("E-MODEL-016", what, where=str(folder), mend="train the model again")
    size = sum(stored.bytes for stored in config.files.values())
    return TextModel(model, tokenizer, config.training, config.precision, size, folder.name)


def verify_content(model: TextModel) -> None:
    """`ModelError` for a number of an n-gram table that cannot be, which `load` does not look for in a large one."""
    check = getattr(model.model, "verify", None)
    if check is not None:
        check()


def build_model(kind: str, sizes: dict[str, Any], arrays: Arrays, *, where: Path) -> LanguageModel[Any]:
    """A model from what config.json and the arrays hold; the one place where a kind becomes a class."""
    stored = sum(array.nbytes for array in arrays.values())
    try:
        if any(isinstance(size, int) and size > stored + 1000 for size in sizes.values()):  # before it is believed
            raise ValueError("it names a size larger than all that is stored")
        return _builder(kind)(sizes, arrays, where)
    except ModelError as error:
        raise error.at(str(where)) from error
    except (UsageError, TypeError, KeyError, ValueError, AttributeError, IndexError, OverflowError) as error:
        if isinstance(error, UsageError) and error.code == "E-SETUP-001":
            raise
        what = f"the sizes of the {kind} do not make a model"
        why = error.what if isinstance(error, UsageError) else f"{type(error).__name__}: {error}"
        raise ModelError("E-MODEL-017", what, where=str(where), why=why, mend=COPY_AGAIN) from error


def _builder(kind: str) -> Callable[[dict[str, Any], Arrays, Path], LanguageModel[Any]]:
    if kind == "chain":
        from chekhov.ngram.chain import Chain

        return lambda sizes, arrays, where: Chain.from_arrays(sizes, arrays)
    if kind == "ngram":
        from chekhov.ngram.model import NGram

        return lambda sizes, arrays, where: NGram.from_arrays(sizes, arrays)
    if kind == "packed-ngram":
        from chekhov.ngram.packed import PackedNGram

        return lambda sizes, arrays, where: PackedNGram.from_arrays(sizes, arrays)
    if kind in RECURRENT:
        require_torch()
        from chekhov.recurrent.language_model import RecurrentLM

        return lambda sizes, arrays, where: RecurrentLM.from_arrays(sizes, arrays)
    if kind == "mixture":
        return _mixture
    raise ModelError("E-MODEL-018", f"the kind {kind!r} is unknown to this version", mend="upgrade chekhov")


def _mixture(sizes: dict[str, Any], arrays: Arrays, where: Path) -> Mixture:
    parts = []
    for index, part in enumerate(sizes["components"]):
        prefix = f"{index}."
        own = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
        if part["kind"] == "mixture":
            raise ModelError(
                "E-MODEL-019", "a mixture inside a mixture", where=str(where), mend="mix the parts at once"
            )
        parts.append(build_model(part["kind"], part["sizes"], own, where=where))
    return Mixture(parts, arrays["weights"].tolist())


def require_torch() -> None:
    try:
        import torch
    except ImportError as error:
        mend = "pip install 'chekhov[neural]'"
        raise UsageError("E-SETUP-001", "recurrent models need PyTorch, which is not installed", mend=mend) from error
    torch.set_num_threads(1)  # small recurrent steps: a second thread waits more than it works


def finite(value: float) -> float | None:
    """JSON has no infinity: null stands for it."""
    return value if math.isfinite(value) else None
