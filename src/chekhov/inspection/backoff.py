"""How an n-gram model or a chain came to each probability: which contexts it looked in, which one knew the word.

    log10 p(w | c) = sum of the log10 back-offs of the contexts that do not know w + log10 p of the n-gram that does

A chain looks in one context only: its p is how often the word followed there, in how many.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chekhov.errors import UsageError
from chekhov.inspection.reading import ReadText, token_record
from chekhov.tasks.text_model import TextModel, finite
from chekhov.types import EOS, UNK

KINDS = ("ngram", "packed-ngram", "chain")


@dataclass(frozen=True)
class Look:
    """One context that was looked in. log10: the back-off that was paid, or p of the answer.

    followers: how many different words the table lists after the context (a packed one does not say). counts: see
    `inspection.counts`; of a chain, how often the word followed, and in how many.
    """

    context: list[str]
    log10: float
    answers: bool
    followers: int | None = None
    counts: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        record: dict[str, Any] = {"context": self.context}
        record |= {"log10_prob" if self.answers else "log10_backoff": finite(self.log10)}
        if self.followers is not None:
            record["followers"] = self.followers
        return record | {key: finite(v) if isinstance(v, float) else v for key, v in self.counts.items()}


@dataclass(frozen=True)
class Path:
    """Of one token: the contexts from the longest that the model knows to the one that answered.

    chain: orders are words of context, as of a chain; of an n-gram one more. restart: a chain knew no context that
    anything followed, and took the start distribution.
    """

    position: int
    looks: list[Look]
    highest: int  # the order of the model
    chain: bool = False
    restart: bool = False

    @property
    def log10_prob(self) -> float:
        return math.fsum(look.log10 for look in self.looks)

    @property
    def order(self) -> int:
        """Of the n-gram, or of the chain's context, that answered."""
        return len(self.looks[-1].context) + (not self.chain)

    def as_json(self, read: ReadText) -> dict[str, Any]:
        record = {"schema": 1, **token_record(read, self.position), "log10_prob": finite(self.log10_prob)}
        record |= {"log_prob": finite(self.log10_prob * math.log(10)), "order": self.order}
        record |= {"restart": True} if self.restart else {}
        return record | {"path": [look.as_json() for look in self.looks]}


def backoff_paths(model: TextModel, read: ReadText) -> list[Path]:
    """The path of each token of a text but ``<s>``. Raises `UsageError` for a model that has none."""
    if model.kind == "ngram":
        return ngram_paths(model.model, read)
    if model.kind == "packed-ngram":
        return packed_paths(model.model, read)
    if model.kind == "chain":
        return chain_paths(model.model, read)
    raise UsageError(
        "E-TRACE-001",
        f"a model of kind {model.kind} looks nothing up in contexts",
        where=model.name,
        mend="trace one of the models that were mixed; --saliency asks a mixture, too",
    )


def ngram_paths(model: Any, read: ReadText) -> list[Path]:
    from chekhov.ngram import table_kernels as kernels

    table = model.table
    nodes, entries, starts = table.nodes, table.entries, table.starts
    bits, paths = table.vocab_size.bit_length(), []
    node, tokens = int(model.initial_state(1).node[0]), read.tokens
    for t in range(1, len(tokens)):
        word, looks = int(read.ids[t]), []
        while True:
            depth = int(np.searchsorted(starts, node, side="right")) - 1
            begin, end = (int(place) for place in nodes[node : node + 2, 0])
            e = int(kernels.find(nodes, entries, table.hints, node, word, bits))
            log10 = float(table.log10_probs[e] if e >= 0 else table.log10_backoffs[node])
            looks.append(Look(tokens[t - depth : t], log10, e >= 0, end - begin))
            if e >= 0:
                break
            node = int(nodes[node, 2])
        paths.append(Path(t, looks, model.order))
        node = int(entries[e, 2])
        if word == EOS:  # the tokens before it are no context any more
            tokens = with_start(tokens, t)
    return paths


def with_start(tokens: list[str], t: int) -> list[str]:
    """``</s>`` is the ``<s>`` of what follows: an n-gram starts anew there."""
    return [*tokens[:t], "<s>", *tokens[t + 1 :]]


