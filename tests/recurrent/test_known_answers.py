"""Small nets whose answers are known beforehand: by hand, from the chapter's sources, or from mechanics."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from chekhov.recurrent.elman import Elman
from chekhov.recurrent.language_model import RecurrentLM


def test_a_net_built_by_hand_finds_two_ones_in_a_row() -> None:
    """h = (this input, the one before it, 1), y = ReLU(this + before - 1): three ReLU units, nothing learnt."""
    cell = Elman(1, 3, activation="relu", bias=False)
    W_xh, W_hh, _, _ = cell.parameters_by_letter()
    with torch.no_grad():
        W_xh.copy_(torch.tensor([[1.0], [0.0], [0.0]]))
        W_hh.copy_(torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 0, 1]]))
    x = torch.tensor([0.0, 1, 0, 1, 1, 1, 0, 1, 1])
    for unroll in (cell.unroll, super(Elman, cell).unroll):
        h, _ = unroll(x[None, :, None], torch.tensor([[0.0, 0, 1]]))
        y = torch.relu(h[0] @ torch.tensor([1.0, 1, -1]))
        assert y.tolist() == [0, 0, 0, 0, 1, 1, 0, 0, 1]


def test_hello_the_first_loss() -> None:
    """The logits (1.0, 2.2, -3.0, 4.1) over h, e, l, o after "h": p(e) = 0.125, a loss of 2.079 nats."""
    log_p = F.log_softmax(torch.tensor([1.0, 2.2, -3.0, 4.1], dtype=torch.float64), dim=0)[1]
    assert float(log_p.exp()) == pytest.approx(0.125, abs=5e-4)
    assert float(-log_p) == pytest.approx(2.079, abs=1e-3)


@pytest.mark.parametrize("remembers", [True, False])
def test_hello_is_learnt_only_with_a_state(remembers: bool) -> None:
    """h -> e, e -> l, l -> l, l -> o: the two l's look alike to a net that does not remember."""
    torch.manual_seed(0)
    h, e, l, o = 3, 4, 5, 6
    inputs, targets = torch.tensor([[h, e, l, l]]), torch.tensor([[e, l, l, o]])
    net = RecurrentLM("elman", 7, embedding_size=0, hidden_size=3)
    W_hh = net.stack.cells[0].parameters_by_letter()[1]
    optimiser = torch.optim.Adam(net.parameters(), lr=0.05)
    for _ in range(400):
        features, _ = net(inputs, net.stack.initial_state(1))
        loss = F.nll_loss(net.log_softmax(features).flatten(0, 1), targets.flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if not remembers:
            with torch.no_grad():
                W_hh.zero_()
    right = int((net.log_softmax(features).argmax(2) == targets).sum())
    assert right == (4 if remembers else 3)


def test_a_linear_net_is_momentum() -> None:
    """f = id, W_hh = beta I, W_xh = eta I: the hidden state is the momentum buffer of gradient descent, number by
    number, when the inputs are the gradients (the chapter's analogy)."""
    beta, eta, n = 0.9, 0.5, 4
    cell = Elman(n, n, activation="identity", bias=False).double()
    W_xh, W_hh, _, _ = cell.parameters_by_letter()
    with torch.no_grad():
        W_xh.copy_(eta * torch.eye(n, dtype=torch.float64))
        W_hh.copy_(beta * torch.eye(n, dtype=torch.float64))
    gradients = torch.randn(20, n, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    weights = torch.zeros(n, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.SGD([weights], lr=1.0, momentum=beta)
    state, expected = cell.initial_state(1), np.zeros(n)
    for gradient in gradients:
        _, state = cell.step(gradient[None], state)
        weights.grad = eta * gradient
        optimiser.step()
        expected = beta * expected + eta * gradient.numpy()
        buffer = optimiser.state[weights]["momentum_buffer"]
        torch.testing.assert_close(state[0].detach(), buffer, rtol=1e-15, atol=1e-15)
        np.testing.assert_allclose(state[0].detach().numpy(), expected, rtol=1e-14)
