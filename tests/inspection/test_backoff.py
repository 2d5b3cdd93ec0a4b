"""The path of a probability leads to the probability, and its counts and discounts give it by the formula."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chekhov.errors import UsageError
from chekhov.inspection.backoff import backoff_paths, path_lines
from chekhov.inspection.counts import count_text, text_counts, with_counts
from chekhov.inspection.reading import read_text
from chekhov.mixture import Mixture
from chekhov.ngram.chain import Chain
from chekhov.ngram.entropy import prune_by_entropy
from chekhov.ngram.model import NGram, train_ngram
from chekhov.ngram.smoothing import SMOOTHINGS
from chekhov.tasks.prune import quantise
from chekhov.tasks.text_model import TextModel
from chekhov.tokens.tokenizer import train_tokenizer

TEXT = "кот спал .\nпёс спал .\nкот ел рыбу .\nпёс ел кость .\nкот и пёс спали дома .\nкот спал дома .\n" * 2
SEEN = "кот спал .\nпёс ел рыбу дома .\nмышь и кот спали .\n"


def ngram(order: int = 4, **options: Any) -> TextModel:
    tokenizer = train_tokenizer("whitespace", [TEXT])
    ids = tokenizer.encode(TEXT)
    valid = tokenizer.encode("кот ел .\n") if options.get("smoothing") == "jelinek-mercer" else None
    model = train_ngram(ids, order=order, vocab_size=tokenizer.vocabulary.size, valid_ids=valid, **options)
    return TextModel(model, tokenizer, name="n")


def check_sums(model: TextModel, text: str = SEEN) -> None:
    """Each path adds up to what `score` gives, and ends at the order that `score` names."""
    read, score = read_text(model, text), model.score(text)
    paths = backoff_paths(model, read)
    np.testing.assert_allclose([p.log10_prob * math.log(10) for p in paths], score.log_probs, rtol=1e-5, atol=1e-6)
    if score.orders:
        assert [p.order for p in paths] == score.orders
    for path in paths:
        lengths = [len(look.context) for look in path.looks]
        assert lengths == sorted(lengths, reverse=True)
        assert [look.answers for look in path.looks] == [False] * (len(lengths) - 1) + [True]


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_a_path_adds_up_to_the_score(smoothing: str) -> None:
    for order in (1, 2, 4):
        check_sums(ngram(order, smoothing=smoothing))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["кот", "пёс", "спал", "ел", "рыбу", ".", "мышь", "\n"]), min_size=1, max_size=25))
def test_a_path_adds_up_to_the_score_for_any_text(words: list[str]) -> None:
    text = " ".join(words)
    if text.strip():
        check_sums(ngram(3), text)


def test_pruned_and_packed_models_have_paths_too() -> None:
    model = ngram(4)
    check_sums(ngram(4, prune="0,1"))
    pruned, _ = prune_by_entropy(model.model.table, threshold=1e-3)  # type: ignore[attr-defined]
    check_sums(TextModel(NGram(pruned), model.tokenizer))
    packed = quantise(model)
    check_sums(packed)
    read = read_text(model, SEEN)
    for ours, theirs in zip(backoff_paths(packed, read), backoff_paths(model, read), strict=True):
        assert [look.context for look in ours.looks][-1] == [look.context for look in theirs.looks][-1]


def test_contexts_are_the_words_before_and_a_sentence_begins_anew() -> None:
    model = ngram(3)
    paths = {path.position: path for path in backoff_paths(model, read_text(model, "кот спал .\nкот спал\n"))}
    assert [look.context for look in paths[2].looks] == [["<s>", "кот"]]
    assert paths[4].looks[-1].context == ["спал", "."]  # the end of the line
    assert paths[5].looks[0].context == ["<s>"]
    assert paths[6].looks[0].context == ["<s>", "кот"]
    assert paths[1].looks[0].followers == len({line.split()[0] for line in TEXT.splitlines()})


@pytest.mark.parametrize("smoothing", ["modified-kneser-ney", "kneser-ney", "absolute"])
def test_counts_and_discounts_give_the_probability(smoothing: str) -> None:
    """p = (a - D) / A + gamma p(w | shorter context), gamma the back-off that the table holds (Chen & Goodman, 20)."""
    model = ngram(3, smoothing=smoothing)
    ids = model.tokenizer.encode(TEXT)
    counts = count_text(ids, 3, model.model.vocab_size, smoothing)
    read = read_text(model, TEXT)
    paths = with_counts(backoff_paths(model, read), counts, read)
    checked = 0
    for path in paths:
        look, words = path.looks[-1], read.ids[: path.position + 1].copy()
        n = len(look.context) + 1
        if n == 1:
            continue
        words[words == 2] = 1
        words[-1] = read.ids[path.position]
        prefix = "adjusted_" if smoothing != "absolute" else ""
        a, total = look.counts[f"{prefix}count"], look.counts[f"{prefix}context_count"]
        gamma, lower = backoff_of(model, words[-n:-1]), probability(model, words[len(words) - n + 1 : -1], words[-1])
        expected = (a - look.counts["discount"]) / total + gamma * lower
        assert 10**look.log10 == pytest.approx(expected, rel=1e-5)
        checked += 1
    assert checked > 20


def node_of(model: TextModel, context: Any) -> int:
    """By the table's own walk."""
    from chekhov.ngram import table_kernels as kernels

    table, node = model.model.table, 0  # type: ignore[attr-defined]
    for word in context:
        bits = table.vocab_size.bit_length()
        entry = kernels.find(table.nodes, table.entries, table.hints, node, word, bits) if node else word
        node = int(table.entries[entry, 2]) if node else 1 + int(word)
    return node


