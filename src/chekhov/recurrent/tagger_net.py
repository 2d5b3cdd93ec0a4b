"""The net of a tagger: word encoder -> scores of the tags of each column -> softmax or CRF."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from chekhov.errors import ModelError, check_range
from chekhov.labels.features import Words
from chekhov.labels.spans import are_spans, may_follow
from chekhov.recurrent.crf import CRF, Softmax
from chekhov.recurrent.sequences import kernels_of
from chekhov.recurrent.shapes import shapes_alone
from chekhov.recurrent.word_encoder import Rows, WordEncoder
from chekhov.types import Arrays

ADVERSARIAL_BATCHES = 0.5  # the share of them, drawn by lot, in which words are moved; to move all costs a third more


class StoredNet(nn.Module):
    """A net that is stored as arrays, in shapes that its sizes name.

    ``others``: nets whose scores are averaged with its own. What one of them has wrong by chance, the others have right
    (Hansen & Salamon 1990, ensembles).
    """

    encoder: WordEncoder
    encoder_sizes: dict[str, Any]
    others: nn.ModuleList

    @property
    def nets(self) -> list[Any]:
        return [self, *self.others]

    @property
    def encoders(self) -> list[WordEncoder]:
        return [net.encoder for net in self.nets]

    @property
    def kernels(self) -> str:
        """What unrolls its layers on this machine: a name of `dispatch.PATHS`."""
        layers, hidden_size = self.encoder_sizes["num_layers"], self.encoder_sizes["hidden_size"]
        return kernels_of("lstm", hidden_size, {}, "float32") if layers else "torch"

    def sizes(self) -> dict[str, Any]:
        raise NotImplementedError

    def arrays(self) -> Arrays:
        return {name: tensor.detach().numpy() for name, tensor in self.state_dict().items()}

    def load_arrays(self, arrays: Arrays) -> None:
        self.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in arrays.items()})

    @property
    def parameter_count(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())

    @classmethod
    def from_arrays(cls, sizes: dict[str, Any], arrays: Arrays) -> Any:
        """ModelError where a shape is not the one that the sizes name, or a weight is not finite."""
        with shapes_alone():
            expected = {name: tuple(tensor.shape) for name, tensor in cls(**sizes).state_dict().items()}
        found = {name: tuple(array.shape) for name, array in arrays.items()}
        for name in sorted(expected.keys() | found.keys()):
            if expected.get(name) != found.get(name):
                what = f"the weight {name} has shape {found.get(name)}, expected {expected.get(name)}"
                raise ModelError("E-MODEL-013", what, mend="train the model again")
            if not np.isfinite(arrays[name]).all():
                what = f"the weight {name} holds NaN or infinity"
                raise ModelError("E-MODEL-014", what, mend="train the model again")
        net = cls(**sizes)
        net.load_arrays(arrays)
        return net.eval()


class Scorer(StoredNet):
    """Word encoder -> scores of the tags of each column."""

    def __init__(self, words: int, columns: list[list[str]], **encoder: Any):
        super().__init__()
        self.encoder = WordEncoder(words, **encoder)
        self.scores = nn.ModuleList(nn.Linear(self.encoder.output_size, len(labels)) for labels in columns)

    def own_scores(self, rows: Rows) -> list[Tensor]:
        return self.scores_of(self.encoder.embed_rows(rows), rows.lengths)

    def scores_of(self, xs: Tensor, lengths: Tensor) -> list[Tensor]:
        """Of embedded words (B, T, I)."""
        hidden = self.encoder.read(xs, lengths)
        return [layer(hidden) for layer in self.scores]


class TaggerNet(Scorer):
    """``columns``: the tags of each; ``crf``: which of them have a CRF; ``spans``: those among them whose tags are in
    BIOES, and follow one another only as they may.

    ``nets``: so many encoders, from other first weights and with other dropout, whose scores are averaged; each learns
    by itself, but for the transitions of a CRF, which they share. ``adversarial``: how far `adversarial_loss` moves the
    words in training; 0 leaves it out.
    """

    def __init__(
        self,
        words: int,
        columns: list[list[str]],
        crf: list[bool],
        temperatures: list[float] | None = None,
        nets: int = 1,
        adversarial: float = 0.0,
        **encoder: Any,
    ):
        super().__init__(words, columns, **encoder)
        check_range("nets", nets, 1, 64)
        check_range("adversarial", adversarial, 0.0, 1.0)
        self.adversarial = adversarial
        self.temperatures = temperatures or [1.0] * len(columns)
        self.word_count, self.columns, self.crf, self.encoder_sizes = words, columns, crf, encoder
        self.spans = [chain and are_spans([labels]) for labels, chain in zip(columns, crf)]
        self.heads = nn.ModuleList(
            CRF(labels, may_follow if spans else None) if chain else Softmax(len(labels))
            for labels, chain, spans in zip(columns, crf, self.spans)
        )
        self.others = nn.ModuleList(Scorer(words, columns, **encoder) for _ in range(nets - 1))

    def sizes(self) -> dict[str, Any]:
        own = {"words": self.word_count, "columns": self.columns, "crf": self.crf, "temperatures": self.temperatures}
        return {**own, "nets": len(self.nets), "adversarial": self.adversarial, **self.encoder_sizes}

    def forward(self, rows: Rows) -> list[Tensor]:
        """Scores (B, T, K) of each column, the mean of the nets'."""
        return [torch.stack(scores).mean(0) for scores in zip(*(net.own_scores(rows) for net in self.nets))]

    def loss(self, rows: Rows, targets: Tensor) -> Tensor:
        """Nats per word, summed over the columns, the mean over the nets: targets (columns, B, T), -1 after the end of
        a row. In adversarial training half of the gradients are in ``grad`` already, the other half is the loss's."""
        heads = cast("list[CRF | Softmax]", self.heads)
        adversarial = self.adversarial if torch.rand(()) < ADVERSARIAL_BATCHES else 0.0
        losses = []
        for net in self.nets:

            def loss(xs: Tensor, net: Scorer = net) -> Tensor:
                scores = net.scores_of(xs, rows.lengths)
                parts = [head.loss(of, own, rows.lengths) for head, of, own in zip(heads, scores, targets)]
                return torch.stack(parts).sum() / len(self.nets)

            xs = net.encoder.embed_rows(rows)
            losses.append(adversarial_loss(loss, xs, rows.lengths, adversarial) if adversarial else loss(xs))
        return torch.stack(losses).sum()


