"""Sampling, with models of a few lines: their states and probabilities can be seen at a glance."""

import math
from collections import Counter

import numpy as np
import pytest

from chekhov.errors import ModelError, UsageError
from chekhov.generation.draws import uniforms
from chekhov.generation.filters import forbid, temperature, top_k
from chekhov.generation.sampling import NO_TOKEN, draw, generate_ids, generate_samples, generate_steps, read_prompts
from chekhov.types import BOS, EOS, UNK, score_stepwise

A, B, C = 3, 4, 5


class Fixed:
    """The same distribution at every place."""

    def __init__(self, p):
        with np.errstate(divide="ignore"):
            self.row = np.log(np.array(p, np.float64)).astype(np.float32)
        self.vocab_size = len(p)

    def initial_state(self, batch_size):
        return (np.zeros((batch_size, 1), np.int64),)

    def log_probs(self, state):
        return np.repeat(self.row[None], len(state[0]), axis=0)

    def advance(self, state, tokens):
        return (state[0] + 1,)

    def score(self, state, ids):
        return score_stepwise(self, state, ids)

    def sizes(self):
        return {}

    def arrays(self):
        return {}


class Cycle(Fixed):
    """After <s> A for certain, then B, C, </s>, A, ..."""

    def __init__(self):
        super().__init__([1] * 6)

    def initial_state(self, batch_size):
        return (np.full(batch_size, EOS),)

    def log_probs(self, state):
        follower = np.where(state[0] == C, EOS, np.where(state[0] == EOS, A, state[0] + 1))
        return np.where(np.arange(6) == follower[:, None], np.float32(0), np.float32(-np.inf))

    def advance(self, state, tokens):
        assert tokens.shape == state[0].shape
        return (tokens,)


class Remembers(Fixed):
    """A distribution that depends on all that was read, so that rows which mix or are misread give other text."""

    def __init__(self, vocab_size=12):
        super().__init__([1 / vocab_size] * vocab_size)

    def initial_state(self, batch_size):
        return (np.ones((batch_size, 1)), (np.zeros(batch_size, np.int64),))

    def log_probs(self, state):
        logits = 2 * np.sin(state[0] * np.arange(1, self.vocab_size + 1) + state[1][0][:, None])
        return (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))).astype(np.float32)

    def advance(self, state, tokens):
        return (np.sin(3 * state[0] + tokens[:, None] + 0.1), (state[1][0] + 1,))


def prompt(*ids):
    return np.array(ids, np.int64)


def test_a_certain_model_is_followed_to_its_end():
    samples = generate_samples(Cycle(), [prompt(), prompt(A), prompt(C)], max_tokens=10)
    assert [sample.ids for sample in samples] == [[A, B, C], [B, C], []]
    assert [sample.log_probs for sample in samples] == [[0, 0, 0], [0, 0], []]
    assert [sample.finish_reason for sample in samples] == ["end"] * 3


def test_why_a_row_finished():
    assert generate_samples(Cycle(), [prompt()], max_tokens=2)[0].finish_reason == "length"
    stopped = generate_samples(Cycle(), [prompt()], max_tokens=9, stop_ids=[C])[0]
    assert (stopped.ids, stopped.finish_reason) == ([A, B], "stop")
    through = generate_samples(Cycle(), [prompt()], max_tokens=6, stop_ids=())[0]
    assert (through.ids, through.finish_reason) == ([A, B, C, EOS, A, B], "length")
    exactly = generate_samples(Cycle(), [prompt()], max_tokens=4)[0]  # </s> is the last token that was asked for
    assert (exactly.ids, exactly.finish_reason) == ([A, B, C], "end")
    nothing = generate_samples(Cycle(), [prompt()], max_tokens=0)[0]
    assert (nothing.ids, nothing.finish_reason) == ([], "length")


def test_steps_can_be_streamed_and_a_finished_row_stays_finished():
    steps = generate_steps(Cycle(), [prompt(B), prompt()], max_tokens=10)
    assert [step.ids.tolist() for step in steps] == [[C, A], [EOS, B], [NO_TOKEN, C], [NO_TOKEN, EOS]]
    last = list(generate_steps(Cycle(), [prompt(B), prompt()], max_tokens=3))[-1]
    assert last.finished == ("end", "length")
    assert math.isnan(last.log_probs[0]) and last.log_probs[1] == 0
    assert generate_ids(Cycle(), [], max_tokens=3) == []


def test_tokens_are_drawn_by_the_inverse_distribution_function_in_the_order_of_ids():
    p = np.array([0, 0, 0.125, 0.5, 0.25, 0.125])
    ids = [
        draw(np.log(p, where=p > 0, out=np.full(6, -np.inf)), u) for u in (0, 0.1249, 0.1251, 0.6249, 0.6251, 0.9999)
    ]
    assert ids == [EOS, EOS, A, A, B, C]


def test_no_draw_gives_a_token_without_mass():
    row = np.array([-np.inf, math.log(0.1), math.log(0.9), -np.inf])
    assert draw(row, 0.0) == 1
    assert draw(row, np.nextafter(1, 0)) == 2


