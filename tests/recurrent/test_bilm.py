"""The language model beside a tagger's tags: against its formula, word by word."""

from __future__ import annotations

import pytest
import torch

import chekhov.recurrent.bilm as module
from chekhov.errors import UsageError
from chekhov.recurrent.bilm import BiLM
from chekhov.recurrent.tagger_net import TaggerNet
from chekhov.recurrent.word_encoder import Rows

SIZES = {"word_size": 6, "affix_size": 3, "hidden_size": 5, "num_layers": 1, "dropout": 0.0, "word_dropout": 0.0}
LENGTHS = torch.tensor([2, 4, 1])


def batch() -> tuple[Rows, torch.Tensor]:
    torch.manual_seed(1)
    rows = Rows(torch.randint(0, 9, (7, 10)), torch.randint(0, 7, (3, 4)), LENGTHS)
    return rows, torch.where(torch.arange(4) < LENGTHS[:, None], 1, -1)[None]


def test_the_loss_is_that_of_the_words_on_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "COMMONEST", 6)
    torch.manual_seed(0)
    model, hidden = BiLM(5, 9), torch.randn(3, 4, 10)
    numbers = torch.tensor([[3, 8, 0, 0], [1, 2, 5, 7], [4, 0, 0, 0]])
    ahead, back = [], []
    for b, words in enumerate([[3, 0], [1, 2, 5, 0], [4]]):  # 7 and 8 are none of the commonest
        for t in range(len(words) - 1):
            ahead.append(-model.ahead(hidden[b, t, :5]).log_softmax(0)[words[t + 1]])
            back.append(-model.back(hidden[b, t + 1, 5:]).log_softmax(0)[words[t]])
    expected = torch.stack(ahead).mean() + torch.stack(back).mean()
    torch.testing.assert_close(model.loss(hidden, numbers, LENGTHS), expected)
    assert model.loss(hidden[2:], numbers[2:], LENGTHS[2:]) == 0.0


def test_neither_half_has_read_what_it_is_to_guess() -> None:
    rows, _ = batch()
    encoder = TaggerNet(9, [["a", "b"]], [False], lm_loss=0.5, **SIZES).encoder
    xs = encoder.embed_rows(rows)
    changed = xs.clone()
    changed[1, 2] += 1.0
    hidden, other = encoder.read(xs, LENGTHS)[1], encoder.read(changed, LENGTHS)[1]
    same = (hidden - other).abs() < 1e-7
    assert same[:2, :5].all()
    assert same[3:, 5:].all()
    assert not same[2:, :5].all(dim=1).any()
    assert not same[:3, 5:].all(dim=1).any()


def test_the_encoder_learns_from_it_and_the_tags_do_not_need_it() -> None:
    rows, targets = batch()
    torch.manual_seed(0)
    net = TaggerNet(9, [["a", "b"]], [False], nets=2, lm_loss=0.5, **SIZES)
    loss, scores = net.loss(rows, targets), net(rows)[0]
    tags = net.heads[0].loss(net.own_scores(rows)[0], targets[0], LENGTHS)
    numbers = rows.features[:, 0][rows.tokens]
    words = [one.bilm.loss(one.encoder(rows), numbers, LENGTHS) for one in net.nets]
    second = net.heads[0].loss(net.others[0].own_scores(rows)[0], targets[0], LENGTHS)
    torch.testing.assert_close(loss, (tags + second + 0.5 * sum(words)) / 2)
    (gradient,) = torch.autograd.grad(words[0], [net.encoder.affixes.weight])
    assert gradient.abs().sum() > 0
    net.forget_language_models()
    assert not any("bilm" in name for name in net.arrays())
    assert "lm_loss" not in net.sizes()
    torch.testing.assert_close(TaggerNet.from_arrays(net.sizes(), net.arrays())(rows)[0], scores)


def test_of_two_layers_it_is_refused() -> None:
    with pytest.raises(UsageError, match="E-LABEL-018"):
        TaggerNet(9, [["a", "b"]], [False], lm_loss=0.5, **{**SIZES, "num_layers": 2})
