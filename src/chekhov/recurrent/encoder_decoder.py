"""A net that writes what it was given as a vector, and one that reads before it writes.

    one to many     h_0 = tanh(W v + b), then a language model: p(y_t | v, y_1 .. y_{t-1})
    many to many    v = [h_forward at the last token; h_backward at the first], then the same

(Cho et al. 2014, section 2.2 and appendix A.1.1; Sutskever, Vinyals & Le 2014; the vector may be anything: Vinyals et
al. 2015 begin with an image.) All that is known of the source goes through one vector: there is no attention here.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from chekhov.recurrent.bidirectional import Bidirectional
from chekhov.recurrent.classifier_net import Pool
from chekhov.recurrent.dropout import dropout
from chekhov.recurrent.embedding import embedding
from chekhov.recurrent.language_model import CELLS, RecurrentLM, RecurrentState
from chekhov.state import leaves, map_state
from chekhov.types import BOS, Ids, LogProbs

NOTHING = -1  # a target after the end of its row


class ConditionalLM(nn.Module):
    """p(y | v): the language model ``lm``, of which every state begins as tanh of a linear map of the vector v (I,)."""

    def __init__(self, input_size: int, lm: RecurrentLM):
        super().__init__()
        self.input_size, self.lm = input_size, lm
        self.starts = nn.ModuleList(
            nn.Linear(input_size, part[0].numel()) for part in leaves(lm.stack.initial_state(1))
        )

    def start(self, vectors: Tensor) -> Any:
        """vectors (B, I) -> the state of the stack before <s> is read."""
        made = (torch.tanh(layer(vectors)) for layer in self.starts)
        return map_state(lambda zeros: next(made).view(zeros.shape), self.lm.stack.initial_state(len(vectors)))

    def log_probs(self, vectors: Tensor, targets: Tensor) -> Tensor:
        """vectors (B, I), targets (B, T) -> (B, T): log p of each target, given those before it; 0 where it is -1."""
        real = targets != NOTHING
        read = torch.cat([torch.full_like(targets[:, :1], BOS), targets[:, :-1]], dim=1).clamp(min=0)
        features, _ = self.lm(read, self.start(vectors))
        found = self.lm.log_softmax(features).gather(2, targets.clamp(min=0)[..., None])[..., 0]
        return torch.where(real, found, torch.zeros_like(found))

    def loss(self, vectors: Tensor, targets: Tensor) -> Tensor:
        """Nats per token; targets (B, T) end in </s>, and -1 follows."""
        return -self.log_probs(vectors, targets).sum() / (targets != NOTHING).sum()

    def given(self, vector: Tensor) -> Given:
        """The language model p(y | v) of this vector (I,)."""
        return Given(self, vector)


class Given:
    """A conditional model whose condition is known: to be scored, sampled from and searched as any language model.

    It keeps the contract of `chekhov.types` but for storage: ``arrays`` would be those of the model behind it.
    """

    def __init__(self, model: ConditionalLM, vector: Tensor):
        self.model, self.vector, self.vocab_size = model, vector, model.lm.vocab_size

    @torch.inference_mode()
    def initial_state(self, batch_size: int) -> RecurrentState:
        lm = self.model.lm
        cells = self.model.start(self.vector.expand(batch_size, -1))
        features, cells = lm.stack.step(lm.embed(torch.full((batch_size,), BOS)), cells)
        return map_state(lambda tensor: tensor.numpy(), RecurrentState(features, cells))

    def log_probs(self, state: RecurrentState) -> LogProbs:
        return self.model.lm.log_probs(state)

    def advance(self, state: RecurrentState, tokens: Ids) -> RecurrentState:
        return self.model.lm.advance(state, tokens)

    def score(self, state: RecurrentState, ids: Ids) -> tuple[LogProbs, RecurrentState]:
        return self.model.lm.score(state, ids)


class EncoderDecoder(nn.Module):
    """p(target | source): bidirectional layers read the source, a conditional language model writes the target."""

    def __init__(
        self,
        cell: str,
        source_size: int,
        target_size: int,
        *,
        embedding_size: int = 64,
        hidden_size: int = 128,
        num_layers: int = 1,
        dropout: float = 0.0,
    ):
        super().__init__()
        self.dropout = dropout
        self.embedding = nn.Embedding(source_size, embedding_size)
        widths = [embedding_size] + [2 * hidden_size] * (num_layers - 1)
        ahead, back = ([CELLS[cell](width, hidden_size) for width in widths] for _ in range(2))
        self.encoder = Bidirectional(ahead, back, dropout)
        self.pool = Pool("last", self.encoder.output_size)
        sizes: dict[str, Any] = {"embedding_size": embedding_size, "hidden_size": hidden_size}
        lm = RecurrentLM(cell, target_size, num_layers=num_layers, dropout=dropout, **sizes)
        self.decoder = ConditionalLM(self.encoder.output_size, lm)

    def encode(self, source: Tensor, lengths: Tensor) -> Tensor:
        """source (B, L), lengths (B,) -> (B, 2H). What stands after the end of a row reaches nothing."""
        xs = dropout(embedding(source, self.embedding.weight), self.dropout, self.training)
        return self.pool(self.encoder(xs, lengths), lengths)

    def loss(self, source: Tensor, lengths: Tensor, targets: Tensor) -> Tensor:
        """Nats per token of the target; targets (B, T) end in </s>, and -1 follows."""
        return self.decoder.loss(self.encode(source, lengths), targets)

    @torch.inference_mode()
    def given(self, source: Tensor) -> Given:
        """The language model p(target | source) of this source (L,)."""
        return self.decoder.given(self.encode(source[None], torch.tensor([len(source)]))[0])