def packed_paths(model: Any, read: ReadText) -> list[Path]:
    """Its records are read backwards, so the order is asked for: what does a look-up pay if every back-off is 1?"""
    state, tokens, paths = model.initial_state(1), read.tokens, []
    for t in range(1, len(tokens)):
        word, length = read.ids[t : t + 1][:, None], int(state.lengths[0])
        own = float(log10_of(model, state._replace(backoffs=np.zeros_like(state.backoffs)), word))
        paid = round(float(log10_of(model, state._replace(backoffs=np.ones_like(state.backoffs)), word)) - own)
        looks = [
            Look(tokens[t - depth : t], float(state.backoffs[0, depth - 1]), answers=False)
            for depth in range(length, length - paid, -1)
        ]
        depth = length - paid
        paths.append(Path(t, [*looks, Look(tokens[t - depth : t], own, answers=True)], model.order))
        state = model.advance(state, read.ids[t : t + 1])
        if read.ids[t] == EOS:
            tokens = with_start(tokens, t)
    return paths


def log10_of(model: Any, state: Any, word: Any) -> float:
    return float(model.score(state, word)[0][0, 0]) / math.log(10)


def chain_paths(model: Any, read: ReadText) -> list[Path]:
    state, paths = model.initial_state(1), []
    for t in range(1, len(read.tokens)):
        word = int(read.ids[t])
        lengths, ranks = model.current_ranks(state.context)
        length, rank = int(lengths[0]), int(ranks[0])
        if rank < 0:
            look = Look([], float(model.start_log_probs[word]) / math.log(10), answers=True)
            paths.append(Path(t, [look], model.order, chain=True, restart=True))
        else:
            followed = model.followers(length, rank)
            count = int((followed == word).sum())
            counts = {"count": count, "context_count": len(followed)}
            log10 = math.log10(count / len(followed)) if count else -math.inf
            look = Look(read.tokens[t - length : t], log10, True, len(np.unique(followed)), counts)
            paths.append(Path(t, [look], model.order, chain=True))
        state = model.advance(state, read.ids[t : t + 1])
    return paths


def path_lines(path: Path, read: ReadText) -> list[str]:
    """A tree of one token: its probability, and below it a line for each context that was looked in."""
    token = shown([read.tokens[path.position]])
    p = 10**path.log10_prob
    what = "start distribution" if path.restart else f"order {path.order} of {path.highest}"
    known = len(path.looks[0].context)
    what += "" if path.chain else f", {known} {'word' if known == 1 else 'words'} of context found"
    unknown = "?" if read.ids[path.position] == UNK else ""
    lines = [f"{token}{unknown}  log10 p {number(path.log10_prob)}  p {p:.3g}  {what}"]
    contexts = [shown(look.context) for look in path.looks]
    costs = [f"{f'p({token})' if look.answers else 'back-off'} {number(look.log10)}" for look in path.looks]
    for look, context, cost in zip(path.looks, contexts, costs, strict=True):
        branch = "└" if look.answers else "├"
        row = f"  {branch} {context:{max(map(len, contexts))}}  {cost:{max(map(len, costs))}}  {details(look)}"
        lines.append(row.rstrip())
    return lines


def details(look: Look) -> str:
    counts, parts = look.counts, []
    if "count" in counts:
        parts.append(f"{counts['count']:,} of {counts['context_count']:,}")
    if "adjusted_count" in counts:
        parts.append(f"adjusted {counts['adjusted_count']:,} of {counts['adjusted_context_count']:,}")
    if counts.get("discount"):
        parts.append(f"discount {counts['discount']:.3f}")
    if look.followers is not None and look.context:
        number_of = f"{look.followers:,}" if look.followers else "no"
        parts.append(f"{number_of} {'word follows' if look.followers < 2 else 'words follow'}")
    return ", ".join(parts)


def number(log10: float) -> str:
    return f"{log10:.4f}" if math.isfinite(log10) else "-inf"


def shown(tokens: list[str]) -> str:
    """Tokens side by side; blanks and line breaks among characters as visible signs; nothing as a dash."""
    signs = {" ": "␣", "\n": "⏎", "\t": "⇥"}
    return " ".join(signs.get(token, token) for token in tokens) if tokens else "-"