def test_samples_follow_the_distribution_without_unk_and_start():
    p = np.array([0.2, 0.0, 0.1, 0.3, 0.25, 0.15])
    counts = Counter(generate_ids(Fixed(p), [prompt()], max_tokens=20_000, seed=11, stop_ids=())[0])
    assert not {UNK, BOS} & set(counts)
    expected = p / 0.8 * 20_000
    chi_square = sum((counts[id] - expected[id]) ** 2 / expected[id] for id in (EOS, A, B, C))
    assert chi_square < 16.27  # 3 degrees of freedom, p = 0.001


def test_the_draws_are_those_of_the_stream():
    drawn = generate_ids(Fixed([0, 0, 0.25, 0.25, 0.25, 0.25]), [prompt()], max_tokens=50, seed=5, streams=[9], start=3)
    expected = 2 + (uniforms(5, 9, 3, 50) * 4).astype(int)
    stop = expected.tolist().index(EOS)
    assert drawn[0] == expected[:stop].tolist()


def test_allow_unk_and_never_the_start():
    model = Fixed([0.5, 0.4, 0, 0.1])
    assert set(generate_ids(model, [prompt()], max_tokens=200)[0]) == {A}
    assert set(generate_ids(model, [prompt()], max_tokens=200, allow_unk=True)[0]) == {UNK, A}


@pytest.mark.parametrize("penalty", [1.0, 1.3])
def test_a_row_is_the_same_text_alone_in_a_batch_and_resumed(penalty):
    model, rng = Remembers(), np.random.default_rng(0)
    prompts = [rng.integers(0, 12, n) for n in (0, 5, 2, 5, 9)]
    prompts.append(prompts[1])  # equal prompts are read once, and still have streams of their own
    options = {"seed": 3, "filters": [temperature(0.9), top_k(8)], "repetition_penalty": penalty}
    together = generate_samples(model, prompts, max_tokens=60, **options)
    assert len({len(sample.ids) for sample in together}) > 2  # rows stop at different times
    assert together[1].ids != together[5].ids
    for b, sample in enumerate(together):
        alone = generate_samples(model, [prompts[b]], max_tokens=60, streams=[b], **options)[0]
        assert (alone.ids, alone.log_probs, alone.finish_reason) == (sample.ids, sample.log_probs, sample.finish_reason)
        cut = len(sample.ids) // 2
        rest = np.concatenate([prompts[b], np.array(sample.ids[:cut], np.int64)])
        resumed = generate_samples(model, [rest], max_tokens=60 - cut, streams=[b], start=cut, **options)[0]
        assert sample.ids[:cut] + resumed.ids == sample.ids


def test_log_probs_are_the_models_own_whatever_the_filters():
    model = Remembers()
    sample = generate_samples(model, [prompt(7, 8)], max_tokens=30, filters=[top_k(2)], stop_ids=())[0]
    ids = np.array([[7, 8, *sample.ids]])
    scored, _ = model.score(model.initial_state(1), ids)
    np.testing.assert_array_equal(np.float32(sample.log_probs), scored[0, 2:])


def test_prompts_of_different_lengths_are_read_as_if_alone():
    model, rng = Remembers(), np.random.default_rng(1)
    prompts = [rng.integers(0, 12, n) for n in (3, 0, 7, 3, 1)]
    state = read_prompts(model, prompts)
    for b, ids in enumerate(prompts):
        _, alone = model.score(model.initial_state(1), ids[None])
        assert np.array_equal(state[0][b : b + 1], alone[0])
        assert np.array_equal(state[1][0][b : b + 1], alone[1][0])


def test_where_the_masks_leave_nothing_the_text_ends_if_it_may():
    forbidden = [forbid([EOS])]
    sample = generate_samples(Fixed([0.9, 0, 0.1, 0]), [prompt()], max_tokens=5, filters=forbidden)[0]
    assert (sample.ids, sample.finish_reason) == ([], "end")
    with pytest.raises(ModelError, match=r"E-GENERATE-003.*--allow-unk"):
        generate_ids(Fixed([1, 0, 0, 0]), [prompt()], max_tokens=5)
    assert generate_ids(Fixed([1, 0, 0, 0]), [prompt()], max_tokens=2, allow_unk=True) == [[UNK, UNK]]


@pytest.mark.parametrize("damage", [np.nan, np.inf, 0.5])
def test_a_damaged_model_is_an_error(damage):
    model = Fixed([0, 0, 0.5, 0.5])
    model.row[3] = damage
    with pytest.raises(ModelError, match="E-GENERATE-002"):
        generate_ids(model, [prompt()], max_tokens=5)


@pytest.mark.parametrize(
    "settings",
    [
        {"max_tokens": -1},
        {"max_tokens": math.nan},
        {"max_tokens": 1, "seed": -1},
        {"max_tokens": 1, "seed": 2**64},
        {"max_tokens": 1, "streams": [0, 1]},
        {"max_tokens": 1, "repetition_penalty": 0},
        {"max_tokens": 1, "repetition_penalty": math.nan},
    ],
)
def test_settings_out_of_range_are_refused_at_once(settings):
    with pytest.raises(UsageError):
        generate_steps(Fixed([0, 0, 0.5, 0.5]), [prompt()], **settings)


@pytest.mark.parametrize("id", [-1, 4])
def test_a_prompt_of_another_vocabulary_is_refused(id):
    with pytest.raises(UsageError, match="prompt id"):
        generate_steps(Fixed([0, 0, 0.5, 0.5]), [prompt(id)], max_tokens=1)
