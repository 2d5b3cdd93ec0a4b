"""What is traced is what the model computes: its probabilities come out of it, and its states out of its gates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from chekhov.errors import ModelError, TextError, UsageError
from chekhov.files import read_arrays
from chekhov.inspection import trace as tracing
from chekhov.inspection.reading import read_text
from chekhov.inspection.trace import Trace, summary, trace
from chekhov.recurrent.language_model import RecurrentLM
from chekhov.tasks.text_model import TextModel
from chekhov.tokens.tokenizer import train_tokenizer

TEXT = "Ружьё висело на стене.\nНикто не стрелял.\n"
FORMS: dict[str, tuple[str, dict[str, Any]]] = {
    "elman": ("elman", {}),
    "elman relu": ("elman", {"cell_options": {"activation": "relu"}}),
    "gru": ("gru", {}),
    "gru reset before": ("gru", {"cell_options": {"reset": "before"}}),
    "gru of colah": ("gru", {"cell_options": {"reset": "before", "update": "replace"}}),
    "lstm": ("lstm", {}),
    "mingru": ("mingru", {}),
    "minlstm": ("minlstm", {}),
    "qrnn": ("qrnn", {}),
    "sru": ("sru", {}),
    "indrnn": ("indrnn", {"cell_options": {"activation": "tanh"}}),
    "rglru": ("rglru", {}),
    "window": ("window", {"cell_options": {"width": 3}}),
}
EXTRAS = [{}, {"num_layers": 3, "residual": True}, {"embedding_size": 0}, {"embedding_size": 6, "tied": True}]


def net(kind: str, **options: Any) -> TextModel:
    torch.manual_seed(1)
    tokenizer = train_tokenizer("characters", [TEXT])
    sizes = {"embedding_size": 4, "hidden_size": 6, **options}
    model = RecurrentLM(kind, tokenizer.vocabulary.size, **sizes).eval()
    return TextModel(model, tokenizer, name="m")


def traced(kind: str, **options: Any) -> tuple[TextModel, Trace]:
    model = net(kind, **options)
    return model, trace(model, read_text(model, TEXT))


@pytest.mark.parametrize("extra", EXTRAS, ids=["plain", "residual", "one-hot", "tied"])
@pytest.mark.parametrize("form", FORMS)
def test_the_features_give_the_models_probabilities(form: str, extra: dict[str, Any]) -> None:
    kind, options = FORMS[form]
    model, found = traced(kind, **options, **extra)
    ids = model.tokenizer.encode(TEXT)
    expected = model.model.score(model.model.initial_state(1), ids[None])[0][0]
    np.testing.assert_allclose(found.log_probs[1:], expected, atol=2e-5)
    features = found.arrays["features"]
    layers = [found.arrays[f"layers.{layer}.hidden_state"] for layer in range(model.model.sizes()["num_layers"])]
    np.testing.assert_allclose(features, sum(layers) if "residual" in extra else layers[-1], atol=1e-6)
    weight, bias = (model.model.state_dict()[f"head.{name}"].numpy() for name in ("weight", "bias"))
    logits = (features @ weight.T + bias).astype(np.float64)
    logits[:, 1] = -np.inf  # <s>
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(np.log(p[np.arange(len(ids)), ids]), expected, atol=2e-5)


def before(array: np.ndarray) -> np.ndarray:
    return np.concatenate([np.zeros_like(array[:1]), array[:-1]])


def sigmoid(a: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-a))


@pytest.mark.parametrize("form", FORMS)
def test_the_states_follow_from_the_gates_and_these_from_what_stood_before_them(form: str) -> None:
    kind, options = FORMS[form]
    _, found = traced(kind, **options, num_layers=2)
    for layer in (0, 1):
        a = {n.split(".")[2]: v.astype(np.float64) for n, v in found.arrays.items() if n.startswith(f"layers.{layer}.")}
        for name, value in a.items():
            if name.endswith("gate"):
                np.testing.assert_allclose(value, sigmoid(a[f"{name}_pre_activation"]), atol=1e-6)
            if name == "candidate" and kind not in ("mingru", "minlstm", "sru"):
                np.testing.assert_allclose(value, np.tanh(a["candidate_pre_activation"]), atol=1e-6)
        h = a["hidden_state"]
        if kind == "lstm":
            cells = a["forget_gate"] * before(a["cell_state"]) + a["input_gate"] * a["candidate"]
            np.testing.assert_allclose(a["cell_state"], cells, atol=1e-6)
            expected = a["output_gate"] * np.tanh(a["cell_state"])
        elif kind == "minlstm":
            share = a["forget_gate"] / (a["forget_gate"] + a["input_gate"])
            expected = share * before(h) + (1 - share) * a["candidate"]
        elif kind in ("qrnn", "sru"):
            cells = a["forget_gate"] * before(a["cell_state"]) + (1 - a["forget_gate"]) * a["candidate"]
            np.testing.assert_allclose(a["cell_state"], cells, atol=1e-6)
            if kind == "sru":
                continue  # what it shows, its highway, is no gate; `test_scans` has it
            expected = a["output_gate"] * a["cell_state"]
        elif kind == "rglru":
            expected = a["decay"] * before(h) + np.sqrt(1 - a["decay"] ** 2) * a["taken_in"]
        elif kind in ("gru", "mingru"):
            replaces = kind == "mingru" or options.get("cell_options", {}).get("update") == "replace"
            keep = 1 - a["update_gate"] if replaces else a["update_gate"]
            expected = keep * before(h) + (1 - keep) * a["candidate"]
        else:
            relu = options.get("cell_options", {}).get("activation") == "relu"
            expected = np.maximum(a["pre_activation"], 0) if relu else np.tanh(a["pre_activation"])
        np.testing.assert_allclose(h, expected, atol=1e-6)


def test_the_pre_activations_follow_from_the_weights() -> None:
    """Not only from each other: the reset gate of Cho et al. multiplies h before the product, torch's after it."""
    for reset in ("before", "after"):
        model, found = traced("gru", cell_options={"reset": reset})
        cell = model.model.stack.cells[0]  # type: ignore[attr-defined]
        W, U, b, b_hh = (p.detach().numpy() for p in cell.parameters_by_letter())
        x, a = found.arrays["embedding"], {n.removeprefix("layers.0."): v for n, v in found.arrays.items()}
        h, r = before(a["hidden_state"]), a["reset_gate"]
        own, recurrent = (x @ W.T + b)[:, -6:], U[-6:]
        inner = (r * h) @ recurrent.T + b_hh[-6:] if reset == "before" else r * (h @ recurrent.T + b_hh[-6:])
        np.testing.assert_allclose(a["candidate_pre_activation"], own + inner, atol=1e-6)


