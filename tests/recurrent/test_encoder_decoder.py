"""A vector to a sequence, a sequence to a sequence: the probabilities are those of PyTorch's own layers."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from chekhov import testing
from chekhov.generation.beam import beam_search
from chekhov.recurrent.encoder_decoder import ConditionalLM, EncoderDecoder
from chekhov.recurrent.language_model import CELLS, RecurrentLM
from chekhov.types import BOS, EOS

I, V, H = 5, 7, 6


def conditional(cell: str = "lstm", num_layers: int = 1) -> ConditionalLM:
    torch.manual_seed(1)
    return ConditionalLM(I, RecurrentLM(cell, V, embedding_size=4, hidden_size=H, num_layers=num_layers)).eval()


def encoder_decoder(cell: str = "gru", num_layers: int = 1) -> EncoderDecoder:
    torch.manual_seed(2)
    return EncoderDecoder(cell, 9, V, embedding_size=4, hidden_size=H, num_layers=num_layers).eval()


SOURCE = torch.tensor([[3, 1, 4, 1, 5], [8, 7, 0, 0, 0], [6, 0, 0, 0, 0]])
LENGTHS = torch.tensor([5, 2, 1])
TARGETS = torch.tensor([[3, 4, EOS], [6, EOS, -1], [EOS, -1, -1]])


@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("cell", sorted(CELLS))
def test_given_its_vector_it_is_a_language_model(cell: str, num_layers: int) -> None:
    model: Any = conditional(cell, num_layers).given(torch.randn(I, generator=torch.Generator().manual_seed(3)))
    ids = testing.draw_ids(model, np.random.default_rng(0), batch_size=3, length=8)
    testing.check_rows_sum_to_one(model, ids)
    testing.check_score_equals_stepping(model, ids)
    testing.check_text_may_be_cut_anywhere(model, ids)
    testing.check_advance_leaves_its_argument_alone(model, ids)


def test_the_loss_is_the_score_of_each_target_given_its_own_vector() -> None:
    net, vectors = conditional(), torch.randn(3, I, generator=torch.Generator().manual_seed(4))
    total = 0.0
    for vector, row in zip(vectors, TARGETS, strict=True):
        model, ids = net.given(vector), row[row >= 0].numpy()[None]
        total -= float(model.score(model.initial_state(1), ids)[0].sum())
    assert net.loss(vectors, TARGETS).item() == pytest.approx(total / 6, abs=1e-6)


def test_it_is_pytorchs_gru_with_a_first_state_that_the_vector_makes() -> None:
    net, vectors = conditional("gru"), torch.randn(3, I, generator=torch.Generator().manual_seed(5))
    lm = net.lm
    read = torch.cat([torch.full((3, 1), EOS), TARGETS[:, :-1].clamp(min=0)], dim=1)  # <s> has the vector of </s>
    first = torch.tanh(vectors @ net.starts[0].weight.t() + net.starts[0].bias)
    outputs, _ = lm.stack.cells[0].weights(lm.embedding(read), first[None])
    logits = lm.head(outputs)
    logits[..., BOS] = -torch.inf  # <s> is never predicted
    wanted = F.cross_entropy(logits.flatten(0, 1), TARGETS.flatten(), ignore_index=-1)
    assert net.loss(vectors, TARGETS).item() == pytest.approx(wanted.item(), abs=1e-6)


@pytest.mark.parametrize("num_layers", [1, 2])
def test_the_encoder_is_pytorchs_bidirectional_gru_on_packed_rows(num_layers: int) -> None:
    net = encoder_decoder(num_layers=num_layers)
    reference = nn.GRU(4, H, num_layers=num_layers, bidirectional=True, batch_first=True)
    for layer in range(num_layers):
        for suffix, cells in (("", net.encoder.forward_cells), ("_reverse", net.encoder.backward_cells)):
            for name, weight in cells[layer].weights.named_parameters():
                reference.get_parameter(name.replace("_l0", f"_l{layer}") + suffix).data.copy_(weight.data)
    packed = nn.utils.rnn.pack_padded_sequence(net.embedding(SOURCE), LENGTHS, batch_first=True)
    _, last = reference(packed)
    wanted = torch.cat([last[-2], last[-1]], dim=1)
    torch.testing.assert_close(net.encode(SOURCE, LENGTHS), wanted, atol=2e-6, rtol=0)


def test_padding_reaches_nothing() -> None:
    net, other = encoder_decoder(), SOURCE.clone()
    other[1, 2:], other[2, 1:] = 7, 2
    assert net.loss(SOURCE, LENGTHS, TARGETS).item() == net.loss(other, LENGTHS, TARGETS).item()
    longer = F.pad(TARGETS, (0, 2), value=-1)
    assert net.loss(SOURCE, LENGTHS, longer).item() == pytest.approx(
        net.loss(SOURCE, LENGTHS, TARGETS).item(), abs=1e-6
    )


def test_a_wide_beam_finds_what_enumeration_finds() -> None:
    model: Any = encoder_decoder().given(SOURCE[0])
    best = -np.inf
    for length in range(3):
        for ids in itertools.product(range(3, V), repeat=length):
            log_probs, _ = model.score(model.initial_state(1), np.array([[*ids, EOS]]))
            best = max(best, float(log_probs.sum()))
    found = [h for h in beam_search(model, np.array([], np.int64), beam=400, max_tokens=3) if h.finish_reason == "end"]
    assert found[0].log_prob == pytest.approx(best, abs=1e-5)


def test_gradients_reach_every_weight_and_are_those_of_finite_differences() -> None:
    net = copy.deepcopy(encoder_decoder("lstm")).double()

    def loss() -> torch.Tensor:
        return net.loss(SOURCE, LENGTHS, TARGETS)

    loss().backward()
    for name, weight in net.named_parameters():
        assert weight.grad is not None, name
        place = tuple(int(i) for i in np.unravel_index(int(weight.grad.abs().argmax()), weight.shape))
        slope, kept = float(weight.grad[place]), float(weight.data[place])
        values = []
        for step in (1e-5, -1e-5):
            with torch.no_grad():
                weight[place] = kept + step
                values.append(loss().item())
                weight[place] = kept
        assert slope == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-5, abs=1e-9), name
