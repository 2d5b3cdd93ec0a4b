"""Saliency: replacements are scored as the model scores, gradients are slopes, and no model looks beyond its reach."""

from __future__ import annotations

import io
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from chekhov.errors import UsageError
from chekhov.inspection.reading import ReadText, read_text
from chekhov.inspection.saliency import draw_others, input_gradients, replaced_log_probs, saliency
from chekhov.inspection.saliency_view import print_saliency, shade, write_saliency_page
from chekhov.mixture import Mixture
from chekhov.ngram.model import train_ngram
from chekhov.recurrent.language_model import RecurrentLM
from chekhov.tasks.prune import quantise
from chekhov.tasks.text_model import TextModel
from chekhov.tokens.tokenizer import train_tokenizer

TEXT = "кот спал .\nпёс ел рыбу .\nкот ел кость .\nпёс спал дома .\n" * 3
SEEN = "кот ел рыбу . пёс спал дома и кот ел"
NETS: dict[str, dict[str, Any]] = {
    "elman": {},
    "gru": {},
    "gru reset before": {"cell_options": {"reset": "before"}},
    "lstm": {"num_layers": 2},
    "mingru": {"num_layers": 2, "residual": True},
    "window": {"cell_options": {"width": 3}},
    "lstm tied": {"embedding_size": 8, "hidden_size": 8, "tied": True},
}
TOKENIZER = train_tokenizer("whitespace", [TEXT])


def net(name: str) -> TextModel:
    torch.manual_seed(0)
    sizes = {"embedding_size": 5, "hidden_size": 8, **NETS[name]}
    return TextModel(RecurrentLM(name.split()[0], TOKENIZER.vocabulary.size, **sizes).eval(), TOKENIZER, name=name)


def ngram(order: int = 3) -> TextModel:
    ids = TOKENIZER.encode(TEXT)
    return TextModel(train_ngram(ids, order=order, vocab_size=TOKENIZER.vocabulary.size), TOKENIZER, name="n")


def models() -> dict[str, TextModel]:
    found = {name: net(name) for name in NETS} | {"ngram": ngram(), "packed": quantise(ngram())}
    mixed = Mixture([found["ngram"].model, found["lstm"].model], [0.5, 0.5])
    return found | {"mixture": TextModel(mixed, TOKENIZER, name="mixture")}


def read(model: TextModel, text: str = SEEN) -> ReadText:
    return read_text(model, text, ends=False)


@pytest.mark.parametrize("name", models())
def test_replacements_are_what_scoring_each_changed_text_gives(name: str) -> None:
    model = models()[name]
    ids = model.tokenizer.encode_prompt(SEEN)[:7]
    own, changed = replaced_log_probs(model.model, model.model.initial_state(1), ids, 4, seed=5)
    assert own == pytest.approx(float(model.model.score(model.model.initial_state(1), ids[None])[0][0, -1]), abs=1e-5)
    rng, state = np.random.default_rng(5), model.model.initial_state(1)
    for j in range(6):
        others = draw_others(model.model.log_probs(state)[0], int(ids[j]), 4, rng)
        state = model.model.advance(state, ids[j : j + 1])
        rows = np.tile(ids, (4, 1))
        rows[:, j] = others
        assert (rows[:, j] != ids[j]).all()
        expected = model.model.score(model.model.initial_state(4), rows)[0][:, -1]
        np.testing.assert_allclose(changed[j], expected, atol=2e-5)


@pytest.mark.parametrize("name", NETS)
def test_gradients_are_slopes(name: str) -> None:
    """Against central differences of the log-odds in float64, along the embedding and along a random direction."""
    model = net(name)
    ids = read(model).ids
    norms, products = input_gradients(model.model, ids, int(ids[-1]))
    own = model.model.double()  # type: ignore[attr-defined]
    x = own.embed(torch.from_numpy(ids[None, :-1])).detach()

    def log_odds(x: torch.Tensor) -> float:
        with torch.no_grad():
            p = own.log_softmax(own.stack.unroll(x, own.stack.initial_state(1))[0][:, -1])[0, ids[-1]].exp().item()
        return math.log(p / (1 - p))

    for t in range(len(ids) - 1):
        more, less = x.clone(), x.clone()
        more[0, t] *= 1 + 1e-5
        less[0, t] *= 1 - 1e-5
        assert (log_odds(more) - log_odds(less)) / 2e-5 == pytest.approx(products[t], abs=2e-5)
        steps = []
        for i in range(x.shape[2]):
            more, less = x.clone(), x.clone()
            more[0, t, i] += 1e-5
            less[0, t, i] -= 1e-5
            steps.append((log_odds(more) - log_odds(less)) / 2e-5)
        assert norms[t] == pytest.approx(float(np.linalg.norm(steps)), abs=2e-5)


def test_nothing_beyond_the_reach_of_a_model_counts() -> None:
    for model, reach in ((ngram(3), 2), (net("window"), 3)):
        found = saliency(model, read(model), 8, replacements=5)
        distances = found.position - np.arange(found.first, found.position)
        assert (abs(found.replacement[distances > reach]) < 1e-6).all()
        assert (abs(found.replacement[distances <= reach]) > 1e-4).any()
        if found.gradient is not None:
            assert (found.gradient[distances > reach] == 0).all()
            assert (found.gradient[distances <= reach] > 0).all()


