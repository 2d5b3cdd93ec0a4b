"""What does a model do with a sentence? docs/trace.md and docs/trace.svg, from models trained here.

    python benchmarks/trace_page.py [--time 30]

Trains on demo:rifle-ru, seconds of training for each net.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from machine import machine

import chekhov
from chekhov.inspection.reading import read_text
from chekhov.inspection.saliency import saliency
from chekhov.inspection.trace import trace
from chekhov.tasks.text_model import TextModel, load
from chekhov.training.plot import load_matplotlib, save_figure

ROOT = Path(__file__).resolve().parent.parent
TEXT = "demo:rifle-ru"
SENTENCE = "в первом акте висело ружьё , барышня уехала вчера , дети спали на даче и в последнем акте выстрелило"
OTHER = SENTENCE.replace("висело ружьё", "кипел самовар")
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "ngram": ("ngram", {"order": 5}),
    "chain": ("chain", {"order": 2, "tokens": "whitespace"}),
    "window": ("window", {}),
    "elman": ("elman", {}),
    "gru": ("gru", {}),
    "lstm": ("lstm", {"sequence_length": 32}),
}
TITLES = {"chain": "chain, order 2", "ngram": "5-gram", "window": "window of 8", "elman": "Elman", "gru": "GRU"}
TITLES["lstm"] = "LSTM"
UNITS = 24  # of the LSTM that are drawn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--time", type=float, default=30.0)
    parser.add_argument("--models", type=Path, help="Keep the models here, and take those that are here already.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.models or Path(temporary)
        for name, (kind, flags) in MODELS.items():
            if (folder / name / "config.json").exists():
                continue
            if kind not in ("chain", "ngram"):
                flags = {**flags, "time": options.time, "quiet": True, "tokenizer": folder / "ngram"}
            chekhov.train(kind, TEXT, out=folder / name, **flags)
            print(name, flush=True)
        prompt = f'--prompt "{SENTENCE}"'
        shown = {
            "ngram": output(folder, f'trace ngram --prompt "висело ружьё , барышня уехала ." --counts {TEXT}'),
            "chain": output(folder, 'trace chain --prompt "акте висело ружьё , барышня уехала"'),
            "lstm": output(folder, f"trace lstm {prompt} --saliency выстрелило"),
            "saliency": output(folder, f"trace ngram {prompt} --saliency выстрелило"),
            "summary": output(folder, f"trace lstm {prompt} -o trace.safetensors"),
        }
        plot({name: load(folder / name) for name in MODELS}, ROOT / "docs" / "trace.svg")
    page = PAGE.format(time=f"{options.time:g}", machine=machine(), **shown)
    (ROOT / "docs" / "trace.md").write_text(page, "utf-8")


def output(folder: Path, command: str) -> str:
    """The command and what it prints, as a terminal of 120 columns without colours shows it."""
    environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "118"}
    call = ["bash", "-c", f"{sys.executable} -m chekhov {command}"]
    done = subprocess.run(call, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return f"$ chekhov {command}\n{done.stdout.rstrip()}"


def plot(models: dict[str, TextModel], out: Path) -> None:
    """What each model's last word rests on; below, which of the LSTM's cells tell the rifle from the samovar."""
    import numpy as np

    pyplot = load_matplotlib()
    figure, (top, bottom) = pyplot.subplots(
        2, 1, figsize=(11, 8), layout="constrained", height_ratios=[len(TITLES), UNITS / 2]
    )
    found = [saliency(models[n], read_text(models[n], SENTENCE, ends=False), len(SENTENCE.split())) for n in TITLES]
    values = np.array([each.replacement for each in found])
    words = SENTENCE.split()
    drawn = top.imshow(values, cmap="RdBu_r", vmin=-8, vmax=8, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        top.text(column, row, f"{value:.1f}", ha="center", va="center", color="white" if abs(value) > 5 else "black")
    top.set_xticks(range(len(words) - 1), words[:-1], rotation=30, ha="right")
    top.set_yticks(range(len(TITLES)), TITLES.values())
    top.set_title(f"nats that log p({words[-1]}) loses when a word is replaced")
    figure.colorbar(drawn, ax=top, pad=0.01)
    traces = [trace(models["lstm"], read_text(models["lstm"], text, ends=False)) for text in (SENTENCE, OTHER)]
    rifle, samovar = (np.tanh(each.arrays["layers.0.cell_state"][1:-1]) for each in traces)
    difference = rifle - samovar
    units = np.argsort(-abs(difference[-1]))[:UNITS]
    drawn = bottom.imshow(difference[:, units].T, cmap="RdBu_r", vmin=-2, vmax=2, aspect="auto")
    bottom.set_xticks(range(len(words) - 1), words[:-1], rotation=30, ha="right")
    bottom.set_yticks(range(UNITS), units.tolist(), fontsize=7)
    bottom.set(title="the LSTM's cells, tanh(c), less those after «кипел самовар»", ylabel="unit")
    figure.colorbar(drawn, ax=bottom, pad=0.01)
    save_figure(figure, out)


PAGE = """# What does a model do with a sentence?

