"""The net of a tagger in adversarial training: beside PyTorch's own gradients."""

from __future__ import annotations

import pytest
import torch

import chekhov.recurrent.tagger_net as module
from chekhov.recurrent.tagger_net import TaggerNet, adversarial_loss
from chekhov.recurrent.word_encoder import Rows

SIZES = {"word_size": 6, "affix_size": 3, "hidden_size": 5, "num_layers": 1, "dropout": 0.0, "word_dropout": 0.0}
LENGTHS = torch.tensor([2, 4])


def rows() -> Rows:
    torch.manual_seed(1)
    return Rows(torch.randint(0, 9, (7, 10)), torch.randint(0, 7, (2, 4)), LENGTHS)


def targets() -> torch.Tensor:
    return torch.tensor([[[0, 2, -1, -1], [1, 1, 0, 2]], [[1, 0, -1, -1], [0, 0, 1, 1]]])


@pytest.mark.parametrize("nets", [1, 2])
def test_gradients_are_those_of_the_mean_of_both_losses(nets: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ADVERSARIAL_BATCHES", 1.0)
    torch.manual_seed(0)
    net = TaggerNet(9, [["O", "B-X", "I-X"], ["a", "b"]], [True, False], nets=nets, adversarial=0.3, **SIZES)
    loss = net.loss(rows(), targets())
    loss.backward()
    found = {name: parameter.grad.clone() for name, parameter in net.named_parameters() if parameter.grad is not None}
    net.zero_grad()

    def plainly(one: TaggerNet, xs: torch.Tensor) -> torch.Tensor:
        scores = one.scores_of(xs, LENGTHS)
        return sum(head.loss(own, t, LENGTHS) for head, own, t in zip(net.heads, scores, targets())) / nets

    total = torch.zeros(())
    real = (torch.arange(4) < LENGTHS[:, None])[..., None]
    for one in net.nets:
        xs = one.encoder.embed_rows(rows())
        clean = plainly(one, xs)
        (g,) = torch.autograd.grad(clean, xs, retain_graph=True)
        sizes = [(part * real).flatten(1).norm(dim=1) for part in (xs.detach(), g)]
        worst = plainly(one, xs + 0.3 * g * (sizes[0] / sizes[1])[:, None, None])
        assert worst > clean
        total = total + (clean + worst) / 2
    assert loss.item() == pytest.approx(total.item(), rel=1e-5)
    total.backward()
    expected = {name: parameter.grad for name, parameter in net.named_parameters() if parameter.grad is not None}
    assert expected.keys() == found.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-4, atol=1e-6, msg=name)


def test_words_are_moved_in_half_of_the_batches() -> None:
    net = TaggerNet(9, [["O", "B-X", "I-X"], ["a", "b"]], [True, False], adversarial=0.3, **SIZES)
    batch, wanted = rows(), targets()
    torch.manual_seed(0)
    losses = [round(net.loss(batch, wanted).item(), 5) for _ in range(200)]
    net.adversarial = 0.0
    clean = round(net.loss(batch, wanted).item(), 5)
    assert len(set(losses)) == 2
    assert min(losses) == clean
    assert 70 < losses.count(clean) < 130


def test_what_stands_after_the_end_of_a_row_moves_nothing() -> None:
    def step(padding: float) -> list[torch.Tensor]:
        moved = []

        def loss(xs: torch.Tensor) -> torch.Tensor:
            moved.append(xs.detach())
            return (xs[0, :2] ** 2).sum() + (xs[1] ** 2).sum()

        xs = torch.ones(2, 4, 3)
        xs[0, 2:] = padding
        adversarial_loss(loss, xs.requires_grad_(), LENGTHS, 0.5)
        return moved

    for clean, worst in (step(1.0), step(100.0)):
        torch.testing.assert_close(worst[:, :2], 1.5 * clean[:, :2])
        torch.testing.assert_close(worst[0, 2:], clean[0, 2:])
