"""Reading without training: the kernel against its float64 twin, the encoder against its own forward pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from chekhov.kernels import dispatch, reference
from chekhov.labels.features import Words, number_words, sorted_batches
from chekhov.recurrent import reading
from chekhov.recurrent.lstm import LSTM
from chekhov.recurrent.products import linear
from chekhov.recurrent.reading import Direction, read, unrolled
from chekhov.recurrent.tagger_net import gather_rows
from chekhov.recurrent.word_encoder import WordEncoder

KERNELS = pytest.mark.skipif(not dispatch.chosen().compiled, reason=f"no kernels: {dispatch.chosen().why}")
SIZES: dict[str, Any] = {"word_size": 7, "affix_size": 3, "hidden_size": 20, "dropout": 0.5, "word_dropout": 0.3}


@KERNELS
@pytest.mark.parametrize(("B", "T", "I", "H"), [(1, 1, 1, 1), (3, 5, 7, 9), (13, 6, 33, 50), (20, 4, 20, 48)])
def test_the_kernel_equals_its_twin(B: int, T: int, I: int, H: int, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(B * T + H)
    types = generator.standard_normal((max(1, B - 1), I))
    which = generator.integers(len(types), size=(B, T))
    lengths = np.sort(generator.integers(T + 1, size=B))
    cells = [LSTM(I, H) for _ in range(2)]
    for cell in cells:
        torch.nn.init.normal_(cell.weights.get_parameter("bias_hh_l0"))
    layer = [Direction.of(cell) for cell in cells]
    monkeypatch.setattr(torch, "empty", lambda *shape: torch.full(shape, torch.nan))
    tables = [side.project(torch.from_numpy(types).float()) for side in layer]
    ended = np.arange(T) >= lengths[:, None]
    found = unrolled(layer, tables, np.where(ended, 1 << 40, which).reshape(-1), lengths, (B, T))  # never looked up
    for back, cell in enumerate(cells):
        W, U, *biases = (p.detach().double().numpy() for p in cell.parameters_by_letter())
        zeros = np.zeros((B, H))
        expected, *_ = reference.lstm(types[which], zeros, zeros, W, U, sum(biases), lengths, reverse=bool(back))
        np.testing.assert_allclose(found[..., back * H : (back + 1) * H], expected, atol=2e-6)


WORDS = ("", "0", "1с", "2сл")  # that are known
MORE: list[dict[str, int]] = [{}, {"character_size": 4}]
MORE += [{"vector_size": 9, "projection_size": 6}, {"state_size": 5, "projection_size": 6}]


def sentences(more: dict[str, int]) -> Words:
    """Thirteen, of 0 to 12 words."""
    generator = np.random.default_rng(1)
    words = [[f"{n % 40}слово"[: n % 7 + 1] for n in generator.integers(200, size=k)] for k in range(13)]
    numbers = {word: place for place, word in enumerate(WORDS)}
    vectors = {"1с": 1, "3слово": 2} if "vector_size" in more else None
    found = number_words(words[::-1], numbers, character="character_size" in more, vector_rows=vectors)
    states = generator.standard_normal((len(found.tokens), 5)).astype(np.float16)
    return Words(found.tokens, found.begins, found.features, states)


@pytest.mark.parametrize("layers", [0, 1, 2])
@pytest.mark.parametrize("more", MORE, ids=lambda more: "".join(more)[:9])
def test_reading_is_the_forward_pass(layers: int, more: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(layers)
    words, encoder = sentences(more), WordEncoder(len(WORDS), num_layers=layers, **SIZES, **more).eval()
    encoder.give_vectors(torch.randn(3, more.get("vector_size", 0)))
    score = torch.nn.Linear(encoder.output_size, 3)
    whole: dict[int, Any] = {}
    with torch.inference_mode():
        for rows, hidden in read(encoder, words, sorted_batches(words.lengths, 4, 1000)):
            scores = linear(score, hidden)
            if words.lengths[rows].any():
                np.testing.assert_allclose(hidden, encoder(gather_rows(words, rows)[0]), atol=2e-6)
                np.testing.assert_allclose(scores, score(hidden), atol=2e-6)
            whole |= {int(row): own for row, *own in zip(rows, hidden, scores)}
        assert len(whole) == 13 and not whole[12][0].any()  # the last one is empty
        if not layers or not dispatch.chosen().compiled:
            return
        monkeypatch.setattr(reading, "AT_ONCE", 1)  # to the bit the same beside other rows and other types, in threads
        monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
        for rows, hidden in read(encoder, words, sorted_batches(words.lengths, 9, 1000)):
            for row, length, *found in zip(rows, words.lengths[rows], hidden, linear(score, hidden)):
                assert all(torch.equal(a[:length], b[:length]) for a, b in zip(found, whole[row], strict=True))