def test_the_file_holds_arrays_tokens_and_offsets(tmp_path: Path) -> None:
    from safetensors import safe_open

    _, found = traced("lstm")
    found.save(tmp_path / "t.safetensors")
    stored = read_arrays(tmp_path / "t.safetensors")
    T = len(TEXT) + 2
    assert set(stored) == {"ids", "offsets", "log_probs", *found.arrays}
    for name, array in found.arrays.items():
        assert array.shape[0] == T
        np.testing.assert_array_equal(stored[name], array)
    with safe_open(tmp_path / "t.safetensors", framework="numpy") as file:
        metadata = file.metadata()
    assert json.loads(metadata["tokens"]) == ["<s>", *TEXT, "</s>"]
    assert metadata["text"] == TEXT
    starts, ends = stored["offsets"].T
    assert [TEXT[s:e] for s, e in zip(starts[1:-1], ends[1:-1])] == list(TEXT)
    assert starts[0] == starts[-1] == -1
    assert list(tmp_path.iterdir()) == [tmp_path / "t.safetensors"]


def test_offsets_of_words_that_are_lower_cased_or_not_there() -> None:
    from chekhov.inspection.reading import offsets

    assert offsets("Кот  и Пёс", ["кот", "и", "пёс", "</s>"]) == [(0, 3), (5, 6), (7, 10), (-1, -1)]
    assert offsets("aa", ["a", "x", "a"]) == [(0, 1), (-1, -1), (1, 2)]


def test_the_summary_tells_what_is_shut_open_and_flat() -> None:
    _, found = traced("lstm")
    found.arrays["layers.0.forget_gate"][:] = 0.95
    found.arrays["layers.0.input_gate"][:] = 0.05
    rows = {row["name"]: row for row in summary(found)}
    assert list(rows) == ["input_gate", "forget_gate", "candidate", "output_gate", "cell_state", "hidden_state"]
    assert (rows["forget_gate"]["open"], rows["forget_gate"]["shut"]) == (1, 0)
    assert (rows["input_gate"]["open"], rows["input_gate"]["shut"]) == (0, 1)
    assert rows["forget_gate"]["mean"] == pytest.approx(0.95)
    assert 0 <= rows["candidate"]["flat"] <= 1


def test_activations_that_are_not_finite_are_named() -> None:
    model = net("elman", cell_options={"activation": "relu"})
    with torch.no_grad():
        for cell in model.model.stack.cells:  # type: ignore[attr-defined]
            cell.weights.weight_hh_l0.fill_(1e6)
            cell.weights.weight_ih_l0.fill_(1.0)
            cell.weights.bias_ih_l0.fill_(1e3)
    with pytest.raises(ModelError, match=r"E-TRACE-005 layers.0.pre_activation is not finite from token \d+ \("):
        trace(model, read_text(model, TEXT))


def test_what_cannot_be_traced_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    model = net("lstm")
    with pytest.raises(TextError, match="E-TRACE-002"):
        read_text(model, "")
    monkeypatch.setattr(tracing, "MOST_BYTES", 4000)
    with pytest.raises(UsageError, match=r"E-TRACE-004 the trace of 43 tokens would take .* give at most \d+ tokens"):
        trace(model, read_text(model, TEXT))


def test_positions_are_numbers_or_tokens() -> None:
    read = read_text(net("lstm"), "стена", ends=False)
    assert [read.position(p) for p in ("1", "-1", "5", "-5", "а", "с")] == [1, 5, 5, 1, 5, 1]
    for wrong in ("0", "6", "-6", "ж", ""):
        with pytest.raises(UsageError, match="E-TRACE-003"):
            read.position(wrong)
