"""``--precision`` of `generate`: the default changes nothing, nets may be rounded, decoders do not notice."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chekhov
from chekhov.errors import UsageError
from chekhov.kernels import dispatch
from chekhov.mixture import Mixture
from chekhov.recurrent.generator import refusal
from chekhov.tasks.decoders import decoder
from chekhov.tasks.generate import generate
from chekhov.tasks.text_model import RECURRENT, TextModel

TEXT = "Ружьё висело на стене, и никто не смотрел на него.\nОно выстрелит.\n" * 60


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, TextModel]:
    folder = tmp_path_factory.mktemp("text")
    (folder / "text.txt").write_text(TEXT)
    text = str(folder / "text.txt")
    net = chekhov.train("lstm", text, hidden_size=48, epochs=3, sequence_length=32, batch_size=4, seed=1)
    tokenizer = folder / "net"
    net.save(tokenizer)
    ngram = chekhov.train("ngram", text, order=3, tokenizer=str(tokenizer))
    mixture = TextModel(Mixture([net.model, ngram.model], [0.5, 0.5]), net.tokenizer)
    return {"net": net, "ngram": ngram, "mixture": mixture}


def test_the_default_is_the_model_itself(models: dict[str, TextModel]) -> None:
    for model in models.values():
        assert model.decoder() is model.model
    assert models["ngram"].decoder("auto") is models["ngram"].model


@pytest.mark.parametrize("precision", ["auto", "bf16", "int8"])
def test_every_decoder_runs_on_a_rounded_net(models: dict[str, TextModel], precision: str) -> None:
    net, notes = models["net"], []
    for name in ("net", "mixture"):
        flags: dict[str, Any] = {"max_tokens": 30, "precision": precision, "note": notes.append}
        drawn = generate(models[name], "Ружьё", num=3, seed=5, top_p=0.9, **flags)
        assert drawn[0].text == generate(models[name], "Ружьё", num=1, seed=5, top_p=0.9, **flags)[0].text
        best = generate(models[name], "Ружьё", beam=3, **flags)[0]
        greedy = generate(models[name], "Ружьё", temperature=0, **flags)[0]
        assert best.text.startswith("Ружьё") and greedy.text.startswith("Ружьё")
    assert net.decoder(precision) is net.decoder(precision)
    names = ["int8", "bf16", "float32"] if precision == "auto" else [precision, "float32"]
    there = [name for name in names if not refusal(net.model, name)]
    assert getattr(net.decoder(precision), "precision", None) == (there[0] if there else None)
    assert bool(notes) == (precision != "auto" and bool(refusal(net.model, precision)))
    exact, state = net.model, net.model.initial_state(1)
    rounded, own = net.decoder(precision), net.decoder(precision).initial_state(1)
    for token in net.tokenizer.encode(TEXT[:50]):
        one, other = exact.log_probs(state)[0], rounded.log_probs(own)[0]
        assert np.abs(np.exp(one) - np.exp(other)).max() < 0.05
        state, own = exact.advance(state, np.array([token])), rounded.advance(own, np.array([token]))
    assert net.score("Ружьё").log_probs == models["net"].score("Ружьё").log_probs


def test_a_precision_that_means_nothing_is_refused(models: dict[str, TextModel]) -> None:
    with pytest.raises(UsageError, match=r"E-GENERATE-007.*'fp4'"):
        models["net"].generate(precision="fp4")
    with pytest.raises(UsageError, match=r"E-GENERATE-008.*kind ngram"):
        models["ngram"].generate(precision="int8")


def test_a_net_without_kernels_stays_in_float32_and_says_so() -> None:
    from chekhov.recurrent.language_model import RecurrentLM

    model, notes = RecurrentLM("mingru", 9, embedding_size=4, hidden_size=6).eval(), []
    assert decoder(model, "int8", recurrent=RECURRENT, note=notes.append) is model
    assert notes == ["float32 in place of int8: there are none for the cell mingru"]
    assert decoder(model, "auto", recurrent=RECURRENT, note=notes.append) is model and len(notes) == 1


PROGRAM = """
import numpy as np, torch
from chekhov.recurrent.generator import Generator, refusal
from chekhov.recurrent.language_model import RecurrentLM
torch.manual_seed(0)
for cell in {cells}:
    model = RecurrentLM(cell, 50, embedding_size=20, hidden_size=50, num_layers=2).eval()
    for precision in ("float32", "bf16", "int8"):
        if refusal(model, precision):
            continue
        print("RUNS", precision)
        generator = Generator(model, precision)
        for B in (1, 5, 33):
            state, exact = generator.initial_state(B), model.initial_state(B)
            for _ in range(3):
                one, other = generator.log_probs(state)[:, 2:], model.log_probs(exact)[:, 2:]
                assert abs(one - other).max() < 0.1, precision
                tokens = np.arange(B) % 50
                state, exact = generator.advance(state, tokens), model.advance(exact, tokens)
"""


def runs(**settings: str) -> set[str]:
    """The precisions that a process runs with these settings; it must come to its end."""
    environment = {name: value for name, value in os.environ.items() if name != "CHEKHOV_ISA"} | settings
    program = PROGRAM.format(cells=("lstm", "gru"))
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=300, env=environment
    )
    assert result.returncode == 0, result.stderr
    return set(result.stdout.replace("RUNS", "").split())


def test_a_lesser_processor_never_compiles_what_it_lacks() -> None:
    assert runs(CHEKHOV_ISA="torch") == set()
    assert runs(NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="") == set()
    if not dispatch.chosen().compiled:
        pytest.skip(dispatch.chosen().why)
    assert runs(NUMBA_CPU_NAME="haswell", NUMBA_CPU_FEATURES=dispatch.AVX2) == {"float32"}
    if dispatch.chosen().name in ("amx", "avx512"):
        skylake = dispatch.AVX2 + ",+avx512f,+avx512bw,+avx512cd,+avx512dq,+avx512vl"
        assert runs(NUMBA_CPU_NAME="skylake-avx512", NUMBA_CPU_FEATURES=skylake) == {"float32"}
    if dispatch.chosen().name == "amx":
        icelake = skylake + ",+avx512vnni"
        assert runs(NUMBA_CPU_NAME="icelake-server", NUMBA_CPU_FEATURES=icelake) == {"float32", "int8"}
        assert runs(CHEKHOV_ISA="avx512") == {"float32", "bf16", "int8"}


def test_the_command(models: dict[str, TextModel], tmp_path: Path) -> None:
    models["net"].save(tmp_path / "net")
    command = [sys.executable, "-m", "chekhov", "generate", str(tmp_path / "net"), "--seed", "3", "--precision"]
    for precision in ("float32", "int8"):
        result = subprocess.run([*command, precision], capture_output=True, text=True, timeout=200, check=True)
        assert result.stdout.strip()
    assert "E-GENERATE-007" in subprocess.run([*command, "x"], capture_output=True, text=True, timeout=60).stderr
