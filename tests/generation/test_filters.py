import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from chekhov.errors import UsageError
from chekhov.generation.filters import compose, forbid, min_p, normalise, penalise, temperature, top_k, top_p

# Few distinct scores, so that ties are common; -inf is a token without mass, the first token always has some.
scores = st.tuples(st.integers(1, 4), st.integers(1, 9)).flatmap(
    lambda shape: arrays(
        st.sampled_from([np.float32, np.float64]), shape, elements=st.sampled_from([-math.inf, -9.0, -2.0, -1.0, 0.0])
    )
)


@st.composite
def log_probs(draw):
    values = draw(scores)
    values[:, 0] = draw(st.sampled_from([-2.0, 0.0]))
    return normalise(values)


filters = st.one_of(
    st.floats(0, 100).map(temperature),
    st.integers(1, 12).map(top_k),
    st.floats(0, 1, exclude_min=True).map(top_p),
    st.floats(0, 1).map(min_p),
    st.just(forbid([])),
    st.just(lambda rows: penalise(rows, [[0]] * len(rows), 2.0)),
)


def reference_order(row):
    """Ids from the likeliest to the least likely; of equals, the lower first."""
    return sorted(range(len(row)), key=lambda id: (-row[id], id))


def reference_kept(row, kept):
    """The row with the mass of ``kept`` only, in plain Python."""
    total = math.fsum(math.exp(row[id]) for id in kept)
    return [math.exp(row[id]) / total if id in kept else 0.0 for id in range(len(row))]


@settings(max_examples=300)
@given(rows=log_probs(), filter=filters)
def test_every_filter_normalises_keeps_the_type_and_treats_each_row_alone(rows, filter):
    before = rows.copy()
    filtered = filter(rows)
    assert filtered.shape == rows.shape and filtered.dtype == rows.dtype
    np.testing.assert_allclose(np.exp(filtered.astype(np.float64)).sum(axis=1), 1, rtol=2e-6)
    assert np.array_equal(filtered, np.concatenate([filter(row[None]) for row in rows]))
    assert np.array_equal(rows, before)
    assert np.isneginf(filtered[np.isneginf(rows)]).all()  # what has no mass never gets any


@given(rows=log_probs(), k=st.integers(1, 12))
def test_top_k_keeps_the_k_likeliest_lower_ids_first(rows, k):
    for row, filtered in zip(rows, top_k(k)(rows), strict=True):
        np.testing.assert_allclose(np.exp(filtered), reference_kept(row, reference_order(row)[:k]), rtol=2e-6)


@given(rows=log_probs(), p=st.floats(0, 1, exclude_min=True))
def test_top_p_keeps_the_fewest_whose_mass_reaches_p(rows, p):
    for row, filtered in zip(rows, top_p(p)(rows), strict=True):
        order = reference_order(row)
        n = int(np.isfinite(filtered).sum())
        assert {id for id in range(len(row)) if np.isfinite(filtered[id])} == set(order[:n])
        mass = [math.exp(row[id]) for id in order]
        assert math.fsum(mass[:n]) >= p - 1e-6  # float32 rows sum to one only to 1e-7 or so
        assert n == 1 or math.fsum(mass[: n - 1]) < p + 1e-6
        np.testing.assert_allclose(np.exp(filtered), reference_kept(row, order[:n]), rtol=2e-6)


def test_top_p_at_the_exact_boundary_takes_no_token_more():
    halves = np.log(np.array([[0.25, 0.5, 0.25]]))
    assert np.exp(top_p(0.5)(halves)).tolist() == [[0, 1, 0]]
    np.testing.assert_allclose(np.exp(top_p(0.51)(halves)), [[1 / 3, 2 / 3, 0]])
    np.testing.assert_allclose(np.exp(top_p(1)(halves)), [[0.25, 0.5, 0.25]])


@given(rows=log_probs(), p=st.floats(0.001, 1))
def test_min_p_keeps_what_is_at_least_p_times_the_likeliest(rows, p):
    for row, filtered in zip(rows, min_p(p)(rows), strict=True):
        for id in range(len(row)):
            ratio = math.exp(row[id] - row.max())
            if abs(ratio - p) > 1e-6:
                assert np.isfinite(filtered[id]) == (ratio > p)


