"""Muon: a matrix steps by the same length in all directions (Jordan et al. 2024, "Muon: an optimizer for hidden
layers in neural networks")."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from chekhov.recurrent.cell import Cell

MOMENTUM = 0.95
LENGTH = 0.2  # of a step, root mean square, for a rate of 1: AdamW's (Liu et al. 2025, arXiv 2502.16982, section 2.2)
ROWS = 64  # of a gate that are orthogonalised together: as good as all, and the cost stays linear in its size
ITERATIONS = 3
a, b, c = 3.4445, -4.7750, 2.0315  # Jordan's: singular values come near 1 fast, rather than exactly to it


def orthogonalised(matrices: Tensor) -> Tensor:
    """U V^T of each matrix U S V^T, roughly: singular values between 0.7 and 1.2, but for the very smallest.

    matrices (n, rows, columns), in float32 or bfloat16. Newton-Schulz: X <- a X + b X X^T X + c (X X^T)^2 X. It begins
    with X over the fourth root of the sum of its singular values' fourth powers, which none of them exceeds, and which
    is nearer to the largest than the Frobenius norm is: 3 iterations do what Jordan's 5 do.
    """
    wide = matrices if matrices.shape[1] <= matrices.shape[2] else matrices.mT
    squares = wide @ wide.mT
    norms = squares.float().norm(dim=(1, 2), keepdim=True).clamp_min(1e-30)
    X, squares = wide * norms.rsqrt().to(wide.dtype), squares * norms.reciprocal().to(wide.dtype)
    for iteration in range(ITERATIONS):
        if iteration:
            squares = X @ X.mT
        X = torch.baddbmm(X, torch.baddbmm(squares, squares, squares, beta=b, alpha=c), X, beta=a)
    return X if wide is matrices else X.mT


def by_parts(matrix: Tensor, gates: int) -> Tensor:
    """`orthogonalised` of a matrix (gates * H, K): of each gate by itself, and of no more than `ROWS` rows of it."""
    H, K = len(matrix) // gates, matrix.shape[1]
    parts = -(-H // ROWS)
    rows = -(-H // parts)
    filled = F.pad(matrix.view(gates, H, K), (0, 0, 0, parts * rows - H))  # rows of zeros change nothing
    return orthogonalised(filled.view(gates * parts, rows, K)).reshape(gates, -1, K)[:, :H].reshape(matrix.shape)


def matrices_of(model: torch.nn.Module) -> list[tuple[Tensor, int]]:
    """Each matrix of the model's cells, and how many gates it holds, one below the other."""
    found = {}
    for cell in model.modules():
        if isinstance(cell, Cell):
            for weight in cell.parameters():
                if weight.ndim == 2 and len(weight) % cell.hidden_size == 0:
                    found[weight] = len(weight) // cell.hidden_size
    return list(found.items())


class Muon(torch.optim.Optimizer):
    """Steps of matrices (gates * H, K) along their orthogonalised Nesterov momentum, as long as AdamW's.

    ``bf16``: products in bfloat16, which is all that is needed where the machine has it.
    """

    def __init__(
        self, matrices: Iterable[tuple[Tensor, int]], *, lr: float, weight_decay: float = 0.0, bf16: bool = False
    ):
        groups = [{"params": [matrix], "gates": gates} for matrix, gates in matrices]
        super().__init__(groups, {"lr": lr, "weight_decay": weight_decay})
        self.dtype = torch.bfloat16 if bf16 else torch.float32

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """As PyTorch's optimisers have it: ``closure``, if there is one, reckons the gradients anew, and its loss is
        the result."""
        with torch.enable_grad():
            loss = None if closure is None else closure()
        for group in self.param_groups:
            matrix = group["params"][0]
            if matrix.grad is None:
                continue
            state = self.state[matrix]
            if not state:
                state["momentum_buffer"] = torch.zeros_like(matrix)
            momentum = state["momentum_buffer"].lerp_(matrix.grad, 1 - MOMENTUM)
            step = by_parts(matrix.grad.lerp(momentum, MOMENTUM).to(self.dtype), group["gates"])
            length = LENGTH * max(len(matrix) / group["gates"], matrix.shape[1]) ** 0.5
            matrix.mul_(1 - group["lr"] * group["weight_decay"])
            matrix.add_(step, alpha=-group["lr"] * length)
        return loss