def backoff_of(model: TextModel, context: Any) -> float:
    return float(10.0 ** model.model.table.log10_backoffs[node_of(model, context)])  # type: ignore[attr-defined]


def probability(model: TextModel, context: Any, word: int) -> float:
    state = model.model.initial_state(1)._replace(node=np.array([node_of(model, context)]))
    return float(np.exp(model.model.log_probs(state)[0, word]))


def test_raw_counts_are_those_of_the_text() -> None:
    model = ngram(3, smoothing="witten-bell")
    counts = count_text(model.tokenizer.encode(TEXT), 3, model.model.vocab_size, "witten-bell")
    lines = [["<s>", *line.split(), "</s>"] for line in TEXT.splitlines()]
    trigrams = Counter(tuple(line[i : i + 3]) for line in lines for i in range(len(line) - 2))
    id_of = dict(zip(["<s>", *model.tokenizer.segment(TEXT)], [1, *model.tokenizer.encode(TEXT).tolist()]))
    for gram, count in trigrams.items():
        found = counts.of([id_of[word] for word in gram])
        context = sum(c for other, c in trigrams.items() if other[:2] == gram[:2])
        assert found == {"count": count, "context_count": context}
    assert counts.of([id_of["рыбу"], id_of["рыбу"], id_of["кот"]]) == {"count": 0, "context_count": 0}
    assert counts.of([0]) == {"count": 0, "context_count": len(model.tokenizer.encode(TEXT))}


def test_a_chain_tells_context_counts_and_restarts() -> None:
    tokenizer = train_tokenizer("whitespace", ["Кот спал . кот ел . кот спал"], lines=False)
    ids = tokenizer.encode("Кот спал . кот ел . кот спал")
    can_start = np.array([token[:1].isupper() for token in ["<unk>", "<s>", "</s>", *tokenizer.vocabulary.tokens]])
    model = TextModel(Chain(ids, can_start, 2), tokenizer, name="c")
    check_sums(model, "Кот спал . кот ел кот мышь кот ел")
    read = read_text(model, "Кот спал . кот ел")
    paths = backoff_paths(model, read)
    assert [(p.restart, p.order) for p in paths] == [(True, 0), (False, 1), (False, 2), (False, 2), (False, 2)]
    last = paths[-1].looks[0]
    assert (last.context, last.counts, last.followers) == ([".", "кот"], {"count": 1, "context_count": 2}, 2)
    assert path_lines(paths[-1], read)[1].endswith("1 of 2, 2 words follow")
    assert paths[0].as_json(read)["restart"] is True


def test_an_impossible_token_is_null_in_json_and_inf_for_people() -> None:
    model = ngram(2, smoothing="mle")
    read = read_text(model, "рыбу кот\n")
    record = backoff_paths(model, read)[0].as_json(read)
    assert record["log10_prob"] is None
    assert "log10 p -inf" in path_lines(backoff_paths(model, read)[0], read)[0]


def test_counts_are_of_the_text_of_the_training_and_of_ngrams() -> None:
    import chekhov

    model = chekhov.train("ngram", "demo:rifle-ru?tokens=2000", order=3)
    counts = text_counts(model, "demo:rifle-ru?tokens=2000")
    assert counts.of([1])["count"] == 0
    with pytest.raises(UsageError, match=r"E-TRACE-008 .* was not trained on this text"):
        text_counts(model, "demo:rifle-en?tokens=2000")
    chain = chekhov.train("chain", "demo:rifle-ru?tokens=2000")
    with pytest.raises(UsageError, match="E-TRACE-007"):
        text_counts(chain, "demo:rifle-ru?tokens=2000")


def test_a_mixture_has_no_path() -> None:
    model = ngram(2)
    mixed = TextModel(Mixture([model.model, model.model], [0.5, 0.5]), model.tokenizer, name="x")
    with pytest.raises(UsageError, match=r"E-TRACE-001 x: .*mixture"):
        backoff_paths(mixed, read_text(mixed, SEEN))