def test_temperature_is_a_power_of_the_probabilities():
    p = np.array([[0.5, 0.3, 0.2, 0.0]])
    with np.errstate(divide="ignore"):
        rows = np.log(p)
    for t in (0.1, 0.5, 1, 3, 100):
        np.testing.assert_allclose(np.exp(temperature(t)(rows)), p ** (1 / t) / (p ** (1 / t)).sum(), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("t", [0, 5e-324, 1e-50])
def test_temperature_zero_is_greedy_and_lowest_id_wins_a_tie(dtype, t):
    rows = np.log(np.array([[0.2, 0.5, 0.3], [0.2, 0.4, 0.4]], dtype))
    assert np.exp(temperature(t)(rows))[0].tolist() == [0, 1, 0]
    assert np.exp(temperature(0)(rows))[1].tolist() == [0, 1, 0]


def test_forbid_gives_the_mass_to_the_others():
    rows = np.log(np.array([[0.2, 0.5, 0.3]]))
    np.testing.assert_allclose(np.exp(forbid([1])(rows)), [[0.4, 0, 0.6]])
    assert np.isneginf(forbid([0, 1, 2])(rows)).all()  # nothing left is not an error here, and not a warning
    for id in (-1, 3):
        with pytest.raises(UsageError, match="forbidden id"):
            forbid([id])(rows)


def test_rows_without_mass_stay_without():
    rows = np.full((2, 3), -np.inf)
    for filter in (temperature(0), temperature(0.5), top_k(2), top_p(0.5), min_p(0.5), forbid([0])):
        assert np.isneginf(filter(rows)).all()


def test_penalise_multiplies_the_log_probability_of_what_was_said_once_however_often():
    p = np.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]])
    expected = np.array([[0.25, 0.3, 0.04], [0.5, 0.3, 0.2]])  # squares for a penalty of 2
    penalised = penalise(np.log(p), [[0, 0, 2], []], 2.0)
    np.testing.assert_allclose(np.exp(penalised), expected / expected.sum(axis=1, keepdims=True))


@given(rows=log_probs(), k=st.integers(1, 9), t=st.floats(0.1, 5))
def test_compose_applies_the_first_first(rows, k, t):
    assert np.array_equal(compose([top_k(k), temperature(t)])(rows), temperature(t)(top_k(k)(rows)))
    assert compose([])(rows) is rows


@pytest.mark.parametrize(
    "make",
    [
        lambda: temperature(math.nan),
        lambda: temperature(-0.1),
        lambda: temperature(1e9),
        lambda: temperature(math.inf),
        lambda: top_k(0),
        lambda: top_k(-1),
        lambda: top_k(2.5),
        lambda: top_p(0),
        lambda: top_p(1.01),
        lambda: top_p(math.nan),
        lambda: min_p(-0.1),
        lambda: min_p(2),
        lambda: penalise(np.zeros((1, 1)), [[0]], 0),
        lambda: penalise(np.zeros((1, 1)), [[0]], math.nan),
    ],
)
def test_settings_out_of_range_are_refused(make):
    with pytest.raises(UsageError) as caught:
        make()
    assert caught.value.code == "E-RANGE-001"


@pytest.mark.parametrize("p", [0.0501, 0.5001, 0.9701, 0.9999999])
def test_top_p_of_a_large_vocabulary_looks_beyond_the_first_thousand(p):
    """A flat and a steep row of 3,000 tokens: the nucleus of the one is large, that of the other small."""
    rows = normalise(np.stack([np.zeros(3000), -0.1 * np.arange(3000)]))
    kept = np.isfinite(top_p(p)(rows)).sum(axis=1)
    steep = math.ceil(-10 * math.log1p(-p * -math.expm1(-300)))  # 1 - e^(-n/10) >= p (1 - e^-300)
    assert kept.tolist() == [math.ceil(p * 3000 - 1e-6), steep]
    assert np.array_equal(top_p(p)(rows[1:])[0], top_p(p)(rows)[1])