def adversarial_loss(loss: Callable[[Tensor], Tensor], xs: Tensor, lengths: Tensor, share: float) -> Tensor:
    """(L(x) + L(x + r)) / 2, where r makes L worst in first order: ``share`` |x| g / |g| of each row, g its gradient
    (Goodfellow et al. 2015, equation 1, in the norm of Miyato, Dai & Goodfellow 2017, equation 5).

    xs (B, T, I). The gradients of L(x) / 2 are added to ``grad`` of all that L depends on but for xs; those with
    respect to xs, and L(x + r) / 2, are the result's.
    """
    start = xs.detach().requires_grad_()
    clean = loss(start) / 2
    clean.backward()
    gradient = cast(Tensor, start.grad)
    real = (torch.arange(xs.shape[1]) < lengths[:, None])[..., None]
    sizes = [(rows * real).flatten(1).norm(dim=1) for rows in (start.detach(), gradient)]
    shift = gradient * (share * sizes[0] / (sizes[1] + 1e-12))[:, None, None]
    return clean.detach() + loss(xs + shift) / 2 + ((xs - start.detach()) * gradient).sum()


def gather_rows(words: Words, rows: NDArray[np.int64]) -> tuple[Rows, NDArray[np.int64]]:
    """These rows with the types that are in them; and the places (B, T) of their words among all, -1 after the end."""
    lengths, places = words.lengths[rows], places_of(words, rows)
    types, which = np.unique(words.tokens[places], return_inverse=True)
    states = None if words.states is None else torch.from_numpy(words.states[places].astype(np.float32))
    tokens = torch.from_numpy(which.reshape(places.shape))
    return Rows(torch.from_numpy(words.features[types]), tokens, torch.from_numpy(lengths), states), places


def places_of(words: Words, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """(B, T): where the words of these rows stand among all, -1 after the end."""
    lengths = words.lengths[rows]
    places = words.begins[rows][:, None] + np.arange(int(lengths.max(initial=1)))
    places[np.arange(places.shape[1]) >= lengths[:, None]] = -1
    return places
