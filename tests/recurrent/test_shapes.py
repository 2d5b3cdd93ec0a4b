"""Nets without numbers have the shapes of nets with them, and PyTorch's compiler stays away."""

from __future__ import annotations

import subprocess
import sys

import pytest

from chekhov.recurrent.language_model import CELLS, RecurrentLM
from chekhov.recurrent.shapes import shapes_alone


@pytest.mark.parametrize("cell", CELLS)
def test_shapes_are_those_of_the_net(cell: str) -> None:
    sizes = {"hidden_size": 4, "embedding_size": 3}
    with shapes_alone():
        alone = RecurrentLM(cell, 7, **sizes)
    assert all(parameter.is_meta for parameter in alone.parameters())
    whole = RecurrentLM(cell, 7, **sizes)
    assert {n: p.shape for n, p in alone.named_parameters()} == {n: p.shape for n, p in whole.named_parameters()}


def test_the_compiler_is_not_loaded() -> None:
    program = """
import sys
from chekhov.recurrent.language_model import RecurrentLM
from chekhov.recurrent.shapes import shapes_alone
from chekhov.recurrent.tagger_net import TaggerNet
encoder = {"word_size": 2, "affix_size": 2, "character_size": 2, "hidden_size": 2, "num_layers": 1}
with shapes_alone():
    [RecurrentLM(cell, 7) for cell in ("lstm", "gru", "elman", "mingru", "qrnn")]
    TaggerNet(3, [["a", "b"]], [True], dropout=0.0, word_dropout=0.0, **encoder)
sys.exit(len({"torch._dynamo", "sympy"} & set(sys.modules)))
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
