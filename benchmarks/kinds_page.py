"""The five kinds of nets: docs/kinds.md and its pictures, from the examples as they print and draw.

OMP_NUM_THREADS=1 python benchmarks/kinds_page.py
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

from machine import machine

ROOT = Path(__file__).resolve().parent.parent
KINDS = {
    "one-to-one": ("09_one_to_one", "One to one"),
    "one-to-many": ("10_one_to_many", "One to many"),
    "many-to-one": ("11_many_to_one", "Many to one"),
    "aligned": ("12_many_to_many_aligned", "Many to many, aligned"),
    "not-aligned": ("13_encoder_decoder", "Many to many, not aligned"),
}


def main() -> None:
    shown = {}
    for name, (script, title) in KINDS.items():
        picture = f"kinds-{name}.svg"
        before = cpu_seconds()
        command = [sys.executable, str(ROOT / "examples" / f"{script}.py"), "--plot", str(ROOT / "docs" / picture)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        printed = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout.rstrip()
        print(printed, flush=True)
        lines = "\n".join(line for line in printed.splitlines() if not line.startswith("step "))
        cost = f"CPU seconds, imports and drawing included: {cpu_seconds() - before:.0f}"
        shown[name.replace("-", "_")] = (
            f"```text\n$ python examples/{script}.py\n{lines}\n{cost}\n```\n\n![{title}]({picture})"
        )
    (ROOT / "docs" / "kinds.md").write_text(PAGE.format(machine=machine(), **shown), "utf-8")


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


PAGE = """# The five kinds of recurrent nets

Written by `python benchmarks/kinds_page.py`; do not edit.

A cell reads one vector and hands its state to the next step. What a net is for depends on where something goes in and
where something comes out. The pictures are drawn from the very nets that the examples have trained: layers, directions,
sizes and outputs are read from the model. Below what goes in, above what comes out; thick arrows carry a state from
step to step, dashed ones show what is read again.

| kind | in, out | classic example | in chekhov |
|---|---|---|---|
| one to one | a vector, an answer | any net without time | a cell of one step |
| one to many | a vector, a sequence | describing a picture, music | `ConditionalLM` |
| many to one | a sequence, an answer | sentiment of a text | `chekhov.Classifier` |
| many to many, aligned | as many answers as inputs | parts of speech, names | `chekhov.Tagger`, language models |
| many to many, not aligned | a sequence, another | translation | `EncoderDecoder` |

## One to one

Nothing is remembered: the state before the only step is 0, and U h vanishes. What is left of the simple net is a layer
with tanh and a layer of scores. Points of three arms of a spiral, which no straight line keeps apart:

{one_to_one}

## One to many

`chekhov.recurrent.encoder_decoder.ConditionalLM` is a language model that begins elsewhere: every state of its first
step is tanh(W v + b) of the vector v. It is trained to write what belongs to v; to write, it reads its own last word.
With v given, it is a language model like any other: `given(v)` can be scored, sampled from and searched with a beam.
A number of three digits, said in Russian:

{one_to_many}

## Many to one

`chekhov.Classifier`: the words of a text go in, one class comes out. The forward row has read the whole text at its
last word, the backward row at its first (pooling `last`; also `mean`, `max`, `attention`). Only the order of the words
tells who overtook whom here, so that a bag of embeddings must guess:

{many_to_one}

## Many to many, aligned

An answer for every input. A language model is one, whose answer is the next token; it must not look ahead. A tagger
may: `chekhov.Tagger` reads from both ends. In «мой пол в доме чисто !» the first word is a verb, in «мой пол в доме
чист .» it is not, and a net that goes from left to right has to guess. Spans get a CRF, which ties an answer to its
neighbours ([labels.md](labels.md)):

{aligned}

## Many to many, not aligned

`chekhov.recurrent.encoder_decoder.EncoderDecoder` is the two before put together: an encoder, many to one, and a
decoder, one to many, with one vector between them (Cho et al. 2014; Sutskever, Vinyals & Le 2014). All of the source
has to go through that vector; for strings of a dozen letters it does, for long sentences it is too narrow. Roman
numbers:

{not_aligned}

## Draw your own

`chekhov info DIR --plot FILE` draws the net of a model folder; `--steps` says over how many steps.

```sh
chekhov train lstm my.txt -o net --hidden-size 32 --num-layers 2 --epochs 1
chekhov info net --plot net.svg --steps 5
```

In Python with words of yours in the boxes:

```python
import chekhov
from chekhov.inspection.unrolled import plot_unrolled

words, tags = [["Анна", "в", "Москве"], ["Лес", "шумит"]] * 10, [["B-PER", "O", "B-LOC"], ["O", "O"]] * 10
tagger = chekhov.Tagger(epochs=8, num_layers=2).fit(words, tags)
plot_unrolled(tagger, "tagger.svg", inputs=words[0], outputs=tagger.predict(words[:1])[0])
```

Measured on {machine}, one thread.
"""

if __name__ == "__main__":
    main()
