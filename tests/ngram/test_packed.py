"""A packed table says what the table says, to the precision of its codes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chekhov
from chekhov.errors import ModelError, UsageError
from chekhov.ngram import packed_kernels, packing_kernels
from chekhov.ngram.entropy import prune_by_entropy
from chekhov.ngram.model import NGram, train_ngram
from chekhov.ngram.packed import PackedNGram, PackedTable
from chekhov.ngram.packing import pack, quantise
from chekhov.tasks import prune
from chekhov.types import EOS

V = 40


def corpus(seed: int, sentences: int = 60) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rows = [[*(3 + rng.zipf(1.3, rng.integers(0, 9)) % (V - 3)), EOS] for _ in range(sentences)]
    return np.concatenate(rows).astype(np.int64)


def both(order: int, seed: int, **flags: object) -> tuple[NGram, PackedNGram]:
    whole = train_ngram(corpus(seed), order=order, vocab_size=V, smoothing="witten-bell", **flags)  # type: ignore[arg-type]
    return whole, PackedNGram(pack(whole.table))


@pytest.mark.parametrize("order", [2, 3, 5])
@pytest.mark.parametrize("flags", [{}, {"prune": "0,1"}])
def test_where_each_number_has_a_code_of_its_own_nothing_changes(order: int, flags: dict[str, str]) -> None:
    whole, packed = both(order, 1, **flags)
    for n, rows in ((n, whole.table.rows(n)) for n in range(2, order + 1)):
        assert len(np.unique(whole.table.log10_probs[rows])) < 255, n
    ids = np.stack([corpus(seed, 200)[:500] for seed in (1, 2, 3)])
    expected, _ = whole.score(whole.initial_state(3), ids)
    found, after = packed.score(packed.initial_state(3), ids)
    np.testing.assert_allclose(found, expected, atol=2e-6)
    state, parts = packed.initial_state(3), []
    for piece in np.split(ids, [1, 2, 300], axis=1):
        part, state = packed.score(state, piece)
        parts.append(part)
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), found)
    one_by_one = packed.initial_state(3)
    for t in range(ids.shape[1]):
        one_by_one = packed.advance(one_by_one, ids[:, t])
    for own, other in ((state, after), (one_by_one, after)):
        np.testing.assert_array_equal(own.lengths, other.lengths)
        for b, length in enumerate(own.lengths):
            np.testing.assert_array_equal(own.words[b, :length], other.words[b, :length])
            np.testing.assert_array_equal(own.backoffs[b, :length], other.backoffs[b, :length])
    np.testing.assert_allclose(
        packed.log_probs(after), whole.log_probs(whole.score(whole.initial_state(3), ids)[1]), atol=2e-6
    )


@pytest.mark.parametrize("count", [3, 5, 17, 300, 9000])
@pytest.mark.parametrize("without_hints", [False, True])
def test_a_word_with_many_words_before_it(count: int, without_hints: bool) -> None:
    """So many that a hint counts in twos; or that there is none."""
    size = 10_000
    rng = np.random.default_rng(count)
    before = rng.permutation(np.arange(4, size))[:count]
    ids = np.stack([before, np.full(count, 3)], axis=1).reshape(-1)
    whole = train_ngram(np.append(ids, EOS), order=2, vocab_size=size, smoothing="witten-bell")
    packed = PackedNGram(pack(whole.table))
    assert packed.table.hints.any() == (count > 10)
    if without_hints:
        packed.table.hints[:] = packed_kernels.NO_HINT
    text = np.stack([rng.permutation(np.arange(4, size)), np.full(size - 4, 3)], axis=1).reshape(1, -1)
    expected, _ = whole.score(whole.initial_state(1), text)
    np.testing.assert_allclose(packed.score(packed.initial_state(1), text)[0], expected, atol=2e-6)


@pytest.mark.parametrize("length", [1000, 1007, 2600])
def test_a_long_text_is_read_in_pieces(length: int) -> None:
    _, packed = both(4, 5)
    ids = np.tile(corpus(6, 400), 9)[:length]
    rows = ids[None].repeat(2, axis=0)
    expected, states = packed.score(packed.initial_state(2), rows)
    found, after = packed.score(packed.initial_state(1), ids[None])
    np.testing.assert_array_equal(found, expected[:1])
    assert after.lengths[0] == states.lengths[0]
    assert after.words[0, : after.lengths[0]].tolist() == states.words[0, : after.lengths[0]].tolist()


def test_n_grams_whose_suffix_was_pruned_are_still_found() -> None:
    whole = train_ngram(corpus(7, 200), order=4, vocab_size=V)
    pruned, _ = prune_by_entropy(whole.table, threshold=3e-4)
    model, packed = NGram(pruned), PackedNGram(pack(pruned))
    assert sum(packed.table.sizes()) > len(pruned.entries)
    ids = corpus(8, 300)[None]
    np.testing.assert_allclose(
        packed.score(packed.initial_state(1), ids)[0], model.score(model.initial_state(1), ids)[0], atol=2e-6
    )


@settings(deadline=None)  # the first example compiles
@given(st.lists(st.integers(0, 5) | st.integers(0, 400), min_size=1, max_size=300))
def test_children_are_found_by_select(counts: list[int]) -> None:
    ends = np.zeros((sum(counts) + len(counts) + 63) // 64 + 1, np.uint64)
    samples = np.zeros(len(counts) // packed_kernels.EACH + 1, np.uint32)
    packing_kernels.write_ends(np.array(counts), ends, samples)
    begins = np.concatenate([[0], np.cumsum(counts)]).tolist()
    for node in range(len(counts)):
        sample = int(samples[node // packed_kernels.EACH])
        found = packed_kernels.children(ends, 0, len(ends) - 1, sample, node, sum(counts))
        assert found == (begins[node], begins[node + 1])


def test_quantising_keeps_means_and_order() -> None:
    values = -np.random.default_rng(0).gamma(2.0, 1.0, 20_000).astype(np.float32)
    values[::7] = 0.0
    codes, codebook = quantise(values)
    assert codes.max() == 255
    assert (codebook[codes[::7]] == 0).all()
    assert (np.diff(codebook[1:]) > 0).all()
    assert codebook[codes].mean() == pytest.approx(values.mean(), rel=1e-2)
    assert np.abs(codebook[codes] - values).mean() < 0.01


def test_a_hostile_table_is_read_without_harm() -> None:
    _, packed = both(4, 9)
    rng = np.random.default_rng(0)
    ids = corpus(10, 500)[None]
    for name in ("unigrams", "records", "ends", "samples", "hints"):
        arrays = {key: array.copy() for key, array in packed.arrays().items()}
        raw = arrays[name].view(np.uint8).reshape(-1)
        raw[:] = rng.integers(0, 256, len(raw))
        if name == "unigrams":
            arrays[name].view(np.float32)[:, :2] = -1.0
        model = PackedNGram.from_arrays(packed.sizes(), arrays)
        assert model.score(model.initial_state(1), ids)[0].shape == ids.shape
    for name, array in packed.arrays().items():
        for wrong in (array[:-1], array.astype(np.float64)):
            with pytest.raises(ModelError, match="E-MODEL-020"):
                PackedNGram.from_arrays(packed.sizes(), {**packed.arrays(), name: wrong})


def test_saved_and_loaded(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("ружьё висит на стене\nружьё стреляет в последнем акте\n" * 30)
    whole = chekhov.train("ngram", tmp_path / "t.txt", tokens="whitespace", split="none", order=3)
    packed = prune.quantise(whole)
    packed.save(tmp_path / "m")
    loaded = chekhov.load(tmp_path / "m")
    assert loaded.kind == "packed-ngram"
    assert isinstance(loaded.model.table, PackedTable)  # type: ignore[attr-defined]
    line = "ружьё висит в последнем акте слона"
    assert loaded.score(line).log_probs == packed.score(line).log_probs == pytest.approx(whole.score(line).log_probs)
    assert loaded.generate(max_tokens=5, seed=1) == whole.generate(max_tokens=5, seed=1)
    with pytest.raises(UsageError, match="E-PRUNE-006"):
        prune.quantise(loaded)
