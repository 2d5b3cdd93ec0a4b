"""Heads of a tagger: a softmax for each word, or a linear-chain conditional random field over the sentence."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

FORBIDDEN = -1e4  # added to the score of a transition that cannot be


class Softmax(nn.Module):
    """p(tag | word) for every word by itself."""

    def __init__(self, labels: int):
        super().__init__()
        self.labels = labels

    def loss(self, scores: Tensor, targets: Tensor, lengths: Tensor) -> Tensor:
        """Nats per word: scores (B, T, K), targets (B, T) with -1 after the end of a row."""
        return F.cross_entropy(scores.flatten(0, 1), targets.flatten(), ignore_index=-1)

    def decode(self, scores: NDArray[np.float32], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """(B, T): the best tag of each word."""
        return scores.argmax(-1)

    def marginals(
        self, scores: NDArray[np.float32], lengths: NDArray[np.int64], temperature: float = 1.0
    ) -> NDArray[np.float64]:
        """(B, T, K): p(tag | sentence); every score is divided by ``temperature`` (Guo et al. 2017)."""
        shifted = scores.astype(np.float64) - scores.max(-1, keepdims=True)
        exp = np.exp(shifted / temperature)
        return exp / exp.sum(-1, keepdims=True)


class CRF(nn.Module):
    """p(tags | sentence) = exp(start + sum of scores + sum of transitions + end) / Z (Lafferty et al. 2001).

    ``may_follow(before, after)`` says which tags may stand beside each other, "" being either end; the others have no
    probability, in training and in decoding.
    """

    forbidden: Tensor
    forbidden_start: Tensor
    forbidden_end: Tensor

    def __init__(self, labels: Sequence[str], may_follow: Callable[[str, str], bool] | None = None):
        super().__init__()
        K = len(labels)
        self.transitions = nn.Parameter(torch.zeros(K, K))  # [j, k]: from tag j to tag k
        self.start, self.end = nn.Parameter(torch.zeros(K)), nn.Parameter(torch.zeros(K))
        allowed = may_follow or (lambda before, after: True)
        cost = {True: 0.0, False: FORBIDDEN}
        device = self.start.device
        table = [[cost[allowed(before, after)] for after in labels] for before in labels]
        self.register_buffer("forbidden", torch.tensor(table, device=device), persistent=False)
        for name, costs in (
            ("forbidden_start", [cost[allowed("", label)] for label in labels]),
            ("forbidden_end", [cost[allowed(label, "")] for label in labels]),
        ):
            self.register_buffer(name, torch.tensor(costs, device=device), persistent=False)

    def tables(self) -> tuple[Tensor, Tensor, Tensor]:
        """Transitions (K, K), start (K) and end (K), what is forbidden in them."""
        return self.transitions + self.forbidden, self.start + self.forbidden_start, self.end + self.forbidden_end

    def loss(self, scores: Tensor, targets: Tensor, lengths: Tensor) -> Tensor:
        """-log p(tags | sentence) in nats per word: scores (B, T, K), targets (B, T), lengths (B,), none of them 0."""
        gap = self.log_partition(scores, lengths) - self.path_score(scores, targets, lengths)
        return gap.sum() / lengths.sum()

    def path_score(self, scores: Tensor, targets: Tensor, lengths: Tensor) -> Tensor:
        """(B,): the score of the tags given."""
        transitions, start, end = self.tables()
        tags = targets.clamp(min=0)
        real = torch.arange(scores.shape[1]) < lengths[:, None]
        emitted = (scores.gather(2, tags[..., None])[..., 0] * real).sum(1)
        moved = (transitions[tags[:, :-1], tags[:, 1:]] * real[:, 1:]).sum(1)
        last = tags.gather(1, lengths[:, None] - 1)[:, 0]
        return start[tags[:, 0]] + emitted + moved + end[last]

    def log_partition(self, scores: Tensor, lengths: Tensor) -> Tensor:
        """(B,): log Z, the logarithm of the sum over all paths."""
        transitions, start, end = self.tables()
        alpha = start + scores[:, 0]
        for t in range(1, scores.shape[1]):
            further = torch.logsumexp(alpha[:, :, None] + transitions, dim=1) + scores[:, t]
            alpha = torch.where((t < lengths)[:, None], further, alpha)
        return torch.logsumexp(alpha + end, dim=1)

    def decode(self, scores: NDArray[np.float32], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """(B, T): the likeliest tags (Viterbi); -1 after the end of a row."""
        from chekhov.recurrent.crf_kernels import viterbi

        out = np.empty(scores.shape[:2], np.int64)
        viterbi(scores, lengths, *self._arrays(), out)
        return out

    def marginals(
        self, scores: NDArray[np.float32], lengths: NDArray[np.int64], temperature: float = 1.0
    ) -> NDArray[np.float64]:
        """(B, T, K): p(tag of word t = k | sentence); 0 after the end of a row."""
        out = np.zeros(scores.shape)
        for b, length in enumerate(lengths.tolist()):
            if length:
                alpha, beta, total = self.sums(scores[b, :length], temperature)
                out[b, :length] = np.exp(alpha + beta - total)
        return out

    def path_probability(
        self, scores: NDArray[np.float32], start: int, tags: Sequence[int], temperature: float = 1.0
    ) -> float:
        """p(words ``start``, start + 1, ... have these tags | sentence): scores (T, K) of one sentence."""
        alpha, beta, total = self.sums(scores, temperature)
        transitions, scores = self._arrays()[0] / temperature, scores / temperature
        value = alpha[start, tags[0]]
        for place, (before, tag) in enumerate(itertools.pairwise(tags), start=start + 1):
            value += transitions[before, tag] + scores[place, tag]
        return float(np.exp(min(0.0, value + beta[start + len(tags) - 1, tags[-1]] - total)))

    def sums(
        self, scores: NDArray[np.float32], temperature: float = 1.0
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
        """alpha (T, K), beta (T, K) and log Z of one sentence."""
        from chekhov.recurrent.crf_kernels import forward_backward

        alpha, beta = np.empty(scores.shape), np.empty(scores.shape)
        tables = [table / np.float64(temperature) for table in self._arrays()]
        total = forward_backward(scores / np.float64(temperature), *tables, alpha, beta)
        return alpha, beta, float(total)

    def _arrays(self) -> tuple[NDArray[np.float32], ...]:
        return tuple(table.detach().numpy() for table in self.tables())
