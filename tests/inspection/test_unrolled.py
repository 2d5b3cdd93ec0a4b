"""The drawing of a net has the boxes and arrows that the net has: as many layers, directions, steps, outputs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from calling import LSTM as SMALL_LSTM
from calling import TEXT, call, refused

import chekhov
from chekhov.errors import UsageError
from chekhov.inspection.unrolled import Unrolled, plot_unrolled, unroll
from chekhov.recurrent.classifier_net import ClassifierNet
from chekhov.recurrent.elman import Elman
from chekhov.recurrent.encoder_decoder import ConditionalLM, EncoderDecoder
from chekhov.recurrent.language_model import RecurrentLM
from chekhov.recurrent.tagger_net import TaggerNet
from chekhov.training.memory_tasks import TaskNet

ENCODER: dict[str, Any] = {
    "word_size": 8, "affix_size": 4, "hidden_size": 6, "num_layers": 1, "dropout": 0.1, "word_dropout": 0.1
}  # fmt: skip


def boxes(picture: Unrolled) -> dict[str, int]:
    return dict(Counter(box.kind for box in picture.boxes))


def arrows(picture: Unrolled, kind: str) -> list[tuple[float, float, float, float]]:
    """From (x, y) to (x, y)."""
    ends = [(picture.boxes[a.start], picture.boxes[a.end]) for a in picture.arrows if a.kind == kind]
    return [(a.x, a.y, b.x, b.y) for a, b in ends]


def notes(picture: Unrolled) -> str:
    return "; ".join(note.text for note in picture.notes)


def test_one_to_one() -> None:
    picture = unroll(TaskNet(Elman(2, 64), 3), steps=1)
    assert boxes(picture) == {"input": 1, "cell": 1, "output": 1}
    assert not arrows(picture, "time")
    assert notes(picture) == "vectors of 2; Elman, 64 units; scores, 3"


@pytest.mark.parametrize("layers", [1, 3])
def test_a_language_model_carries_one_state_a_layer_forward(layers: int) -> None:
    picture = unroll(RecurrentLM("lstm", 30, embedding_size=8, hidden_size=5, num_layers=layers), steps=4)
    assert boxes(picture) == {"input": 4, "embedding": 4, "cell": 4 * layers, "output": 4}
    carried = arrows(picture, "time")
    assert len(carried) == 3 * layers
    assert all(x2 == x1 + 1 and y1 == y2 for x1, y1, x2, y2 in carried)
    assert len(arrows(picture, "up")) == 4 * (layers + 2)
    assert "embedding, 8" in notes(picture)
    assert "softmax over 30" in notes(picture)


def test_a_window_carries_nothing_and_sees_its_last_inputs() -> None:
    picture = unroll(RecurrentLM("window", 30, embedding_size=8, hidden_size=5, cell_options={"width": 3}), steps=5)
    assert not arrows(picture, "time")
    seen = Counter(x2 for x1, y1, x2, y2 in arrows(picture, "up") if y2 == 2)
    assert seen == {0: 1, 1: 2, 2: 3, 3: 3, 4: 3}


@pytest.mark.parametrize("layers", [1, 2])
def test_a_tagger_reads_from_both_ends(layers: int) -> None:
    net = TaggerNet(9, [["B-A", "O"]], [True], **{**ENCODER, "num_layers": layers})
    picture = unroll(net, inputs=["a", "b", "c"], outputs=["O", "O", "B-A"])
    joined = 3 * (layers - 1)  # between two layers
    assert boxes(picture) == {"input": 3, "embedding": 3 + joined, "cell": 6 * layers, "output": 3}
    ways = Counter(x2 > x1 for x1, y1, x2, y2 in arrows(picture, "time"))
    assert ways == {True: 2 * layers, False: 2 * layers}
    assert len(arrows(picture, "chain")) == 2
    assert [box.label for box in picture.boxes if box.kind == "output"] == ["O", "O", "B-A"]
    assert not arrows(unroll(TaggerNet(9, [["A", "O"]], [False], **ENCODER)), "chain")


def test_a_classifier_pools_what_its_pooling_says() -> None:
    last = unroll(ClassifierNet(9, 4, "multiclass", "last", **ENCODER), steps=5)
    assert boxes(last) == {"input": 5, "embedding": 5, "cell": 10, "pool": 1, "output": 1}
    pool = next(i for i, box in enumerate(last.boxes) if box.kind == "pool")
    into = sorted(last.boxes[arrow.start].x for arrow in last.arrows if arrow.end == pool)
    assert into == [0.25, 3.75]  # the backward row at the first step, the forward row at the last
    answered = unroll(ClassifierNet(9, 4, "multiclass", "last", **ENCODER), inputs="ab", outputs=np.array(["x"]))
    assert [box.label for box in answered.boxes if box.kind in ("input", "output")] == ["a", "b", "x"]
    several = unroll(ClassifierNet(9, 4, "multilabel", "max+mean", **ENCODER), steps=5)
    assert [box.label for box in several.boxes if box.kind == "pool"] == ["max", "mean"]
    pool = next(i for i, box in enumerate(several.boxes) if box.kind == "pool")
    assert sum(arrow.end == pool for arrow in several.arrows) == 5
    several = unroll(ClassifierNet(9, 4, "multilabel", "max", nets=3, **ENCODER), steps=5)
    assert several.notes[-1].text == "sigmoid of 4\nmean of 3 nets"
    bag = unroll(ClassifierNet(9, 4, "multiclass", "mean", **{**ENCODER, "num_layers": 0}), steps=5)
    assert "cell" not in boxes(bag)
    assert not arrows(bag, "time")


def test_a_vector_begins_every_layer_and_what_was_written_is_read() -> None:
    lm = RecurrentLM("gru", 30, embedding_size=8, hidden_size=5, num_layers=2)
    picture = unroll(ConditionalLM(7, lm), inputs=["v"], outputs=["a", "b", "</s>"])
    assert [box.label for box in picture.boxes if box.kind == "input"] == ["v", "<s>", "a", "b"]
    assert [x1 for x1, *_ in arrows(picture, "time")].count(0) == 2
    copied = arrows(picture, "copy")
    assert [(x1, x2) for x1, _, x2, _ in copied] == [(1, 2), (2, 3)]


def test_an_encoder_decoder_passes_one_vector() -> None:
    net = EncoderDecoder("lstm", 9, 8, embedding_size=4, hidden_size=6)
    picture = unroll(net, inputs=list("abcd"), outputs=["x", "y"])
    assert boxes(picture) == {"input": 6, "embedding": 6, "cell": 10, "pool": 1, "output": 2}
    pool = next(i for i, box in enumerate(picture.boxes) if box.kind == "pool")
    assert sum(arrow.end == pool for arrow in picture.arrows) == 2
    assert [picture.boxes[a.end].x for a in picture.arrows if a.start == pool] == [5]
    crossing = [a for a in picture.arrows if picture.boxes[a.start].x < 4 <= picture.boxes[a.end].x and a.end != pool]
    assert not crossing


def test_what_cannot_be_drawn_is_named() -> None:
    with pytest.raises(UsageError, match=r"E-PLOT-001 .*ngram"):
        unroll(chekhov.train("ngram", "demo:rifle-ru?tokens=2000"))
    with pytest.raises(UsageError, match="E-PLOT-001 there is no drawing of a Linear"):
        import torch

        unroll(torch.nn.Linear(2, 3))
    with pytest.raises(UsageError, match="E-PLOT-002 3 inputs and 2 outputs"):
        unroll(TaskNet(Elman(2, 4), 3), inputs=list("abc"), outputs=list("ab"))
    with pytest.raises(UsageError, match="steps is 41"):
        unroll(TaskNet(Elman(2, 4), 3), steps=41)


def test_the_same_net_is_the_same_file(tmp_path: Path) -> None:
    net = EncoderDecoder("lstm", 9, 8, embedding_size=4, hidden_size=6)
    for name in ("a.svg", "b.svg"):
        plot_unrolled(net, tmp_path / name, inputs=["$x$", "<s>"], title="$net")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_info_draws_a_stored_model(tmp_path: Path) -> None:
    text, net, picture = tmp_path / "text.txt", str(tmp_path / "net"), tmp_path / "net.svg"
    text.write_text(TEXT, "utf-8")
    call("train", "lstm", str(text), "-o", net, *SMALL_LSTM)
    code, out, err = call("info", net, "--plot", str(picture))
    assert (code, err) == (0, "")
    assert "kind            lstm" in out
    assert picture.read_text("utf-8").startswith("<?xml")
    call("train", "chain", str(text), "-o", str(tmp_path / "chain"))
    refused("info", str(tmp_path / "chain"), "--plot", str(picture), code=2, says="E-PLOT-001 .*chain")
    refused("info", net, "--plot", str(tmp_path / "net.txt"), code=2, says="E-TRAIN-015")
    refused("info", net, "--plot", str(picture), "--steps", "0", code=2, says="steps is 0")


def test_info_draws_a_tagger_and_a_classifier_but_no_linear_model(tmp_path: Path) -> None:
    words, tags = [["a", "b"], ["b", "c"]] * 6, [["X", "Y"], ["Y", "X"]] * 6
    sizes: dict[str, Any] = {"hidden_size": 4, "word_size": 4, "affix_size": 2, "epochs": 1}
    chekhov.Tagger(**sizes).fit(words, tags, out=tmp_path / "tagger")
    chekhov.Classifier(**sizes).fit(["a b", "b c"] * 9, ["x", "y"] * 9, out=tmp_path / "net")
    chekhov.Classifier(model="linear").fit(["a b", "b c"] * 9, ["x", "y"] * 9, out=tmp_path / "linear")
    for name in ("tagger", "net"):
        code, _, err = call("info", str(tmp_path / name), "--plot", str(tmp_path / f"{name}.png"))
        assert (code, err) == (0, "")
        assert (tmp_path / f"{name}.png").stat().st_size > 1000
    refused("info", str(tmp_path / "linear"), "--plot", str(tmp_path / "x.svg"), code=2, says="E-PLOT-001 .*classifier")
