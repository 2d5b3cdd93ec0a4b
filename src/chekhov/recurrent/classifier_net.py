"""The net of a classifier: word encoder -> pooling over the words -> scores of the labels, or a number."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chekhov.errors import UsageError, check_range
from chekhov.recurrent.tagger_net import StoredNet
from chekhov.recurrent.word_encoder import Rows, WordEncoder

POOLINGS = ("last", "mean", "max", "attention")
TASKS = ("multiclass", "multilabel", "regression")


class Pool(nn.Module):
    """(B, T, H) -> (B, H), padding left out.

    last: the forward half at the last word beside the backward half at the first; mean; max; attention: the mean
    weighted by softmax(v tanh(W h)) (Yang et al. 2016, equations 5 to 7).
    """

    def __init__(self, kind: str, size: int):
        super().__init__()
        if kind not in POOLINGS:
            raise UsageError("E-LABEL-001", f"the pooling {kind!r} is unknown", mend=f"one of {', '.join(POOLINGS)}")
        self.kind = kind
        self.query = (
            nn.Sequential(nn.Linear(size, size), nn.Tanh(), nn.Linear(size, 1)) if kind == "attention" else None
        )

    def forward(self, hidden: Tensor, lengths: Tensor) -> Tensor:
        real = (torch.arange(hidden.shape[1]) < lengths[:, None])[..., None]
        if self.kind == "last":
            half = hidden.shape[2] // 2
            place = (lengths - 1).clamp(min=0)[:, None, None].expand(-1, 1, half)
            return torch.cat([hidden[..., :half].gather(1, place)[:, 0], hidden[:, 0, half:]], dim=1)
        if self.kind == "mean":
            return (hidden * real).sum(1) / lengths.clamp(min=1)[:, None]
        if self.query is None:
            return hidden.masked_fill(~real, -torch.inf).amax(1).masked_fill((lengths == 0)[:, None], 0.0)
        weights = torch.softmax(self.query(hidden).masked_fill(~real, -1e9), dim=1)
        return (hidden * weights * real).sum(1)


class ClassifierNet(StoredNet):
    """``pooling``: one of `POOLINGS`, or several joined by +. ``weights``: of each class in the loss.

    ``nets``: so many of them, from other first weights and with other dropout, whose scores are averaged.
    """

    def __init__(
        self,
        words: int,
        labels: int,
        task: str,
        pooling: str,
        weights: list[float] | None = None,
        temperature: float = 1.0,
        nets: int = 1,
        **encoder: Any,
    ):
        super().__init__()
        check_range("nets", nets, 1, 64)
        if task not in TASKS:
            raise UsageError("E-LABEL-001", f"the task {task!r} is unknown", mend=f"one of {', '.join(TASKS)}")
        self.word_count, self.labels, self.task, self.pooling = words, labels, task, pooling
        self.class_weights, self.temperature, self.encoder_sizes = weights, temperature, encoder
        self.encoder = WordEncoder(words, **encoder)
        self.pools = nn.ModuleList(Pool(kind, self.encoder.output_size) for kind in pooling.split("+"))
        self.scores = nn.Linear(len(self.pools) * self.encoder.output_size, labels)
        own = (words, labels, task, pooling, weights)
        self.others = nn.ModuleList(ClassifierNet(*own, **encoder) for _ in range(nets - 1))

    def sizes(self) -> dict[str, Any]:
        own = {"words": self.word_count, "labels": self.labels, "task": self.task, "pooling": self.pooling}
        own |= {"weights": self.class_weights, "temperature": self.temperature, "nets": 1 + len(self.others)}
        return {**own, **self.encoder_sizes}

    def forward(self, rows: Rows) -> Tensor:
        """(B, labels): scores, the mean of the nets'."""
        return torch.stack([net.own_scores(rows) for net in self.nets]).mean(0)

    def own_scores(self, rows: Rows) -> Tensor:
        return self.scores_of(self.encoder(rows), rows.lengths)

    def scores_of(self, hidden: Tensor, lengths: Tensor) -> Tensor:
        """hidden (B, T, H), of this net's encoder -> (B, labels)"""
        return self.scores(torch.cat([pool(hidden, lengths) for pool in self.pools], dim=1))

    def loss(self, rows: Rows, targets: Tensor) -> Tensor:
        """Nats per text, or the squared error, the mean over the nets, each by itself.

        targets (B,) of classes, (B, labels) of 0 and 1, or (B,) of numbers.
        """
        return torch.stack([net.own_loss(rows, targets) for net in self.nets]).mean()

    def own_loss(self, rows: Rows, targets: Tensor) -> Tensor:
        scores = self.own_scores(rows)
        if self.task == "regression":
            return F.mse_loss(scores[:, 0], targets.float())
        weight = None if self.class_weights is None else torch.tensor(self.class_weights)
        if self.task == "multilabel":
            return F.binary_cross_entropy_with_logits(scores, targets.float(), pos_weight=weight)
        return F.cross_entropy(scores, targets, weight=weight)

    def probabilities(self, scores: Tensor) -> Tensor:
        """(B, labels) by the temperature; a row sums to one unless each label stands for itself."""
        if self.task == "regression":
            return scores
        scaled = scores.double() / self.temperature
        return torch.sigmoid(scaled) if self.task == "multilabel" else torch.softmax(scaled, dim=1)