def test_the_word_that_decides_stands_out() -> None:
    """After «пёс» only «ел» and «спал» came, after «кот» too: the bigram's word rests on the one before."""
    model = ngram(2)
    found = saliency(model, read(model, "пёс ел рыбу"), 3, replacements=50)
    assert found.replacement[0] == 0  # two back
    assert found.replacement[1] > 1.0


def test_the_past_may_be_cut_and_the_state_before_it_stays() -> None:
    model = net("gru")
    whole, cut = saliency(model, read(model), 9, replacements=3), saliency(model, read(model), 9, farthest=2)
    assert (cut.first, list(cut.places)) == (7, [7, 8])
    assert cut.log_prob == pytest.approx(whole.log_prob, abs=1e-5)
    np.testing.assert_allclose(cut.gradient, whole.gradient[-2:], atol=1e-6)  # type: ignore[index,arg-type]


def test_the_same_seed_gives_the_same_numbers() -> None:
    model = net("lstm")
    one, two, other = (saliency(model, read(model), -1 % 11, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.replacement, two.replacement)
    assert (one.replacement != other.replacement).any()


def test_what_cannot_be_explained_is_refused() -> None:
    model = ngram()
    with pytest.raises(UsageError, match=r"E-TRACE-009 .* is the first"):
        saliency(model, read(model), 1)
    unsmoothed = train_ngram(TOKENIZER.encode(TEXT), order=2, vocab_size=TOKENIZER.vocabulary.size, smoothing="mle")
    model = TextModel(unsmoothed, TOKENIZER, name="mle")
    with pytest.raises(UsageError, match=r"E-TRACE-009 .*no chance"):
        saliency(model, read(model, "рыбу кот"), 2)
    with pytest.raises(UsageError, match="E-RANGE-001"):
        saliency(model, read(model), 3, replacements=0)


def test_one_word_alone_cannot_be_replaced() -> None:
    with pytest.raises(UsageError, match="E-TRACE-010"):
        draw_others(np.zeros(4, np.float32), 3, 2, np.random.default_rng(0))
    sure = np.full(6, -np.inf, np.float32)
    sure[3] = 0.0  # the model expects nothing but the token itself
    assert set(draw_others(sure, 3, 50, np.random.default_rng(0)).tolist()) == {4, 5}


def test_what_a_replacement_makes_impossible_counts_as_one_in_a_billion() -> None:
    ids = TOKENIZER.encode(TEXT)
    model = TextModel(train_ngram(ids, order=2, vocab_size=TOKENIZER.vocabulary.size, smoothing="mle"), TOKENIZER)
    found = saliency(model, read(model, "пёс спал дома"), 3, replacements=5)
    assert found.replacement[-1] <= found.log_prob - math.log(1e-9) + 1e-6
    assert np.isfinite(found.replacement).all()


def test_views(tmp_path: Path) -> None:
    model = net("lstm")
    found = saliency(model, read(model), 8)
    out = io.StringIO()
    print_saliency(found, out)
    lines, largest = out.getvalue().splitlines(), abs(found.replacement).max()
    assert lines[0].startswith("lstm: log p(и) = -")
    marked = dict(re.findall(r"(\S+)\[(.*?)\]", lines[1]))
    shown = {
        token: f"{value:.2f}" for token, value in zip(SEEN.split(), found.replacement) if abs(value) >= 0.02 * largest
    }
    assert marked == {token: value for token, value in shown.items() if abs(float(value)) >= 0.005}
    assert len(marked) > 1
    assert " ".join(re.sub(r"\[.*?\]", "", lines[1]).split()) == "кот ел рыбу . пёс спал дома"
    write_saliency_page(found, tmp_path / "s.html")
    page = (tmp_path / "s.html").read_text()
    assert f'title="{found.replacement[6]:.3f} nats">дома</span>' in page
    assert f'<b title="{found.log_prob:.3f} nats">и</b>' in page
    assert (shade(0.0), shade(1.0)) == ((255, 255, 255), (230, 95, 85))
    assert shade(-1.0) == (85, 95, 230)
    rows = found.as_json()
    assert [(row["token"], row["distance"]) for row in rows[-2:]] == [("спал", 2), ("дома", 1)]
    assert rows[0]["target"] == "и"


def test_line_breaks_and_control_characters_stay_on_their_line() -> None:
    text = "a\nb\x1b[31m\n" * 3
    tokenizer = train_tokenizer("characters", [text])
    ids = tokenizer.encode(text)
    model = TextModel(train_ngram(ids, order=3, vocab_size=tokenizer.vocabulary.size), tokenizer, name="n")
    out = io.StringIO()
    print_saliency(saliency(model, read_text(model, text, ends=False), 4), out)
    assert "\x1b" not in out.getvalue()
    assert out.getvalue().splitlines()[0].startswith("n: log p(\\x1b) = ")
    assert re.sub(r"\[.*?\]", "", out.getvalue().splitlines()[1]) == "a⏎b"


def test_text_cannot_forge_a_page(tmp_path: Path) -> None:
    tokenizer = train_tokenizer("whitespace", ["<b>x</b> & y z\n" * 3])
    ids = tokenizer.encode("<b>x</b> & y z\n" * 3)
    model = TextModel(train_ngram(ids, order=2, vocab_size=tokenizer.vocabulary.size), tokenizer, name="<i>")
    found = saliency(model, read_text(model, "<b>x</b> & y", ends=False), 3)
    write_saliency_page(found, tmp_path / "s.html")
    page = (tmp_path / "s.html").read_text()
    assert "&lt;b&gt;x&lt;/b&gt;" in page
    assert "<b>x" not in page
    assert "<i>" not in page
