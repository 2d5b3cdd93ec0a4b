import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chekhov.errors import UsageError
from chekhov.generation.draws import LARGEST, Draws, uniforms

word = st.integers(0, LARGEST)


@given(seed=word, stream=word, i=st.integers(0, 2**40))
def test_draw_i_is_the_first_double_of_numpys_philox_with_that_key_and_counter(seed, stream, i):
    key, counter = np.array([seed, 0], np.uint64), np.array([i, stream, 0, 0], np.uint64)
    reference = np.random.Generator(np.random.Philox(key=key, counter=counter)).random()
    assert uniforms(seed, stream, i, 1)[0] == reference


@given(seed=word, stream=word, start=st.integers(0, 2**40), cut=st.integers(0, 20))
def test_draws_alone_in_blocks_and_resumed_agree(seed, stream, start, cut):
    together = uniforms(seed, stream, start, 20)
    assert np.array_equal(together[:cut], uniforms(seed, stream, start, cut))
    assert np.array_equal(together[cut:], uniforms(seed, stream, start + cut, 20 - cut))
    one_by_one = Draws(seed, stream, start, block=7)
    assert [one_by_one.next() for _ in range(20)] == together.tolist()
    assert one_by_one.position == start + 20


def test_streams_and_seeds_differ_and_are_uniform():
    draws = np.concatenate([uniforms(seed, stream, 0, 2500) for seed in (0, 1) for stream in (0, 1)])
    assert len(set(draws.tolist())) == 10_000
    assert draws.min() >= 0 and draws.max() < 1
    observed = np.bincount((draws * 10).astype(int), minlength=10)
    assert ((observed - 1000) ** 2 / 1000).sum() < 27.88  # chi-square, 9 degrees of freedom, p = 0.001


@pytest.mark.parametrize("seed", [-1, 2**64, 0.5, float("nan"), "7"])
def test_a_seed_is_a_word_of_64_bits(seed):
    with pytest.raises(UsageError, match="E-RANGE-001 seed is"):
        uniforms(seed, 0, 0, 1)
