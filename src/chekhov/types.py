"""The contract that every model of chekhov keeps, from a Markov chain to an LSTM.

Letters everywhere: B batch, T time, V vocabulary. Logarithms are natural. A state is a tuple or NamedTuple, possibly
nested, of arrays whose first axis is always the batch; a state is a value: never mutated, never kept in the model.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
LogProbs = NDArray[np.float32]
Arrays = dict[str, NDArray[Any]]

UNK, BOS, EOS = 0, 1, 2  # ids of <unk>, <s>, </s> in every vocabulary

S = TypeVar("S")


class Decoder(Protocol[S]):
    @property
    def vocab_size(self) -> int: ...

    def log_probs(self, state: S) -> LogProbs:
        """(B, V): log p(next token | state). The logsumexp of a row is 0; <s> is never predicted (-inf)."""
        ...

    def advance(self, state: S, tokens: Ids) -> S:
        """Read one token per row, tokens (B,): a new state; the old one stays good."""
        ...

    def score(self, state: S, ids: Ids) -> tuple[LogProbs, S]:
        """ids (B, T) -> log p(ids[b, t] | state, ids[b, :t]) as (B, T), and the state after them."""
        ...


class LanguageModel(Decoder[S], Protocol[S]):
    @property
    def kind(self) -> str:
        """chain, ngram, lstm, mixture, ...: what config.json says and ``load`` dispatches on."""
        ...

    @property
    def parameter_count(self) -> int:
        """Stored floats (an n-gram's: probabilities and back-offs)."""
        ...

    def initial_state(self, batch_size: int) -> S:
        """The state at the start of a text: <s> has been read."""
        ...

    def sizes(self) -> dict[str, Any]:
        """What config.json keeps beside the arrays: plain numbers and strings, enough to rebuild the model."""
        ...

    def arrays(self) -> Arrays:
        """The learnt tables or weights, as they are stored (model.safetensors)."""
        ...


def score_stepwise(model: Decoder[Any], state: Any, ids: Ids) -> tuple[LogProbs, Any]:
    """The definition of `Decoder.score`, one step at a time: the oracle of every faster one."""
    columns = []
    for t in range(ids.shape[1]):
        columns.append(np.take_along_axis(model.log_probs(state), ids[:, t : t + 1], axis=1))
        state = model.advance(state, ids[:, t])
    return np.concatenate(columns, axis=1) if columns else np.zeros(ids.shape, np.float32), state
