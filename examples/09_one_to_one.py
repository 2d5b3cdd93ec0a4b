"""One to one: one input, one answer, nothing to remember. An Elman cell that makes one step is a net with one hidden
layer: its state is 0 before, so that of h = tanh(W x + U 0 + b) the recurrent part is gone.

Which of three arms of a spiral does a point of the plane lie on? No straight line tells.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from learn import flags, learn
from torch import nn

from chekhov.inspection.unrolled import plot_unrolled
from chekhov.recurrent.elman import Elman
from chekhov.training.memory_tasks import TaskNet

ARMS, UNITS = 3, 64


def points(count: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """(N, 2) and the arm of each (N,)."""
    arm = torch.randint(ARMS, (count,), generator=generator)
    radius = torch.rand(count, generator=generator) * 0.95 + 0.05
    angle = 2 * math.pi * (arm / ARMS + 0.75 * radius) + 0.12 * torch.randn(count, generator=generator)
    return torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1), arm


def main() -> None:
    given = flags(__doc__.splitlines()[0], steps=2000)
    torch.manual_seed(0)
    train, test = (torch.Generator().manual_seed(seed) for seed in (1, 2))
    xs, arms = points(1500, train)
    new_xs, new_arms = points(1500, test)
    net, line = TaskNet(Elman(2, UNITS), ARMS), nn.Linear(2, ARMS)

    def loss() -> torch.Tensor:
        rows = torch.randint(len(xs), (128,), generator=train)
        return F.cross_entropy(net(xs[rows, None])[:, 0], arms[rows])  # (B, 2) -> (B, 1, 2): a sequence of one

    learn(net, loss, given.steps, lr=0.02)
    learn(line, lambda: F.cross_entropy(line(xs), arms), 200, lr=0.1)
    W, _, b, b_hh = net.cell.parameters_by_letter()
    with torch.no_grad():
        scores = net(new_xs[:, None])[:, 0]
        feed_forward = net.head(torch.tanh(new_xs @ W.t() + b + b_hh))
        apart = (scores - feed_forward).abs().max()
        print(f"from Linear, tanh, Linear with the same weights it differs by at most {apart:.0e}")
        straight = (line(new_xs).argmax(1) == new_arms).float().mean()
        right = (scores.argmax(1) == new_arms).float().mean()
    print(f"straight lines: {100 * straight:.1f} % of 1,500 new points")
    print(f"held out: {100 * right:.1f} %")
    if given.plot:
        plot_unrolled(net, given.plot, inputs=["(x, y)"], outputs=["which arm"], title="one to one")


if __name__ == "__main__":
    main()