Written by `python benchmarks/trace_page.py`; do not edit. `chekhov trace` shows it token by token: of an n-gram or a
chain the path to every probability, of a net its states and gates, of any model what one prediction rests on. The
models here have read `demo:rifle-ru`, each net for {time} seconds; add `--json` for one object a token.

## The path of an n-gram's probability

The longest context that the model knows is asked first. Where it does not know the word, its back-off is paid and a
context shorter by a word is asked. The log10 numbers add up to log10 p.

```text
{ngram}
```

*a of b* is how often the word followed the context, and how often anything did, in the text of `--counts`. The table
of a model keeps probabilities and back-offs, no counts; they are counted anew in the training text, of which the model
knows the digest. *adjusted* is what Kneser-Ney smoothing counts in their place, below the highest order and away from
`<s>`: in how many different contexts the n-gram stands. With the discount D and the back-off g of the context,
p = (adjusted - D) / total + g p(word | shorter context), unless the model was pruned. Of smoothings without discounts
only the counts are shown; of a packed model not how many words follow. A model that came as an ARPA file names no text:
its path is shown all the same, and the counts are those of the text that you name.

A chain looks in one context, and its counts are the probability:

```text
{chain}
```

## What a prediction rests on

`--saliency TOKEN` takes the number of a token (-1 is the last) or the token itself. In a terminal the text is coloured,
`--html OUT` writes it as a page; without colours the numbers stand in brackets.

```text
{lstm}
```

The thing that hung on the wall fifteen words before decides. It is named twice, by the verb and by the noun, so that
replacing one of them still leaves the other. The 5-gram knows that a last act is to end and not how: it gives the word
one chance in eight, and that rests on the four words before it:

```text
{saliency}
```

*replaced*: the token gives way to one that the model itself expects there (20 draws; the mean and its standard error);
p = 0 counts as 1e-9. Any model can be asked so, mixtures too. *gradient*: the norm of the slope of log(p / (1 - p)) by
the token's embedding; *x input*: slope times embedding. A slope tells what a small change would do, and in a net that
is sure of its thing a small change of a word does nothing: its gates are shut or open. Here the gradient points at the
last words and hardly at those that decide. Believe the replacements.

![What each model rests on; the cells of the LSTM](trace.svg)

Below, the cells that tell a rifle from a samovar where the last act ends: the same sentence is read with each, and the
colours are the difference. What was said of the thing is carried over every word between.

Chain and n-gram cannot see the thing: it hung too long ago. Nor can the window of 8: the noun stands fourteen words
back.

## States and gates in a file

```text
{summary}
```

```sh
chekhov train lstm my.txt -o my-net --tokens words --hidden-size 32 --epochs 2
chekhov trace my-net --text test.txt -o trace.safetensors
```

```python
import json
from safetensors import safe_open

with safe_open("trace.safetensors", framework="numpy") as file:
    forget = file.get_tensor("layers.0.forget_gate")  # (T, H)
    tokens = json.loads(file.metadata()["tokens"])
print(tokens[1], forget[1].mean())
```

All arrays are float32 but `ids` and `offsets` (int64). Row t is what stands after token t was read; row 0 is `<s>`,
read before every text from a state of zeros.

| array | shape | |
|---|---|---|
| `ids`, `log_probs` | (T,) | the tokens; log p of each in nats, given those before it (its loss is -log p); `<s>`: 0 |
| `offsets` | (T, 2) | `text[begin:end]` in characters; -1 for `<s>`, `</s>` and what is spelt otherwise there |
| `embedding` | (T, E) | what the first layer reads; none with one-hot input |
| `layers.0.hidden_state` | (T, H) | the output of a layer |
| `layers.0.cell_state` | (T, H) | LSTM, QRNN, SRU |
| `layers.0.input_gate`, `forget_gate`, `output_gate`, `candidate` | (T, H) | LSTM; of minLSTM and QRNN three |
| `layers.0.reset_gate`, `update_gate`, `candidate` | (T, H) | GRU; of minGRU without a reset gate |
| `layers.0.forget_gate`, `reset_gate`, `candidate` | (T, H) | SRU |
| `layers.0.recurrence_gate`, `input_gate`, `decay`, `taken_in` | (T, H) | RG-LRU: a, and i times its input |
| `layers.0.forget_gate_pre_activation`, ... | (T, H) | of each gate and candidate, before its sigmoid or tanh |
| `layers.0.pre_activation` | (T, H) | Elman, IndRNN, fixed window |
| `features` | (T, H) | what the output layer reads: row t predicts token t + 1 |

The metadata of the header hold `text`, `tokens` (JSON), `model` and `kind`. Every array comes from the cell's own step:
`features` times the output layer are the model's probabilities, and the states follow from the gates (both are tested
for every cell). The meaning of the GRU's update gate is that of its `--update`.

Measured on {machine}, one thread.
"""

if __name__ == "__main__":
    main()
