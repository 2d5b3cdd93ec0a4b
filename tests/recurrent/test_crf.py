"""The CRF against the enumeration of all its paths, and against finite differences."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from chekhov.labels.spans import may_follow
from chekhov.recurrent.crf import CRF

LABELS = ["A", "B", "C"]
BIOES = ["O", "B-A", "I-A", "E-A", "S-A"]


def crf_and_scores(labels: list[str], chained: bool, T: int = 4) -> tuple[CRF, torch.Tensor]:
    torch.manual_seed(3)
    crf = CRF(labels, may_follow if chained else None).double()
    for parameter in crf.parameters():
        torch.nn.init.normal_(parameter)
    return crf, torch.randn(2, T, len(labels), dtype=torch.float64)


def paths(crf: CRF, scores: torch.Tensor) -> dict[tuple[int, ...], float]:
    transitions, start, end = (table.detach().numpy() for table in crf.tables())
    found = {}
    for path in itertools.product(range(len(start)), repeat=len(scores)):
        value = start[path[0]] + end[path[-1]] + sum(float(scores[t, k]) for t, k in enumerate(path))
        found[path] = value + sum(transitions[a, b] for a, b in itertools.pairwise(path))
    return found


@pytest.mark.parametrize(("labels", "chained"), [(LABELS, False), (BIOES, True)])
def test_everything_equals_enumeration(labels: list[str], chained: bool) -> None:
    crf, scores = crf_and_scores(labels, chained)
    lengths = torch.tensor([4, 3])
    log_z = crf.log_partition(scores, lengths).detach()
    array, sizes = scores.numpy(), lengths.numpy()
    best, marginals = crf.decode(array, sizes), crf.marginals(array, sizes)
    for b, T in enumerate(lengths.tolist()):
        all_paths = paths(crf, scores[b, :T])
        total = np.logaddexp.reduce(list(all_paths.values()))
        assert float(log_z[b]) == pytest.approx(total, abs=1e-9)
        assert tuple(best[b, :T]) == max(all_paths, key=lambda path: all_paths[path])
        assert (best[b, T:] == -1).all()
        expected = np.zeros((T, len(labels)))
        for path, value in all_paths.items():
            expected[np.arange(T), path] += np.exp(value - total)
        np.testing.assert_allclose(marginals[b, :T], expected, atol=1e-9)
        piece = [0, 0] if not chained else [1, 3]
        share = sum(np.exp(v - total) for path, v in all_paths.items() if list(path[1:3]) == piece)
        assert crf.path_probability(array[b, :T], 1, piece) == pytest.approx(share, abs=1e-9)
        target = torch.tensor([list(max(all_paths, key=lambda path: all_paths[path]))])
        loss = crf.loss(scores[b : b + 1, :T], target, lengths[b : b + 1])
        assert float(loss.detach()) * T == pytest.approx(total - max(all_paths.values()), abs=1e-9)


def test_gradients_are_those_of_finite_differences() -> None:
    crf, scores = crf_and_scores(LABELS, False, T=3)
    targets, lengths = torch.tensor([[0, 1, 2], [1, 1, -1]]), torch.tensor([3, 2])
    scores.requires_grad_()
    inputs = (scores, crf.transitions, crf.start, crf.end)
    assert torch.autograd.gradcheck(lambda s, *_: crf.loss(s, targets, lengths), inputs)


def test_a_temperature_divides_every_score() -> None:
    crf, scores = crf_and_scores(LABELS, False)
    hot = crf.marginals(scores.numpy(), np.array([4, 4]), 1e6)
    np.testing.assert_allclose(hot, 1 / 3, atol=1e-4)


@pytest.mark.parametrize("T", [2, 5])
def test_it_is_the_crf_of_pytorch_crf(T: int) -> None:
    """Loss, its gradient and the best path, rows of unequal length (pip install pytorch-crf)."""
    torchcrf = pytest.importorskip("torchcrf")
    crf, scores = crf_and_scores(LABELS, False, T)
    peer = torchcrf.CRF(len(LABELS), batch_first=True).double()
    peer.load_state_dict({"transitions": crf.transitions, "start_transitions": crf.start, "end_transitions": crf.end})
    lengths = torch.tensor([T, max(1, T - 2)])
    mask = torch.arange(T) < lengths[:, None]
    targets = torch.randint(0, len(LABELS), (2, T))
    ours, theirs = scores.clone().requires_grad_(), scores.clone().requires_grad_()
    loss = crf.loss(ours, targets.masked_fill(~mask, -1), lengths)
    wanted = -peer(theirs, targets, mask=mask, reduction="token_mean")
    torch.testing.assert_close(loss, wanted)
    loss.backward()
    wanted.backward()
    torch.testing.assert_close(ours.grad, theirs.grad)
    for own, other in zip(
        (crf.transitions, crf.start, crf.end), (peer.transitions, peer.start_transitions, peer.end_transitions)
    ):
        torch.testing.assert_close(own.grad, other.grad)
    best = crf.decode(scores.numpy(), lengths.numpy())
    assert [row[: int(n)].tolist() for row, n in zip(best, lengths)] == peer.decode(scores, mask=mask)
