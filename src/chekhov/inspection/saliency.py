"""Which tokens of its past does a prediction rest on? Of one log p(w_t | w_1 .. w_{t-1}), for each token before it:

    replacement       log p(w_t | past) - log p(w_t | past with token j replaced), nats, the mean over replacements
    gradient          |d z / d x_j|, x_j the embedding that the first layer reads           (Simonyan et al. 2014)
    gradient x input  x_j . d z / d x_j: to first order, what the token adds                 (Shrikumar et al. 2017)

z = log(p / (1 - p)) and not log p, whose gradient is 0 where the net is sure. Above 0 the token speaks for what came,
below 0 against it. Replacements are drawn from what the model itself expects at that place, the token itself left out,
so that the text stays one that it might read. Every kind of model has them; gradients are of nets only. Where a
replacement makes the token impossible, its p counts as 1e-9.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chekhov.errors import ModelError, UsageError, check_range
from chekhov.inspection.reading import ReadText, token_record
from chekhov.state import concatenate, select
from chekhov.tasks.text_model import RECURRENT, TextModel
from chekhov.types import BOS, EOS, UNK, Ids, LanguageModel

LEAST = math.log(1e-9)  # nats: what an impossible token counts as
FARTHEST = 200  # tokens
SMALLER = "train again with a smaller --lr or --clip, or give a shorter text"
ROWS = 500  # of the output layer at once
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Saliency:
    """Of the token at ``position``: one number for each of the tokens before it, from ``first`` on, nats."""

    model: str
    read: ReadText
    position: int
    log_prob: float
    first: int
    replacement: Floats
    error: Floats  # standard error of the mean over replacements
    gradient: Floats | None = None
    gradient_x_input: Floats | None = None

    @property
    def places(self) -> range:
        return range(self.first, self.position)

    def as_json(self) -> list[dict[str, Any]]:
        """An object for each token of the past, the nearest last."""
        rows = []
        for i, j in enumerate(self.places):
            row = {"schema": 1, **token_record(self.read, j), "distance": self.position - j}
            row |= {"target": self.read.tokens[self.position], "target_log_prob": self.log_prob}
            row |= {"replacement": float(self.replacement[i]), "replacement_error": float(self.error[i])}
            if self.gradient is not None and self.gradient_x_input is not None:
                row |= {"gradient": float(self.gradient[i]), "gradient_x_input": float(self.gradient_x_input[i])}
            rows.append(row)
        return rows


def saliency(
    model: TextModel, read: ReadText, position: int, *, replacements: int = 20, farthest: int = FARTHEST, seed: int = 0
) -> Saliency:
    """Of the token number ``position`` over at most ``farthest`` tokens before it.

    Raises `UsageError` where there is no past, or where the model gives the token no chance: then there is nothing
    that it rests on.
    """
    check_range("replacements", replacements, 1, 10_000)
    check_range("farthest", farthest, 1, 100_000)
    first, target = max(1, position - farthest), int(read.ids[position])
    if position == first:
        what = f"token {position} ({read.tokens[position]!r}) is the first: it rests on no other"
        raise UsageError("E-TRACE-009", what, mend="give the number of a later token, or more text")
    state = model.model.initial_state(1)
    if first > 1:
        state = model.model.score(state, read.ids[None, 1:first])[1]
    window = read.ids[first : position + 1]
    own, changed = replaced_log_probs(model.model, state, window, replacements, seed)
    if math.isnan(own):
        what = f"log p of token {position} ({read.tokens[position]!r}) is not a number"
        raise ModelError("E-TRACE-005", what, mend=SMALLER)
    if own == -math.inf:
        what = f"the model gives token {position} ({read.tokens[position]!r}) no chance: there is nothing to explain"
        raise UsageError("E-TRACE-009", what, mend="another token, or a model with smoothing")
    drops = own - np.maximum(changed, LEAST)
    error = drops.std(axis=1, ddof=1) / math.sqrt(replacements) if replacements > 1 else np.zeros(len(drops))
    gradients: dict[str, Floats] = {}
    if model.kind in RECURRENT:
        norms, products = input_gradients(model.model, read.ids[: position + 1], target)
        gradients = {"gradient": norms[first:], "gradient_x_input": products[first:]}
    return Saliency(model.name, read, position, own, first, drops.mean(axis=1), error, **gradients)


def replaced_log_probs(
    model: LanguageModel[Any], state: Any, window: Ids, replacements: int, seed: int
) -> tuple[float, Floats]:
    """window (n + 1,), the last token the target -> its log p, and that after each replacement (n, replacements).

    One walk for all of them: at each place new rows join, in which its token is another, and all rows read on.
    """
    n, rng = len(window) - 1, np.random.default_rng(seed)
    rows: Any = None
    for j in range(n):
        others = draw_others(np.asarray(model.log_probs(state))[0], int(window[j]), replacements, rng)
        joined = model.advance(select(state, [0] * replacements), others)
        if rows is not None:
            rows = model.advance(rows, np.full(j * replacements, window[j], np.int64))
        rows = joined if rows is None else concatenate([rows, joined])
        state = model.advance(state, window[j : j + 1])
    own = float(model.score(state, window[None, n:])[0][0, 0])
    found = []
    for start in range(0, n * replacements, ROWS):
        part = select(rows, np.arange(start, min(start + ROWS, n * replacements)))
        count = min(ROWS, n * replacements - start)
        found.append(model.score(part, np.full((count, 1), window[n], np.int64))[0][:, 0])
    return own, np.concatenate(found).astype(np.float64).reshape(n, replacements)


def draw_others(row: NDArray[np.float32], token: int, count: int, rng: np.random.Generator) -> Ids:
    """Tokens by the model's own expectation ``row`` (V,), never ``token`` itself nor <unk>, <s>, </s>.

    Evenly from the vocabulary where it expects nothing else; `UsageError` where there is nothing else.
    """
    allowed = np.ones(len(row), np.float64)
    allowed[[token, UNK, BOS, EOS]] = 0.0
    if not allowed.any():
        what = "the vocabulary has no other token to replace one with"
        raise UsageError("E-TRACE-010", what, mend="train on more text")
    p = np.where(allowed > 0, np.exp(row.astype(np.float64)), 0.0)
    p = p if p.sum() > 1e-12 else allowed
    return rng.choice(len(p), size=count, p=p / p.sum()).astype(np.int64)


def input_gradients(net: Any, ids: Ids, target: int) -> tuple[Floats, Floats]:
    """ids (T,), ``<s>`` first and the target last -> |g_t| and x_t . g_t of each token before it, (T - 1,)."""
    import torch

    with torch.enable_grad():
        x = net.embed(torch.from_numpy(np.ascontiguousarray(ids[None, :-1]))).detach().requires_grad_()
        features, _ = net.stack.unroll(x, net.stack.initial_state(1))
        log_probs = net.log_softmax(features[:, -1])[0]
        others = torch.cat([log_probs[:target], log_probs[target + 1 :]])
        log_odds = log_probs[target] - torch.logsumexp(others, dim=0)
        (g,) = torch.autograd.grad(log_odds, x)
    if not torch.isfinite(g).all():
        what = "the gradient of the prediction with respect to its inputs is not finite"
        raise ModelError("E-TRACE-005", what, mend=SMALLER)
    slopes, inputs = g[0].double().numpy(), x.detach()[0].double().numpy()
    return np.linalg.norm(slopes, axis=1), (slopes * inputs).sum(axis=1)
