"""`chekhov gradients`: fresh cells, trained nets, and what has no gradient."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from calling import call, refused

SMALL = ("--distance", "12", "--hidden-size", "8")


def test_a_family_of_cells_as_a_table_and_as_json(tmp_path: Path) -> None:
    code, out, _ = call("gradients", *SMALL, "--forget-bias", "0,3", "--plot", str(tmp_path / "g.svg"))
    assert code == 0
    assert all(name in out for name in ("elman", "gru", "lstm, f bias 0", "lstm, f bias 3", "12 back", "forget gate"))
    assert (tmp_path / "g.svg").read_text().count("<svg") == 1
    code, out, _ = call("gradients", *SMALL, "--cells", "linear,mingru", "--spectral-radius", "0.5", "--json")
    linear, mingru = map(json.loads, out.splitlines())
    assert linear["norms"]["h"][3] == pytest.approx(0.125, rel=1e-3)
    assert len(mingru["product"]) == 13


def test_a_trained_net_on_a_text(folder: Path) -> None:
    net, text = str(folder / "lstm"), str(folder / "che.txt")
    code, out, _ = call("gradients", net, "--text", text, "--distance", "20", "--json")
    record = json.loads(out)
    assert code == 0
    assert sorted(record["norms"]) == ["layers.0.c", "layers.0.h"]
    assert len(record["norms"]["layers.0.h"]) == 21
    assert 0 < record["gates"]["layers.0.forget_gate"] < 1


def test_a_model_without_states_shows_its_context_instead(folder: Path) -> None:
    code, out, err = call("gradients", str(folder / "ngram"), "--text", str(folder / "che.txt"))
    assert code == 0, err
    assert "a ngram has no gradient: here is its context instead" in err
    assert "Р" in out


def test_tokens_that_the_net_does_not_know_are_told(folder: Path) -> None:
    code, _, err = call("gradients", str(folder / "lstm"), "--text", "-", "--distance", "5", stdin=b"xyz qwerty " * 9)
    assert code == 0
    assert "tokens of the text: they are <unk> to it" in err


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--cells", "lstn"), 2, "E-GRAD-004.*lstn"),
        (("--forget-bias", "one"), 2, "E-GRAD-004.*is no number"),
        (("--distance", "0"), 2, "distance"),
        (("--init", "zeros"), 2, "E-GRAD-004"),
        (
            ("--cells", "linear", "--spectral-radius", "90", "--distance", "400"),
            1,
            "E-GRAD-003.*h is not finite at step",
        ),
        (("{lstm}", "--text", "{text}", "--distance", "9000"), 2, "E-GRAD-002.*a distance of 9,000 needs 9,002"),
        (("{text}",), 1, "this is a file"),
    ],
)
def test_bad_input(folder: Path, arguments: tuple[str, ...], code: int, says: str) -> None:
    places = {"lstm": folder / "lstm", "text": folder / "che.txt"}
    refused("gradients", *(argument.format(**places) for argument in arguments), code=code, says=says)
