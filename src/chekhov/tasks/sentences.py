"""Sentences of an n-gram model, as many as are wanted: its distribution, by draws of their own."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from chekhov.errors import UsageError
from chekhov.ngram.model import NGram
from chekhov.tasks.generate import Generated
from chekhov.tasks.text_model import TextModel
from chekhov.types import EOS

AT_ONCE = 10_000


def draw_sentences(
    model: TextModel, num: int, *, start: str = "", max_words: int = 1000, seed: int = 0, allow_unk: bool = False
) -> Iterator[Generated]:
    """``num`` sentences that go on from ``start``, without filters: a million words a second and more.

    Equal in distribution to `generate` at temperature 1, by other draws; sentence i is the same alone or among others.
    A sentence is broken off after ``max_words`` tokens. `UsageError` for another kind of model.
    """
    if not isinstance(model.model, NGram):
        what = f"sentences are drawn by a chain or an n-gram model, and this is a model of kind {model.kind}"
        raise UsageError("E-MARKOV-007", what, mend="leave --sentences out")
    ngram, tokenizer = model.model, model.tokenizer
    prefix = tokenizer.encode_prompt(start)
    state = ngram.score(ngram.initial_state(1), prefix[None])[1] if len(prefix) else ngram.initial_state(1)
    draw = partial(ngram.sentences.draw, seed=seed, node=int(state.node[0]), max_words=max_words, allow_unk=allow_unk)
    for first in range(0, num, AT_ONCE):
        ids, ends = draw(min(AT_ONCE, num - first), first=first)
        begin = 0
        for end in ends.tolist():
            own = ids[begin:end]
            ended, begin = bool(own[-1] == EOS), end
            own = own[: len(own) - ended]
            tokens = [tokenizer.vocabulary.token(id) for id in own.tolist()]
            text = tokenizer.decode(np.concatenate([prefix, own]))
            yield Generated(text, tokens, seed, "end" if ended else "length")
